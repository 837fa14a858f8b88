"""An addition of which one side may count twice."""

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class DoublingSum(wiring.Component):
    """``o = i + (double ? 2 * twice : twice)``.

    **Timing**: combinational.

    **Numbers**: modulo 2^bits.

    Parameters
    ----------
    i_bits
        Width of `i`, bits.
    bits
        Width of the sum, bits.

    Members
    -------
    i : In(signed(i_bits))
        What counts once.
    twice : In(signed(bits))
        What may count twice.
    double : In(1)
        It does.
    o : Out(signed(bits))
        The sum.
    """

    def __init__(self, *, i_bits: int, bits: int) -> None:
        self.i_bits = i_bits
        self.bits = bits
        super().__init__(
            {
                "i": In(signed(i_bits)),
                "twice": In(signed(bits)),
                "double": In(1),
                "o": Out(signed(bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.o.eq(self.i + Mux(self.double, self.twice << 1, self.twice))
        return m
