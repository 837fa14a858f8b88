"""Takes codes in, four a word, and keeps them in the code ring."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

COUNT_BITS = 28


class Ingest(wiring.Component):
    """Writes codes to the ring in the order in which they come, one a cycle.

    No more than `limit` codes are accepted, so that none is overwritten that a layer still needs;
    the program raises the limit as it goes.

    **Timing**: a word is accepted when the one before leaves its last code; without a stall one
    word every 4 cycles.

    Members
    -------
    start : In(1)
        A clip begins.
    total : In(28)
        Codes of the clip.
    size : In(16)
        Size of the ring.
    limit : In(28)
        Codes that may be accepted so far.
    word : In(32)
        Four codes, the first in the lowest byte.
    valid : In(1)
        `word` is there.
    ready : Out(1)
        `word` is taken if it is there.
    full : Out(1)
        All words of the clip were taken.
    received : Out(28)
        Codes accepted so far.
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
                "limit": In(COUNT_BITS),
                "word": In(32),
                "valid": In(1),
                "ready": Out(1),
                "full": Out(1),
                "received": Out(COUNT_BITS),
                "w_en": Out(1),
                "w_addr": Out(16),
                "w_data": Out(8),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        codes = Signal(32)
        held = Signal(3)  # codes in it
        left = Signal(COUNT_BITS)  # codes of the clip that no word has brought yet
        size = Signal(16)
        write = (held != 0) & (self.received < self.limit)
        m.d.comb += [
            self.w_en.eq(write),
            self.w_data.eq(codes[:8]),
            self.full.eq(left == 0),
            self.ready.eq((left != 0) & ((held == 0) | ((held == 1) & write))),
        ]
        with m.If(write):
            m.d.sync += [
                codes.eq(codes >> 8),
                held.eq(held - 1),
                self.received.eq(self.received + 1),
                self.w_addr.eq(self.w_addr + 1),
            ]
            with m.If(self.w_addr == size - 1):
                m.d.sync += self.w_addr.eq(0)
        with m.If(self.valid & self.ready):
            m.d.sync += codes.eq(self.word)
            with m.If(left < 4):
                m.d.sync += [held.eq(left[:3]), left.eq(0)]
            with m.Else():
                m.d.sync += [held.eq(4), left.eq(left - 4)]
        with m.If(self.start):
            m.d.sync += [
                left.eq(self.total),
                size.eq(self.size),
                held.eq(0),
                self.received.eq(0),
                self.w_addr.eq(0),
            ]
        return m
