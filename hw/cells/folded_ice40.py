"""The folded cell in SB_LUT4 and SB_CARRY: one logic cell a bit of the sum."""

from amaranth.hdl import Module, Signal, Value, signed

from hw.cells.folded import FoldedCell
from hw.vendor import ice40


class FoldedIce40Cell(FoldedCell):
    """One accumulate on iCE40, as `hw.cells.folded.FoldedCell`.

    Where the cell doubles, a look-up table a bit stands before the chain: the carry wants the
    doubled sum itself.
    """

    def total(self, m: Module, weight: Value) -> Value:
        above = Signal(signed(self.sum_bits))
        m.d.comb += above.eq(self.above())
        return ice40.gated_add(m, "sum", a=above, b=weight, gate=self.acts, width=self.sum_bits)
