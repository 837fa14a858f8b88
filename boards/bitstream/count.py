"""What a design takes of its chip: counted in yosys's and nextpnr's output, and compared."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boards.bitstream.shell import NAME
from boards.board import Board
from boards.compare.devices import Device
from boards.compare.flows import USED
from boards.compare.ice40_cells import logic_cells
from boards.compare.job import Target
from boards.compare.netlist import by_module, by_part, chain_ends, counts, flat_cells
from boards.compare.parts import PARTS
from hw.vendor.ecp5 import open_ends

BOARD_PARTS = (("link", r"\.link\b"), *PARTS)
"""As for a machine alone, and the link."""


class Unmet(RuntimeError):
    """The machine does not fit the board's chip, or misses its clock; the message has figures."""


def check_fit(board: Board, device: Device, taken: Mapping[str, int]) -> None:
    """Refuse, with figures, what takes more than `device` has."""
    over = [
        f"{taken.get(name, 0):,} of {most:,} {name.upper()}"
        for name, most in room(device).items()
        if taken.get(name, 0) > most
    ]
    if over:
        raise Unmet(
            f"{board.name}: the machine must fit an {device.name}, not take {', '.join(over)}",
        )


def room(device: Device) -> dict[str, int]:
    """Return what a chip has."""
    return {
        name: number
        for name, number in (
            ("lut", device.lut), ("bram", device.bram), ("dsp", device.dsp),
            ("spram", device.spram),
        )
        if number
    }


def slowest(found: Mapping[str, Mapping[str, float]]) -> float:
    """Return the MHz of the slowest clock."""
    return min(each["mhz"] for each in found.values())


def used(family: Target, report: Mapping[str, Any]) -> dict[str, int]:
    """Return what nextpnr's report says was used."""
    return {
        name: report["utilization"][theirs]["used"]
        for name, theirs in USED[family].items()
        if theirs in report["utilization"]
    }


def count(folder: Path, family: Target) -> dict[str, Any]:
    """Count a netlist and, for ECP5, trim it in place."""
    netlist = folder / "netlist.json"
    data = read(netlist)
    cells = flat_cells(read(folder / "flat.json"))
    if family == "ecp5":
        open_ends(data)
        taken = counts("ecp5", cells, chain_ends(data, NAME))
        netlist.write_text(json.dumps(data), encoding="utf-8")
    else:
        taken = counts("ice40", cells) | {"lut": logic_cells(data, NAME)}
    modules = by_module(read(folder / "modules.json"), NAME)
    return {"used": taken, "parts": by_part(modules, family, BOARD_PARTS)}


def read(path: Path) -> Any:
    """Read a file of JSON."""
    return json.loads(path.read_text(encoding="utf-8"))
