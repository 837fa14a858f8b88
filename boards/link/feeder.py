"""Brings a request's words from the buffer to the machine."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.link.unframer import PAYLOAD_AT
from hw.packets import STREAM


class Feeder(wiring.Component):
    """Gathers words from bytes, lowest first.

    **Timing**: a word takes 5 cycles, one more for each without `r_ready`, and as many as the
    machine lets it wait.

    Members
    -------
    start : In(1)
        The buffer holds words; only while not `busy`.
    words : In(6)
        So many, at least 1.
    last : In(1)
        The last one ends a packet.
    clear : In(1)
        Forget them.
    busy : Out(1)
        The machine has not taken them all.
    r_en : Out(1)
        Read the buffer.
    r_ready : In(1)
        It is read.
    r_addr : Out(8)
        Byte to read.
    r_data : In(8)
        The byte, a cycle later.
    o : Out(STREAM)
        The words.
    """

    start: Signal
    words: Signal
    last: Signal
    clear: Signal
    busy: Signal
    r_en: Signal
    r_ready: Signal
    r_addr: Signal
    r_data: Signal
    o: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "words": In(6),
                "last": In(1),
                "clear": In(1),
                "busy": Out(1),
                "r_en": Out(1),
                "r_ready": In(1),
                "r_addr": Out(8),
                "r_data": In(8),
                "o": Out(STREAM),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        at, end, last = Signal(8), Signal(6), Signal()
        word, arrives, offer = Signal(32), Signal(), Signal()
        ends = at[2:] == end
        fetched = self.r_en & self.r_ready
        m.d.comb += [
            self.r_en.eq(self.busy & ~offer),
            self.r_addr.eq(at),
            self.o.valid.eq(offer & ~arrives),
            self.o.payload.data.eq(word),
            self.o.payload.last.eq(last & ends),
        ]
        m.d.sync += arrives.eq(fetched)
        with m.If(arrives):
            m.d.sync += word.eq(Cat(word[8:], self.r_data))
        with m.If(fetched):
            m.d.sync += [at.eq(at + 1), offer.eq(at[:2] == 3)]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [offer.eq(0), self.busy.eq(~ends)]
        with m.If(self.start):
            m.d.sync += [
                self.busy.eq(1),
                at.eq(PAYLOAD_AT),
                end.eq(PAYLOAD_AT // 4 + self.words),
                last.eq(self.last),
            ]
        with m.If(self.clear):
            m.d.sync += [self.busy.eq(0), offer.eq(0)]
        return m
