"""Every step of a job, done once and kept by a hash of its inputs, commands and tool versions."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from boards.compare import harness
from boards.compare.designs import verilog
from boards.compare.devices import Device, fitting
from boards.compare.flows import (
    OTHER_ROUTER,
    PATIENCE_S,
    USED,
    route_arguments,
    synthesis_script,
)
from boards.compare.ice40_cells import logic_cells
from boards.compare.job import KINDS, Job
from boards.compare.netlist import (
    by_module,
    by_part,
    chain_ends,
    counts,
    flat_cells,
)
from boards.compare.parts import PARTS
from boards.compare.results import Clip, Result, Routed, Synthesis
from boards.compare.tools import JobError, Runner, TimeUp, Tool, keep_log
from golden import cache
from hw.vendor.ecp5 import open_ends

FORMAT = "3"
"""Changes when what is kept, or how it is made of the tools' output, changes."""


class NotMeasured(JobError):
    """Only the cache was asked, and it does not hold this."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A synthesised design in the cache.

    Parameters
    ----------
    folder
        Where its netlist is.
    synthesis
        What was counted.
    clip
        Of a whole machine.
    """

    folder: Path
    synthesis: Synthesis
    clip: Clip | None


class Store:
    """Measures jobs; what was measured before is only read.

    Parameters
    ----------
    tools
        By name: yosys and a nextpnr for each target.
    runner
        Starts them.
    """

    def __init__(self, tools: dict[str, Tool], runner: Runner) -> None:
        self._tools = tools
        self._runner = runner

    def measure(self, job: Job) -> Result:
        """Synthesise `job`, and place and route it if it has a seed.

        Raises
        ------
        JobError
            A tool failed on it, or no part holds it that was asked for by name.
        """
        step = self.synthesise(job)
        held = {
            name: number + (step.synthesis.harness if name in ("lut", "ff") else 0)
            for name, number in step.synthesis.counts.items()
        }
        device = fitting(job.target, held, job.part)
        result = Result(
            job=job.design,
            synthesis=step.synthesis,
            device=None if device is None else device.name,
            clip=step.clip,
        )
        if job.seed is None or device is None:
            return result
        return replace(result, routed=(self._route(job, step, device),))

    def synthesise(self, job: Job) -> Step:
        """Map `job` with yosys."""
        inner = verilog(job)
        design = harness.wrap(inner) if job.target == "ice40" else inner
        around = harness.registers(inner) if job.target == "ice40" else 0
        script = synthesis_script(job, KINDS[job.kind].multiplier, design.top)
        tool = self._tools["yosys"]
        key = cache.key(FORMAT, design.text, script, tool.version)

        def make(folder: Path) -> None:
            (folder / "design.v").write_text(design.text, encoding="utf-8")
            self._runner.run(tool, ["-q", "-l", "yosys.log", "-p", script], folder, log="yosys.log")
            found = _count(folder, job, design.top, around)
            (folder / "synthesis.json").write_text(json.dumps(asdict(found)), encoding="utf-8")

        folder = self._entry(f"compare-synth-{key}", make)
        synthesis = Synthesis(**_read(folder / "synthesis.json"))
        return Step(folder=folder, synthesis=synthesis, clip=inner.clip)

    def _route(self, job: Job, step: Step, device: Device) -> Routed:
        """Place and route a synthesised design."""
        assert job.seed is not None
        tool = self._tools[f"nextpnr-{job.target}"]
        arguments = route_arguments(device, job.seed)
        key = cache.key(FORMAT, step.folder.name, *arguments, tool.version)

        def make(folder: Path) -> None:
            netlist = folder / "netlist.json"
            netlist.hardlink_to(step.folder / "netlist.json")  # the tool sees this folder alone
            try:
                self._runner.run(
                    tool, arguments, folder, log="route.log", limit_s=PATIENCE_S[job.target],
                )
            except TimeUp:
                self._runner.run(tool, [*arguments, *OTHER_ROUTER], folder, log="route.log")
            netlist.unlink()
            report = _read(folder / "report.json")
            if not report.get("fmax"):
                kept = keep_log(folder, "route.log")
                raise JobError(f"{job.label} must have a clocked path, but has none; see {kept}")
            (folder / "report.json").unlink()  # large, for the paths that it lists
            kept_part = {name: report[name] for name in ("fmax", "utilization")}
            kept_part["slowest"] = slowest_path(report)
            (folder / "used.json").write_text(json.dumps(kept_part), encoding="utf-8")

        folder = self._entry(f"compare-route-{key}", make)
        return _routed(job, step.synthesis, _read(folder / "used.json"))

    def _entry(self, name: str, make: Callable[[Path], None]) -> Path:
        return cache.entry(name, make)


class KnownStore(Store):
    """Tells what was measured before; starts no tool, and waits for no other process."""

    def _entry(self, name: str, make: Callable[[Path], None]) -> Path:
        folder = cache.folder() / name
        if not folder.is_dir():
            raise NotMeasured(f"{name} is not measured yet")
        return folder


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _count(folder: Path, job: Job, top: str, around: int) -> Synthesis:
    """Count a netlist and, for ECP5, trim it in place."""
    netlist = folder / "netlist.json"
    data = _read(netlist)
    trimmed = 0
    cells = flat_cells(_read(folder / "flat.json"))
    if job.target == "ecp5":
        trimmed = open_ends(data)
        found = counts(job.target, cells, chain_ends(data, top))
        netlist.write_text(json.dumps(data), encoding="utf-8")
    else:
        found = counts(job.target, cells) | {"lut": logic_cells(data, top)}
    parts = {}
    if job.level == "accelerator":
        modules = by_module(_read(folder / "modules.json"), top)
        modules.pop(harness.TOP, None)
        parts = by_part(modules, job.target, PARTS)
    return Synthesis(
        counts=_without(found, around), parts=parts, trimmed=trimmed, harness=around,
    )


def _routed(job: Job, synthesis: Synthesis, report: dict[str, Any]) -> Routed:
    """Read what nextpnr reports of the one clock."""
    assert job.seed is not None
    used = {
        name: report["utilization"][theirs]["used"]
        for name, theirs in USED[job.target].items()
        if theirs in report["utilization"]
    }
    used = _without(used, synthesis.harness)
    used.setdefault("ff", synthesis.counts["ff"])
    slowest = min(clock["achieved"] for clock in report["fmax"].values())
    return Routed(
        seed=job.seed, used=used, fmax_mhz=round(slowest, 2), slowest=report["slowest"],
    )


def slowest_path(report: dict[str, Any]) -> str:
    """Name the registers where the slowest path from clock to clock begins and ends."""
    for each in report.get("critical_paths", []):
        steps = each["path"]
        if steps and each["from"].startswith("posedge") and each["to"].startswith("posedge"):
            return f"{steps[0]['from']['cell']} -> {steps[-1]['to']['cell']}"
    return ""


def _without(counted: dict[str, int], around: int) -> dict[str, int]:
    """Subtract the harness, each of whose registers takes one logic cell."""
    return {
        name: number - (around if name in ("lut", "ff") else 0) for name, number in counted.items()
    }
