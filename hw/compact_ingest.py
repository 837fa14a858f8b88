"""Takes codes into the code ring of a compact machine."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.ingest import COUNT_BITS, RING_BITS
from hw.words import bits_for


def ring_bits(code_words: int) -> int:
    """Bits of a count of codes, of which two differ by a ring of `code_words` at most."""
    return min(RING_BITS, bits_for(code_words) + 1)


class CompactIngest(wiring.Component):
    """What `hw.ingest.Ingest` does, without a copy of the word: the stream holds it.

    **Timing**: a word's first code is written in the cycle in which the word is there, if the limit
    allows; the word is taken with its last code. Without a stall one word every 4 cycles.

    Parameters
    ----------
    code_words
        Depth of the code memory.

    Members
    -------
    start : In(1)
        A clip begins.
    total : In(28)
        Codes of the clip.
    size : In(16)
        Size of the ring.
    limit : In(17)
        Codes that may be accepted so far, likewise.
    word : In(32)
        Four codes, the first in the lowest byte.
    valid : In(1)
        `word` is there.
    ready : Out(1)
        `word` is taken if it is there.
    full : Out(1)
        All words of the clip were taken.
    received : Out(17)
        Codes accepted so far, modulo ``2 ** ring_bits(code_words)``.
    w_en : Out(1)
        Write the code memory.
    w_addr : Out(16)
        Code to write.
    w_data : Out(8)
        The code.
    """

    def __init__(self, *, code_words: int) -> None:
        self.code_words = code_words
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
        left, place = Signal(COUNT_BITS), Signal(2)  # codes to come; of the word, this one's
        width = bits_for(self.code_words)
        size, following = Signal(width), Signal(width)
        received, w_addr = Signal(ring_bits(self.code_words)), Signal(range(self.code_words))
        last = left == 1
        m.d.comb += [
            self.received.eq(received),
            self.w_addr.eq(w_addr),
            self.w_en.eq(self.valid & ~self.full & (received != self.limit[: len(received)])),
            self.w_data.eq(self.word.bit_select(Cat(Const(0, 3), place), 8)),
            self.ready.eq(self.w_en & ((place == 3) | last)),
            following.eq(w_addr + 1),
        ]
        with m.If(self.w_en):
            m.d.sync += [
                left.eq(left - 1),
                place.eq(place + 1),
                self.full.eq(last),
                received.eq(received + 1),
                w_addr.eq(Mux(following == size, 0, following)),
            ]
        with m.If(self.start):
            m.d.sync += [
                left.eq(self.total),
                place.eq(0),
                size.eq(self.size),
                self.full.eq(0),
                received.eq(0),
                w_addr.eq(0),
            ]
        return m
