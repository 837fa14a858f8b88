"""Netlists, results and tools made up for the tests of `bambino compare` and `bambino build`."""

import json
import stat
import sys
from pathlib import Path

import pytest

from boards.compare.designs import Design
from boards.compare.job import Job
from boards.compare.results import Clip, Result, Results, Routed, Synthesis

TOOL = """#!{python}
import json, os, pathlib, sys, time
name, argv = {name!r}, sys.argv[1:]
if argv == ["--version"]:
    print(name, "1.0")
    raise SystemExit
with open({calls!r}, "a") as calls:
    calls.write(json.dumps([name, *argv]) + "\\n")
if name == "icepack" or name == "ecppack":
    argument = dict(zip(argv, argv[1:]))
    text = pathlib.Path(argument.get("--input", argv[0])).read_text()
    pathlib.Path(argument.get("--bit", argv[-1])).write_text(f"bits of {{text}}")
    raise SystemExit
log = argv[argv.index("-l" if name == "yosys" else "--log") + 1]
pathlib.Path(log).write_text("all is well\\n")
fail = pathlib.Path({calls!r} + ".fail").read_text() if os.path.exists({calls!r} + ".fail") else ""
if fail and fail in pathlib.Path("design.v" if name == "yosys" else "netlist.json").read_text():
    pathlib.Path(log).write_text("Info: so far so good\\nERROR: no such luck\\n")
    raise SystemExit(1)
if os.path.exists({calls!r} + ".hang"):
    time.sleep(60)
if os.path.exists({calls!r} + ".circle") and name == "nextpnr-ice40" and "--router" not in argv:
    time.sleep(60)
if name == "yosys":
    text = pathlib.Path("design.v").read_text()
    top = argv[-1].split("-top ")[1].split(";")[0]
    cells = {{"LUT4": 10 * text.count("cell"), "TRELLIS_FF": 7, "SB_LUT4": 10, "SB_DFF": 30}}
    design = {{"num_cells_by_type": cells}}
    stat = {{"modules": {{"\\\\" + top: design}}, "design": design}}
    for file in ("modules.json", "flat.json"):
        pathlib.Path(file).write_text(json.dumps(stat))
    module = {{"cells": {{}}, "ports": {{}}, "about": text}}
    pathlib.Path("netlist.json").write_text(json.dumps({{"modules": {{top: module}}}}))
else:
    seed = int(argv[argv.index("--seed") + 1])
    used = {{"TRELLIS_COMB": {{"used": 12}}, "TRELLIS_FF": {{"used": 7}}, "DP16KD": {{"used": 0}},
            "MULT18X18D": {{"used": 0}}, "ICESTORM_LC": {{"used": 40}}}}
    path = [{{"from": {{"cell": "a"}}, "to": {{"cell": "b"}}}}]
    paths = [{{"from": "posedge clk", "to": "posedge clk", "path": path}}]
    target = float(argv[argv.index("--freq") + 1])
    clock = {{"achieved": 100.0 + seed, "constraint": target}}
    report = {{"fmax": {{"clk": clock}}, "utilization": used,
              "critical_paths": paths}}
    pathlib.Path("report.json").write_text(json.dumps(report))
    for option in ("--textcfg", "--asc"):
        if option in argv:
            pathlib.Path(argv[argv.index(option) + 1]).write_text(f"seed {{seed}}")
    if "--timing-allow-fail" not in argv and clock["achieved"] < target:
        pathlib.Path(log).write_text("ERROR: Max frequency for clock 'clk'\\n")
        raise SystemExit(1)
"""


class Tools:
    """Tools that count as real ones do, and note how they are called."""

    def __init__(self, folder: Path) -> None:
        self.calls_file = folder / "calls"
        self.variables = {}
        for name, variable in (
            ("yosys", "YOSYS"),
            ("nextpnr-ecp5", "NEXTPNR_ECP5"),
            ("nextpnr-ice40", "NEXTPNR_ICE40"),
            ("ecppack", "ECPPACK"),
            ("icepack", "ICEPACK"),
        ):
            path = folder / name
            text = TOOL.format(python=sys.executable, name=name, calls=str(self.calls_file))
            path.write_text(text)
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
            self.variables[variable] = str(path)

    def fail_on(self, text: str) -> None:
        """Fail where the input holds `text`."""
        Path(f"{self.calls_file}.fail").write_text(text)

    def hang(self) -> None:
        """Take a minute for everything."""
        Path(f"{self.calls_file}.hang").touch()

    def circle(self) -> None:
        """Let the first router of iCE40 never find its way."""
        Path(f"{self.calls_file}.circle").touch()

    def calls(self) -> list[list[str]]:
        """Return the calls so far."""
        if not self.calls_file.exists():
            return []
        return [json.loads(line) for line in self.calls_file.read_text().splitlines()]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Tools that take milliseconds, and an empty cache."""
    made = Tools(tmp_path)
    for variable, path in made.variables.items():
        monkeypatch.setenv(variable, path)
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path / "cache"))
    return made


def _verilog(job: Job) -> Design:
    text = f"// cell {job.kind} {job.lanes}\nmodule m; endmodule\n"
    clip = None
    if job.level == "accelerator":
        clip = Clip(cycles=1000, utilisation=0.5, accumulates=9, memory_bits={"maps": 3})
    return Design(
        top="m", text=text, inputs=(("clk", 1), ("a", 3)), outputs=(("b", 2),), clip=clip,
    )


@pytest.fixture
def made_up(monkeypatch):
    """Designs in place of the generator's."""
    monkeypatch.setattr("boards.compare.store.verilog", _verilog)


def _result(
    kind: str, *, target="ecp5", level="array", shape=(16, 16), lut=1000, ff=900, bram=0, dsp=0,
    clocks=(), part="", device="ECP5-25F", clip=None, parts=None,
) -> Result:
    used = {"lut": lut, "ff": ff, "bram": bram, "dsp": dsp}
    lanes, columns = shape
    return Result(
        job=Job(target=target, level=level, kind=kind, lanes=lanes, columns=columns, part=part),
        synthesis=Synthesis(counts=used, parts=parts or {}),
        device=device,
        routed=tuple(
            Routed(seed=i, used=used, fmax_mhz=mhz) for i, mhz in enumerate(clocks, 1)
        ),
        clip=clip,
    )


@pytest.fixture
def result():
    """Make a result of round figures."""
    return _result


@pytest.fixture
def measured():
    """Results of every sort: routed and not, with and without DSP, both targets, a machine."""
    clip = Clip(
        cycles=200_000, utilisation=0.8, accumulates=163_000_000,
        memory_bits={"weights": 1, "codes": 2, "maps": 3, "partial_sums": 4, "program": 5},
    )
    parts = {"array": {"lut": 2000}, "walker": {"lut": 900}, "window": {"lut": 10}}
    rows = (
        _result("gated", lut=5120, ff=5000, clocks=(240.0, 230.0, 250.0)),
        _result("table", lut=2048, ff=2000, clocks=(300.0,)),
        _result("mac-dsp", lut=5120, ff=9000, dsp=256, device=None),
        _result("mac-dsp", lut=2880, ff=4000, dsp=144, shape=(12, 12), clocks=(200.0,)),
        _result("mac-plain", lut=46080, ff=9000),
        _result("mac-rows", lut=25600, ff=9000, clocks=(180.0,)),
        _result("table", target="ice40", lut=512, ff=400, bram=16, shape=(32, 4), clocks=(170.0,)),
        _result("mac-table", target="ice40", lut=3000, ff=2000, bram=64, shape=(8, 4), device=None),
        _result("mac-rows", target="ice40", lut=5000, ff=3000, shape=(8, 4), clocks=(90.0,)),
        _result(
            "table", level="accelerator", lut=8000, ff=8000, bram=60, clocks=(100.0,), clip=clip,
            parts=parts,
        ),
    )
    return Results(matrix="default", versions={"yosys": "yosys 1.0"}, results=rows)
