"""A delay in a memory, where registers would cost a logic cell a bit and cycle."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

LEAST_DELAY = 2
"""Cycles; no word is then read in the cycle in which it is written."""


def check_delay(cycles: int) -> int:
    """Return `cycles`; too few are refused."""
    if cycles < LEAST_DELAY:
        raise ValueError(f"cycles must be at least {LEAST_DELAY}, not {cycles}")
    return cycles


class DelayLine(wiring.Component):
    """``o(t) = i(t - cycles)``; before there has been any, anything, and `there` is low.

    **Timing**: latency `cycles`; one word per cycle, no backpressure.

    ======= =============================
    cycle   what happens to a word
    ======= =============================
    0       written
    cycles  read a cycle before; at `o`
    ======= =============================

    Parameters
    ----------
    width
        Bits of a word.
    cycles
        The delay, at least `LEAST_DELAY`.

    Members
    -------
    i : In(width)
        A word.
    o : Out(width)
        The word of so many cycles ago.
    there : Out(1)
        That was since the reset.
    """

    def __init__(self, *, width: int, cycles: int) -> None:
        self.width = width
        self.cycles = check_delay(cycles)
        super().__init__({"i": In(width), "o": Out(width), "there": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = m.submodules.words = Memory(
            shape=self.width, depth=self.cycles, init=[],
            attrs={"no_rw_check": 1, "ram_style": "block"},
        )
        r_port, w_port = words.read_port(), words.write_port()
        at = Signal(range(self.cycles))
        following = Signal.like(at)
        m.d.comb += [
            following.eq(Mux(at == self.cycles - 1, 0, at + 1)),
            w_port.addr.eq(at),
            w_port.data.eq(self.i),
            w_port.en.eq(1),
            r_port.addr.eq(following),
            r_port.en.eq(1),
            self.o.eq(r_port.data),
        ]
        m.d.sync += [at.eq(following), self.there.eq(self.there | (at == self.cycles - 1))]
        return m
