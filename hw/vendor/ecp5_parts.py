"""The column's own additions in ECP5: what stands before an adder goes into its carry chain."""

from amaranth.hdl import Module

from hw.doubling_sum import DoublingSum
from hw.fill import Fill
from hw.vendor import ecp5


class DoublingSumEcp5(DoublingSum):
    """As `hw.doubling_sum.DoublingSum`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = ecp5.doubling_add(
            m, "sum", a=self.i, x=self.twice, double=self.double, width=self.bits,
        )
        m.d.comb += self.o.eq(total)
        return m


class FillEcp5(Fill):
    """As `hw.fill.Fill`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.step):
            m.d.sync += self.sum.eq(
                ecp5.add_or_subtract(
                    m, "sum", a=self.sum, b=self.weight, minus=self.subtract, width=len(self.sum),
                ),
            )
        return m
