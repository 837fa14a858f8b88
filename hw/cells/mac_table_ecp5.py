"""The multiply-accumulate by look-up in distributed RAM and chains of ECP5."""

from hw.cells.mac_ecp5 import MacEcp5Cell
from hw.cells.mac_table import MacTableCell


class MacTableEcp5Cell(MacTableCell):
    """One multiply-accumulate on ECP5, as `hw.cells.mac_table.MacTableCell`."""

    add = MacEcp5Cell.add
