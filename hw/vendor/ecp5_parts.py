"""The column's own additions in ECP5: what stands before an adder goes into its carry chain."""

from amaranth.hdl import Cat, Const, Module

from hw.doubling_sum import DoublingSum
from hw.end_total import EndTotal
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


class EndTotalEcp5(EndTotal):
    """As `hw.end_total.EndTotal`: the carry chain of the addition also holds the shift."""

    zero_idle = True

    def elaborate(self, platform: object) -> Module:
        m = Module()
        doubled = Cat(Const(0, 1), self.total)[: self.bits]
        with m.If(self.load | self.shift):
            m.d.sync += self.total.eq(
                ecp5.add_or_take(
                    m, "sum", a=self.i, b=self.offset, c=doubled, adds=self.load, width=self.bits,
                ),
            )
        return m
