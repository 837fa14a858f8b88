"""The commands that make a bitstream, and what they take and leave; all files in one folder.

The measured choices of `boards.compare.flows` hold here too, but for this: designs are mapped
flattened. On an iCE40 that saves logic cells. On an ECP5 it makes the ways shorter which go through
several parts within a cycle (ULX3S-85F: 10 LUTs and carries where there were 12); the columns, and
the cells in them, stay apart until they are mapped, as there are many that are alike. What the
modules take comes from a second mapping, of them apart.
"""

from collections.abc import Mapping
from typing import Any

from boards.bitstream.pins import Chip
from boards.board import Board
from boards.compare.devices import Device

COUNT = "tee -q -o {} stat -json"

MAPPED = "&if,{C},{W},{D},{R},-a,-v;&mfs"
SMALL = ";".join(
    f"{before};{MAPPED}" for before in (
        "+&scorr;&sweep;&dc2;&dch,-f", "&st;&syn2;&dch,-f", "&st;&syn3;&dch,-f", "&st;&dch,-f",
    )
)
"""ABC's commands where logic cells are scarce and the clock is slow: area, again and again."""

SLOW_PS = 80_000
"""Delay that such a mapping may have, ps: of the boards with an iCE40 all run at 12 MHz."""

APART = "column cell_*"
"""Modules of an ECP5's machine, unless it is compact, that are mapped once for all alike."""


def mapping(device: Device, top: str) -> str:
    """Return the commands that map the module `top`, which has been read, and leave it flat."""
    if device.target == "ecp5":
        return (
            f"hierarchy -top {top}; setattr -mod -set keep_hierarchy 1 {APART};"
            f" {_synth(device)} -top {top}; setattr -mod -unset keep_hierarchy *;"
            " flatten; opt_clean; delete t:$scopeinfo"
        )
    small = f"scratchpad -set abc9.D {SLOW_PS}; scratchpad -set abc9.script {SMALL}"
    return f"{small}; {_synth(device)} -top {top}; delete t:$scopeinfo"


def synthesis_script(device: Device, top: str) -> str:
    """Return yosys's commands; they read design.v and write netlist.json and two counts."""
    modules, flat = COUNT.format("modules.json"), COUNT.format("flat.json")
    return (
        f"read_verilog design.v; hierarchy -top {top}; design -save read;"
        f" {_synth(device)} -noflatten -top {top}; {modules}; design -load read;"
        f" {mapping(device, top)}; {flat}; write_json netlist.json"
    )


def _synth(device: Device) -> str:
    """Return yosys's command for such a chip, with its options."""
    if device.target == "ecp5":
        return "synth_ecp5 -nowidelut -nodsp"
    return f"synth_ice40 {'-device u -spram' if device.spram else '-device hx'}"


def route_arguments(board: Board, chip: Chip, seed: int) -> list[str]:
    """Return nextpnr's arguments; it reads netlist.json and pins, writes chip.txt, report.json.

    A clock that is missed makes it fail.
    """
    ecp5 = board.family == "ecp5"
    return [
        *chip.options,
        "--freq", f"{board.clock / 1e6:g}",
        "--seed", str(seed),
        "--json", "netlist.json",
        "--lpf" if ecp5 else "--pcf", "pins",
        "--textcfg" if ecp5 else "--asc", "chip.txt",
        "--report", "report.json",
        "--log", "route.log",
        "--quiet",
    ]


def pack_tool(family: str) -> tuple[str, list[str]]:
    """Return which tool makes the bitstream `chip` of chip.txt, and its arguments."""
    if family == "ecp5":  # the speed at which every flash can be read, unlike the slow default
        return "ecppack", ["--compress", "--freq", "38.8", "--input", "chip.txt", "--bit", "chip"]
    return "icepack", ["chip.txt", "chip"]


def unpack_tool(family: str) -> tuple[str, list[str]]:
    """Return which tool makes chip.txt of the bitstream `chip` again, and its arguments."""
    if family == "ecp5":
        return "ecpunpack", ["--input", "chip", "--textcfg", "chip.txt"]
    return "iceunpack", ["chip", "chip.txt"]


def suffix(family: str) -> str:
    """Return how a bitstream's file ends."""
    return "bit" if family == "ecp5" else "bin"


def clocks(report: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return what nextpnr's report says of each clock: MHz reached and wanted."""
    return {
        name: {"mhz": round(each["achieved"], 2), "target_mhz": round(each["constraint"], 2)}
        for name, each in report["fmax"].items()
    }


def met(found: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether every clock is as fast as it must be; without any there was nothing to time."""
    return bool(found) and all(each["mhz"] >= each["target_mhz"] for each in found.values())
