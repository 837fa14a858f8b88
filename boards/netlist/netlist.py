"""From a machine to its netlist, by the bitstream's own commands, and to Verilog of its cells."""

import json
import re
from pathlib import Path

from boards.bitstream.flow import mapping
from boards.compare.devices import DEVICES, Device
from boards.compare.job import Target
from boards.compare.tools import Runner, find
from boards.netlist.cells import NetlistError, check, models
from golden import cache
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import to_verilog
from hw.vendor.ecp5 import open_ends
from sim.build import Report, silent

TOP = "accelerator"
"""Name of the module, as the generator's."""

MOST = 32
"""Lanes x columns of a machine at most, those of the preset tiny: building takes a minute, grows
with the machine, and each cycle of what is built takes many times that of the machine's Verilog."""

FORMAT = "1"
"""Changes when what is kept, or how it is made of the tools' output, changes."""

PLAIN = (
    "read_json trimmed.json; splitnets; opt_clean -purge; rename -hide;"
    " rename -enumerate -pattern n%; write_verilog -noattr netlist.v"
)
"""One short name a bit: a simulator reads it in half the time."""

OPEN = {".CIN(1'hx)": ".CIN(1'h1)", ".COUT(1'hx)": ".COUT()"}
"""Ends of carry chains, see `hw.vendor.ecp5`: a carry into a half that ignores it, which nothing
holds at 0 on the chip, so here it is 1; and one that nobody reads."""


def device(config: Config, target: Target) -> Device:
    """Return the chip that is mapped to.

    Raises
    ------
    NetlistError
        The machine is too large, or has its weights in single-port RAM.
    """
    size = config.lanes * config.columns
    if size > MOST:
        raise NetlistError(
            f"lanes x columns must be at most {MOST} for the engine netlist, not {size}"
            " (--preset tiny has 32)",
        )
    if config.single_port:
        raise NetlistError("single_port must be false for the engine netlist")
    return DEVICES["25f" if target == "ecp5" else "hx8k"]


def netlist(config: Config, target: Target, report: Report = silent) -> str:
    """Return the netlist of a machine, module `TOP`, and its cells' models as Verilog.

    Parameters
    ----------
    config
        The machine.
    target
        Family of chips.
    report
        Called with a line before a synthesis; what is known is not made again.

    Raises
    ------
    NetlistError
        As `device`; or its cells have no models.
    JobError, ToolError
        A tool failed, or is missing.
    """
    script = f"read_verilog design.v; hierarchy -top {TOP}; {mapping(device(config, target), TOP)}"
    script += "; write_json netlist.json"
    text = to_verilog(Accelerator(config), TOP, target=target)
    tool = find("yosys")
    key = cache.key(FORMAT, text, script, PLAIN, tool.version)

    def make(folder: Path) -> None:
        report(f"synthesis for {target} begins")
        runner = Runner()
        (folder / "design.v").write_text(text, encoding="utf-8")
        runner.run(tool, ["-q", "-l", "yosys.log", "-p", script], folder, log="yosys.log")
        data = json.loads((folder / "netlist.json").read_text(encoding="utf-8"))
        if target == "ecp5":
            open_ends(data)
        check(data["modules"][TOP])
        (folder / "trimmed.json").write_text(json.dumps(data), encoding="utf-8")
        runner.run(tool, ["-q", "-l", "plain.log", "-p", PLAIN], folder, log="plain.log")
        for each in folder.iterdir():
            if each.name != "netlist.v":
                each.unlink()

    found = (cache.entry(f"netlist-{key}", make) / "netlist.v").read_text(encoding="utf-8")
    cells = re.findall(r"^  ([A-Z]\w+) (?:#\(|n\d+ \()", found, re.MULTILINE)
    for floating, open_end in OPEN.items():
        found = found.replace(floating, open_end)
    return models(target, cells) + found
