"""A memory that needs no multiplexer behind its block RAMs."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

BLOCK_BITS = 1 << 14
"""Bits of a block RAM of an ECP5, parity apart."""

WIDE_WORDS = 1 << 11
"""Depth of a block RAM of whole bytes: a memory that is no deeper stays in one piece."""


def slice_bits(words: int, width: int) -> int:
    """Return the width of the pieces, side by side, in which a memory of `words` x `width` stands.

    A deep memory of wide words is cheapest in few block RAMs, one range of addresses each, and
    what they give meets in a multiplexer: on ECP5 the slowest way of a whole machine, and several
    LUTs a bit. Pieces as narrow as one block RAM is deep need some more block RAMs instead.
    """
    if words <= WIDE_WORDS:
        return width
    return min(width, max(1, BLOCK_BITS // (1 << (words - 1).bit_length())))


class BlockMemory(wiring.Component):
    """A memory of one read port and one write port, in pieces side by side where it is deep.

    **Timing**: synchronous read, `r_data` one cycle after `r_addr`. What is read in the cycle in
    which it is written is not said.

    Parameters
    ----------
    words
        Depth.
    width
        Of a word, bits; a multiple of `chunks`.
    chunks
        Parts of a word that are written one by one.

    Members
    -------
    r_en : In(1)
        Read.
    r_addr : In(range(words))
        Word to read.
    r_data : Out(width)
        The word, a cycle later.
    w_en : In(chunks)
        Write these parts.
    w_addr : In(range(words))
        Word to write.
    w_data : In(width)
        The word.
    """

    latency = 1

    def __init__(self, *, words: int, width: int, chunks: int = 1) -> None:
        self.words, self.width, self.chunks = words, width, chunks
        super().__init__(
            {
                "r_en": In(1),
                "r_addr": In(range(words)),
                "r_data": Out(width),
                "w_en": In(chunks),
                "w_addr": In(range(words)),
                "w_data": In(width),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        part = self.width // self.chunks
        step = slice_bits(self.words, self.width)
        pieces = [(0, self.width)]
        if step < self.width:
            pieces = [
                (first, min(first + step, chunk + part))
                for chunk in range(0, self.width, part)
                for first in range(chunk, chunk + part, step)
            ]
        read = []
        for first, end in pieces:
            piece = Memory(
                shape=end - first, depth=self.words, init=[], attrs={"no_rw_check": 1},
            )
            m.submodules[f"from_{first}"] = piece
            r_port, w_port = piece.read_port(), piece.write_port(granularity=min(part, end - first))
            read.append(r_port.data)
            chunks = self.w_en if step == self.width else self.w_en[first // part]
            m.d.comb += [
                r_port.en.eq(self.r_en),
                r_port.addr.eq(self.r_addr),
                w_port.addr.eq(self.w_addr),
                w_port.data.eq(self.w_data[first:end]),
                w_port.en.eq(chunks),
            ]
        m.d.comb += self.r_data.eq(Cat(read))
        return m
