"""The portable cell: an AND gate before an adder."""

from amaranth.hdl import Module, Mux, Signal, signed

from hw.cells.cell import Cell


class GatedCell(Cell):
    """One accumulate: ``o_sum = above + (act ? weight : 0)``; see `hw.cells.cell.Cell`."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = Signal(signed(8), reset_less=True)
        with m.If(self.write):
            m.d.sync += weight.eq(self.data)
        m.d.sync += self.o_sum.eq(self.above() + Mux(self.acts, weight, 0))
        return m
