"""The multiply-accumulate by rows in SB_LUT4 and SB_CARRY."""

from amaranth.hdl import Cat, Module, Mux, Value

from hw.cells.mac_rows import MacRowsCell
from hw.vendor import ice40


class MacRowsIce40Cell(MacRowsCell):
    """One multiply-accumulate on iCE40, as `hw.cells.mac_rows.MacRowsCell`.

    The second row of a pair is gated inside the adder; the first, before it.
    """

    def two_rows(self, m: Module, name: str, weight: Value, bits: Value) -> Value:
        first = Mux(bits[0], weight, 0)
        upper = ice40.gated_add(
            m, name, a=first[1:].as_signed(), b=weight, gate=bits[1], width=9,
        )
        return Cat(first[0], upper)
