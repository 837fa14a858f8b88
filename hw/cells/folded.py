"""The cell whose gate is folded into its adder, as simulators see it."""

from amaranth.hdl import Module, Mux, Signal, Value, signed

from hw.cells.gated import GatedCell


class FoldedCell(GatedCell):
    """One accumulate, gated inside the adder's own look-up tables; else `hw.cells.cell.Cell`.

    This is the portable text of it, which `hw.cells.folded_ecp5` and `hw.cells.folded_ice40` map
    by hand. The weight is without reset: beside its enable that would cost iCE40 a logic cell.
    """

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = Signal(signed(8), reset_less=True)
        with m.If(self.write):
            m.d.sync += weight.eq(self.data)
        gated = Mux(self.acts, weight, 0)
        m.d.sync += self.o_sum.eq(self.total(m, weight) if self.i_bits else gated)
        return m

    def total(self, m: Module, weight: Value) -> Value:
        """Return what goes down, where there is a sum from above."""
        return self.above() + Mux(self.acts, weight, 0)
