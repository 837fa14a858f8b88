"""How many logic cells of an iCE40 a netlist will take, before it is placed."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

Bit = int | str


def logic_cells(netlist: Mapping[str, Any], top: str) -> int:
    """Count logic cells as nextpnr packs them: a LUT, a register and a carry in one.

    A register goes with the LUT that drives nothing else; a carry with the LUT beside it, which
    adds the same two bits and the same carry-in. A carry that begins with a signal, or that logic
    reads, takes one more. Constants are left to the LUTs.
    """
    module = netlist["modules"][top]
    ports = [(cell["type"], cell["connections"]) for cell in module["cells"].values()]
    readers: Counter[Bit] = Counter()
    for cell in module["cells"].values():
        for name, bits in cell["connections"].items():
            if cell["port_directions"][name] == "input":
                readers.update(bits)
    for port in module["ports"].values():
        if port["direction"] == "output":
            readers.update(port["bits"])

    luts = [pins for kind, pins in ports if kind == "SB_LUT4"]
    registers = [pins for kind, pins in ports if kind.startswith("SB_DFF")]
    carries = [pins for kind, pins in ports if kind == "SB_CARRY"]
    alone = {_bit(pins, "O") for pins in luts if readers[_bit(pins, "O")] == 1}
    adders = Counter((_bit(p, "I1"), _bit(p, "I2"), _bit(p, "I3")) for p in luts)

    cells = len(luts) + sum(_bit(pins, "D") not in alone for pins in registers)
    outs = {_bit(pins, "CO") for pins in carries}
    chained = Counter(_bit(pins, "CI") for pins in carries)
    for pins in carries:
        key = _bit(pins, "I0"), _bit(pins, "I1"), _bit(pins, "CI")
        if adders[key]:
            adders[key] -= 1
        else:
            cells += 1
        cells += isinstance(_bit(pins, "CI"), int) and _bit(pins, "CI") not in outs
    # The LUT above a carry reads it through the chain; what else reads it goes through a cell.
    through = Counter(_bit(p, "I3") for p in luts)
    return cells + sum(readers[out] > chained[out] + min(through[out], 1) for out in outs)


def _bit(pins: Mapping[str, list[Bit]], port: str) -> Bit:
    bits = pins.get(port, ["x"])
    return bits[0] if bits else "x"
