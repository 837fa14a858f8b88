"""The folded cell in CCU2C: one half a bit of the sum, with no logic beside the chain."""

from amaranth.hdl import Module, Mux, Value

from hw.cells.folded import FoldedCell
from hw.vendor import ecp5


class FoldedEcp5Cell(FoldedCell):
    """One accumulate on ECP5, as `hw.cells.folded.FoldedCell`.

    A half takes the sum, the weight and the activation. Where it must choose between the sum and
    the doubled sum too, the weight is gated before the chain: 8 look-up tables, whatever the sum's
    width.
    """

    def total(self, m: Module, weight: Value) -> Value:
        if self.doubles:
            return ecp5.doubling_add(
                m, "sum", a=Mux(self.acts, weight, 0), x=self.i_sum, double=self.double,
                width=self.sum_bits,
            )
        return ecp5.gated_add(
            m, "sum", a=self.i_sum, b=weight, gate=self.acts, width=self.sum_bits,
        )
