"""Pieces of a word are those that `word_select` gives, without its product."""

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal

from hw.pieces import piece


@pytest.mark.parametrize("bits", [1, 2, 8, 32])
def test_pieces_are_those_of_the_word(simulate, bits):
    m = Module()
    word, number = Signal(64), Signal(range(64 // bits))
    found, wanted = Signal(bits), Signal(bits)
    m.d.comb += [found.eq(piece(word, number, bits)), wanted.eq(word.word_select(number, bits))]

    async def bench(ctx):
        ctx.set(word, 0xFEDC_BA98_7654_3210)
        for i in range(64 // bits):
            ctx.set(number, i)
            assert ctx.get(found) == ctx.get(wanted) == 0xFEDC_BA98_7654_3210 >> i * bits & (
                (1 << bits) - 1
            )

    simulate(m, bench)
    for chosen, product in (
        (piece(word, number, bits), False), (word.word_select(number, bits), bits > 1),
    ):
        alone = Module()
        alone.d.comb += found.eq(chosen)
        assert ("$mul" in rtlil.convert(alone, ports=[word, number, found])) == product


def test_pieces_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="bits must be a power of two, not 3"):
        piece(Signal(9), Signal(2), 3)
