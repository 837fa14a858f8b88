"""A mapped netlist as yosys writes it: what is counted in it."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from boards.compare.job import Target

Cells = Mapping[str, int]
"""Cells of a netlist by type."""

CARRY = "CCU2C"


def chain_ends(netlist: Mapping[str, Any], top: str) -> int:
    """Count the places where a carry chain of an ECP5 begins, or hands its carry to logic.

    nextpnr adds a `CCU2C`, two LUTs, at each of them, but not where `hw.vendor.ecp5.open_ends` left
    nothing.
    """
    cells = netlist["modules"][top]["cells"].values()
    carries = [cell["connections"] for cell in cells if cell["type"] == CARRY]
    outs = {bits["COUT"][0] for bits in carries if isinstance(_one(bits, "COUT"), int)}
    begins = sum(_one(bits, "CIN") not in outs | {"x"} for bits in carries)
    chained = {_one(bits, "CIN") for bits in carries}
    return begins + len(outs - chained)


def _one(connections: Mapping[str, list[int | str]], port: str) -> int | str | None:
    bits = connections.get(port, [])
    return bits[0] if bits else None


def counts(target: Target, cells: Cells, ends: int = 0) -> dict[str, int]:
    """Count resources before placement.

    For ECP5 they are what nextpnr will count: a `CCU2C` is 2 LUTs, a `TRELLIS_DPR16X4` 4 of RAM
    and 2 that write it, a chain's end 2; nextpnr then adds 2 a design for constants. On iCE40 the
    greater of LUTs and registers is a lower bound of the logic cells; the whole design is counted
    by `boards.compare.ice40_cells` instead.
    """
    if target == "ecp5":
        return {
            "lut": cells.get("LUT4", 0)
            + 2 * cells.get(CARRY, 0)
            + 6 * cells.get("TRELLIS_DPR16X4", 0)
            + 2 * ends,
            "ff": cells.get("TRELLIS_FF", 0),
            "bram": cells.get("DP16KD", 0) + cells.get("PDPW16KD", 0),
            "dsp": cells.get("MULT18X18D", 0) + math.ceil(cells.get("MULT9X9D", 0) / 2),
        }
    ff = sum(number for kind, number in cells.items() if kind.startswith("SB_DFF"))
    return {
        "lut": max(cells.get("SB_LUT4", 0), cells.get("SB_CARRY", 0), ff),
        "ff": ff,
        "bram": sum(number for kind, number in cells.items() if kind.startswith("SB_RAM40")),
        "dsp": cells.get("SB_MAC16", 0),
        "spram": cells.get("SB_SPRAM256KA", 0),
    }


def by_module(stat: Mapping[str, Any], top: str) -> dict[str, dict[str, int]]:
    """Give the cells of every module times its instances, of a `stat -json` before flattening.

    What a module holds is counted without its submodules, so that all add up to the whole.
    """
    modules = {
        name.removeprefix("\\"): each["num_cells_by_type"] for name, each in stat["modules"].items()
    }
    instances: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        instances[name] += times
        for kind, number in modules[name].items():
            if kind in modules:
                visit(kind, times * number)

    visit(top, 1)
    return {
        name: {
            kind: number * times
            for kind, number in modules[name].items()
            if kind not in modules and not kind.startswith("$")
        }
        for name, times in instances.items()
    }


def flat_cells(stat: Mapping[str, Any]) -> dict[str, int]:
    """Give the cells of the whole design, of a `stat -json` after flattening."""
    return {kind: number for kind, number in cell_types(stat).items() if not kind.startswith("$")}


def cell_types(stat: Mapping[str, Any]) -> dict[str, int]:
    """Give the same with what is left of yosys's own cells, if anything is."""
    found: dict[str, int] = stat["design"]["num_cells_by_type"]
    return found


def by_part(
    modules: Mapping[str, Cells], target: Target, parts: Iterable[tuple[str, str]],
) -> dict[str, dict[str, int]]:
    """Add the modules up into named parts: the first whose pattern matches the module's name."""
    found: dict[str, Counter[str]] = {}
    patterns = [(name, re.compile(pattern)) for name, pattern in parts]
    for module, cells in modules.items():
        name = next((name for name, pattern in patterns if pattern.search(module)), "other")
        found.setdefault(name, Counter()).update(counts(target, cells))
    return {name: dict(each) for name, each in found.items()}
