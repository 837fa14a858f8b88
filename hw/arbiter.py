"""Two packet streams on one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.packets import STREAM


class Arbiter(wiring.Component):
    """Passes whole packets of `first` and `second` on to `o`; `first` goes first.

    **Timing**: combinational; the choice holds from a packet's first word on, also while that word
    waits.

    Members
    -------
    first : In(STREAM)
        Packets.
    second : In(STREAM)
        Packets.
    o : Out(STREAM)
        Packets.
    """

    def __init__(self) -> None:
        super().__init__({"first": In(STREAM), "second": In(STREAM), "o": Out(STREAM)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        held, holder, chosen = Signal(), Signal(), Signal()  # 1: second
        m.d.comb += [
            chosen.eq(Mux(held, holder, ~self.first.valid)),
            self.o.valid.eq(Mux(chosen, self.second.valid, self.first.valid)),
            self.o.p.eq(Mux(chosen, self.second.payload, self.first.payload)),
            self.first.ready.eq(self.o.ready & ~chosen),
            self.second.ready.eq(self.o.ready & chosen),
        ]
        m.d.sync += holder.eq(chosen)
        with m.If(self.o.valid):
            m.d.sync += held.eq(~(self.o.ready & self.o.p.last))
        return m
