"""The multiply-accumulate by rows in CCU2C."""

from amaranth.hdl import Module, Value

from hw.cells.mac_ecp5 import MacEcp5Cell
from hw.cells.mac_rows import MacRowsCell
from hw.vendor import ecp5


class MacRowsEcp5Cell(MacRowsCell):
    """One multiply-accumulate on ECP5, as `hw.cells.mac_rows.MacRowsCell`.

    Two gated rows and their sum are one chain: every half takes two bits of the weight and two of
    the activation.
    """

    add = MacEcp5Cell.add

    def two_rows(self, m: Module, name: str, weight: Value, bits: Value) -> Value:
        return ecp5.two_rows(m, name, x=weight, gates=bits, width=10)
