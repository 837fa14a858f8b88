"""Takes codes in, four a word, and keeps them in the code ring."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COUNT_BITS = 28
"""Bits of the number of a clip's codes."""

RING_BITS = 17
"""Bits that tell the codes accepted from their limit, never further apart than a ring is long."""


class Ingest(wiring.Component):
    """Writes codes to the ring in the order in which they come, one a cycle.

    No more than `limit` codes are accepted, so that none is overwritten that a layer still needs;
    the program raises the limit as it goes.

    **Timing**: the first code of a word is written two cycles after it was taken, or when those
    before have been; one word waits meanwhile. Without a stall one word every 4 cycles.

    Members
    -------
    start : In(1)
        A clip begins.
    total : In(28)
        Codes of the clip.
    size : In(16)
        Size of the ring.
    limit : In(17)
        Codes that may be accepted so far, modulo 2^17.
    word : In(32)
        Four codes, the first in the lowest byte.
    valid : In(1)
        `word` is there.
    ready : Out(1)
        `word` is taken if it is there.
    full : Out(1)
        All words of the clip were taken.
    received : Out(17)
        Codes accepted so far, modulo 2^17.
    w_en : Out(1)
        Write the code memory.
    w_addr : Out(16)
        Code to write.
    w_data : Out(8)
        The code.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "total": In(COUNT_BITS),
                "size": In(16),
                "limit": In(RING_BITS),
                "word": In(32),
                "valid": In(1),
                "ready": Out(1),
                "full": Out(1, init=1),
                "received": Out(RING_BITS),
                "w_en": Out(1),
                "w_addr": Out(16),
                "w_data": Out(8),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codes, held = Signal(32), Signal(3)  # codes of a word, and how many are left
        ahead, ahead_count, ahead_valid = Signal(32), Signal(3), Signal()
        words, tail = Signal(COUNT_BITS - 2), Signal(2)  # whole words to come, codes of the last
        size, following = Signal(16), Signal(16)
        write = (held != 0) & (self.received != self.limit)
        m.d.comb += [
            self.w_en.eq(write),
            self.w_data.eq(codes[:8]),
            self.ready.eq(~ahead_valid & ~self.full),
            following.eq(self.w_addr + 1),
        ]
        with m.If(write):
            m.d.sync += [
                codes.eq(codes >> 8),
                held.eq(held - 1),
                self.received.eq(self.received + 1),
                self.w_addr.eq(Mux(following == size, 0, following)),
            ]
        with m.If(ahead_valid & ((held == 0) | (held == 1) & write)):
            m.d.sync += [codes.eq(ahead), held.eq(ahead_count), ahead_valid.eq(0)]
        with m.If(self.valid & self.ready):
            m.d.sync += [
                ahead.eq(self.word),
                ahead_valid.eq(1),
                self.full.eq((words == 0) | (words == 1) & (tail == 0)),
            ]
            with m.If(words == 0):
                m.d.sync += [ahead_count.eq(tail), tail.eq(0)]
            with m.Else():
                m.d.sync += [ahead_count.eq(4), words.eq(words - 1)]
        with m.If(self.start):
            m.d.sync += [
                words.eq(self.total[2:]),
                tail.eq(self.total[:2]),
                size.eq(self.size),
                held.eq(0),
                ahead_valid.eq(0),
                self.full.eq(0),
                self.received.eq(0),
                self.w_addr.eq(0),
            ]
        return m
