"""The delay in a memory."""

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter, Signal

from hw.delay_line import DelayLine, check_delay
from sim.collisions import spoiling


@pytest.mark.parametrize("cycles", [2, 3, 9, 16])
def test_a_word_comes_back_after_so_many_cycles(play, cycles):
    given = np.random.default_rng(cycles).integers(0, 1 << 18, 60).tolist()
    with spoiling():
        seen = play(DelayLine(width=18, cycles=cycles), [{"i": word} for word in given],
                    ["o", "there"])
    assert [row["there"] for row in seen] == [t >= cycles for t in range(60)]
    assert [row["o"] for row in seen[cycles:]] == given[: 60 - cycles]


def test_a_reset_makes_it_forget(simulate):
    """What was on its way when the machine was reset is in the memory, but it is not there."""
    reset, line = Signal(), DelayLine(width=4, cycles=5)
    top = Module()
    top.submodules.line = ResetInserter(reset)(line)

    async def bench(ctx):
        ctx.set(line.i, 9)
        await ctx.tick().repeat(7)
        assert ctx.get(line.there)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        there = []
        for _ in range(7):
            there.append(ctx.get(line.there))
            await ctx.tick()
        assert there == [0] * 5 + [1] * 2

    simulate(top, bench)


def test_a_delay_that_would_read_what_is_written_is_refused():
    with pytest.raises(ValueError, match="^cycles must be at least 2, not 1$"):
        check_delay(1)
