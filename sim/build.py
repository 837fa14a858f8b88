"""Build a design once, keep the model, reuse it: Verilator, or Icarus as a second opinion.

A model is known by a hash of all its Verilog, the flags, the tools' versions and the processor.
Verilator's own runtime, most of a small build, is compiled once for all models.
"""

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cocotb
from cocotb_tools.runner import Icarus, Runner

from golden import cache
from sim.runner import HURRIED, OPTIMISED, FastVerilator, control_file
from sim.toolchain import Toolchain, ToolError, has_icarus, toolchain

Simulator = Literal["verilator", "icarus"]
Report = Callable[[str], None]

TIMESCALE = ("1ns", "1ps")
_WAKE = re.compile(r"reg (\\\S+dump_module\$\d+ +)= 0;")  # see `_build_icarus`
_LAYOUT = "3"  # of a cache entry; a new number forgets all models
_RUNTIME = "module runtime(input clk, output reg q); always @(posedge clk) q <= ~q; endmodule\n"
_WAVES = """
module bambino_waves(input clk);
  integer cycle = 0;
  integer first;
  reg [8*256-1:0] file;
  always @(posedge clk) begin
    if ($value$plusargs("waves_first=%d", first) && cycle == first
        && $value$plusargs("waves_file=%s", file)) begin
      $dumpfile(file);
      $dumpvars(0);
    end
    cycle <= cycle + 1;
  end
endmodule
bind {top} bambino_waves bambino_waves(.clk(clk));
"""


class BuildError(RuntimeError):
    """The simulator refused the design; the message holds the end of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Design:
    """What a model is built from.

    Parameters
    ----------
    top
        Name of the top module; its ports stay visible to cocotb.
    verilog
        The text of every module.
    opaque
        Modules that Verilator compiles once instead of inlining each instance.
    hurried
        Compile without optimisation: what is large and runs for a short while is done sooner.
    """

    top: str
    verilog: str
    opaque: tuple[str, ...] = ()
    hurried: bool = False

    @property
    def ports(self) -> list[str]:
        """Names of the top's ports."""
        found = re.search(rf"^module\s+{re.escape(self.top)}\s*\(([^)]*)\)", self.verilog, re.M)
        if found is None:
            raise ValueError(f"the Verilog must define module {self.top}")
        return re.findall(r"(\w+)\s*(?:,|$)", found[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A built design, ready to run.

    Parameters
    ----------
    folder
        Its entry in the cache.
    top
        Name of the top module.
    simulator
        Which simulator runs it.
    waves
        Whether it can write waveforms.
    seconds
        How long the build took, when it was made.
    """

    folder: Path
    top: str
    simulator: Simulator
    waves: bool
    seconds: float

    def runner(self) -> Runner:
        """Return a runner whose `test` runs this model."""
        runner = FastVerilator(toolchain().verilator) if self.simulator == "verilator" else Icarus()
        runner.build_dir = self.folder
        return runner


@contextmanager
def _log_on_failure(top: str, log: Path) -> Iterator[None]:
    """Turn a failed build into a `BuildError` that shows where its log ends."""
    try:
        yield
    except RuntimeError as error:
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else str(error)
        tail = "\n".join(line[:300] for line in text.splitlines()[-25:])
        raise BuildError(f"{top} must build, not fail:\n{tail}") from error


def _verilate(folder: Path, design: Design, waves: bool, make_args: list[str]) -> None:
    control = folder / f"{design.top}.vlt"
    control.write_text(control_file(design.top, design.ports, design.opaque), encoding="utf-8")
    source = folder / f"{design.top}.v"
    source.write_text(design.verilog, encoding="utf-8")
    sources = [control, source]
    if waves:
        sources.append(folder / "waves.sv")
        sources[-1].write_text(_WAVES.replace("{top}", design.top), encoding="utf-8")
    log = folder / "build.log"
    with _log_on_failure(design.top, log):
        FastVerilator(toolchain().verilator, make_args).build(
            sources=sources,
            hdl_toplevel=design.top,
            build_dir=folder,
            build_args=["-Wno-fatal", "-Wno-WIDTH", "-Wno-UNOPTFLAT"],
            timescale=TIMESCALE,
            waves=waves,
            log_file=log,
        )


def _runtime(tools: Toolchain, waves: bool) -> list[str]:
    """Return the objects of Verilator's runtime, compiled once for all models."""

    def make(folder: Path) -> None:
        _verilate(folder, Design(top="runtime", verilog=_RUNTIME), waves, [])
        for path in folder.iterdir():
            if not (path.name.startswith("verilated") and path.suffix == ".o"):
                path.unlink()

    name = "runtime-" + cache.key(_LAYOUT, str(waves), *OPTIMISED, *_versions(tools))
    return sorted(str(path) for path in cache.entry(name, make).glob("*.o"))


def _versions(tools: Toolchain) -> list[str]:
    verilator = tools.verilator
    return [
        verilator.version, str(verilator.root), tools.compiler, cocotb.__version__,
        str(Path(cocotb.__file__).parent), cache.processor(),
    ]


def _build_verilator(folder: Path, design: Design, waves: bool) -> None:
    runtime = " ".join(_runtime(toolchain(), waves))
    shared = ["VM_GLOBAL_FAST=", "VM_GLOBAL_SLOW=", f"USER_LDLIBS={runtime}"]
    _verilate(folder, design, waves, [*shared, *(HURRIED if design.hurried else ())])
    kept = {design.top, f"{design.top}.v", f"{design.top}.vlt", "build.log"}
    for path in folder.iterdir():
        if path.name not in kept:
            path.unlink()


def _build_icarus(folder: Path, design: Design) -> None:
    """Build with Icarus, which runs an `always @*` of which no input ever changes not even once.

    yosys lets each of them look at a register that starts at 0; here it becomes 0 a moment later,
    and so all run. (As `always_comb` they would run, but a block that writes one part of a vector
    and reads another would wake itself for ever.)
    """
    source = folder / f"{design.top}.v"
    source.write_text(_WAKE.sub(r"reg \1; initial #1 \1 = 0;", design.verilog), encoding="utf-8")
    with _log_on_failure(design.top, folder / "build.log"):
        Icarus().build(
            sources=[source],
            hdl_toplevel=design.top,
            build_dir=folder,
            timescale=TIMESCALE,
            always=True,
            log_file=folder / "build.log",
        )


def silent(line: str) -> None:
    """Report nothing."""


def build(
    design: Design,
    *,
    simulator: Simulator = "verilator",
    waves: bool = False,
    report: Report = silent,
) -> Model:
    """Return the model of `design`, built now or earlier.

    Parameters
    ----------
    design
        What to build.
    simulator
        ``"verilator"``, or ``"icarus"`` where it is installed.
    waves
        Whether the model can write waveforms (Verilator only); it is slower and larger.
    report
        Called with a line before a build starts and after it is done, not when one is reused.

    Raises
    ------
    ToolError
        A tool is missing; the line says what to install.
    BuildError
        The simulator refused the design.
    """
    if simulator == "icarus":
        if not has_icarus():
            raise ToolError("simulation needs Icarus Verilog (apt install iverilog)")
        parts = [shutil.which("iverilog") or "", cocotb.__version__]
    elif simulator == "verilator":
        parts = _versions(toolchain())
    else:
        raise ValueError(f"simulator must be verilator or icarus, not {simulator!r}")
    if any(letter.isspace() for letter in str(cache.folder())):
        raise ToolError(
            f"the models' folder must be a path without spaces, which make cannot build in, not"
            f" {str(cache.folder())!r}; BAMBINO_CACHE chooses another",
        )
    parts += [*OPTIMISED, simulator, str(waves), design.top, design.verilog, *design.opaque]
    parts += HURRIED if design.hurried else ()
    name = f"{design.top}-{cache.key(_LAYOUT, *parts)}"

    def make(folder: Path) -> None:
        started = time.monotonic()
        size = len(design.verilog) / 1000
        report(f"building {design.top} with {simulator} ({size:.0f} kB of Verilog)")
        if simulator == "verilator":
            _build_verilator(folder, design, waves)
        else:
            _build_icarus(folder, design)
        seconds = round(time.monotonic() - started, 2)
        (folder / "model.json").write_text(json.dumps({"seconds": seconds}), encoding="utf-8")
        report(f"built {design.top} in {seconds:.1f} s")

    folder = cache.entry(name, make)
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    return Model(
        folder=folder, top=design.top, simulator=simulator, waves=waves,
        seconds=float(about["seconds"]),
    )
