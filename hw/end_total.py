"""The total at a column's end, which leaves from its highest bit."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class EndTotal(wiring.Component):
    """Takes ``total = i + offset``, then doubles it step by step.

    **Timing**: `total` follows `load`, or `shift`, by one cycle; `load` goes before.

    **Numbers**: ``i + offset`` must fit `bits`; what is shifted out at the top is lost.

    Parameters
    ----------
    bits
        Width of all numbers.

    Members
    -------
    i : In(signed(bits))
        The sum; where `zero_idle`, it must be 0 in every cycle without `load`.
    offset : In(signed(bits))
        What is added to it.
    load : In(1)
        Take a new total.
    shift : In(1)
        Double the one that is there.
    total : Out(signed(bits))
        The total.
    """

    zero_idle = False

    def __init__(self, *, bits: int) -> None:
        self.bits = bits
        super().__init__(
            {
                "i": In(signed(bits)),
                "offset": In(signed(bits)),
                "load": In(1),
                "shift": In(1),
                "total": Out(signed(bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.load):
            m.d.sync += self.total.eq(self.i + self.offset)
        with m.Elif(self.shift):
            m.d.sync += self.total.eq(self.total << 1)
        return m
