"""A machine for the link's tests, whose answers depend on every word that ever reached it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from amaranth.hdl import Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.packets import STREAM, Packet

SEED = 0x2545F491
STEP = 0x9E3779B9
MOST = 0x7F
"""Words that an answer has besides the first, at most: the low bits of the packet's last word."""

MASK = 0xFFFFFFFF
TIRED = 200
"""Cycles that the mirror rests after a word that is a multiple of `TIRING`."""

TIRING = 16


class Mirror(wiring.Component):
    """Mixes every word into its state and answers each packet with it.

    ``state = rotl(state, 1) ^ word``, and after a packet's end it sends the state, and then as many
    words as the low bits of the packet's last word say, each ``state = rotl(state, 1) + STEP``. A
    word lost, doubled or out of order changes all answers from there on.

    **Timing**: rests for `TIRED` cycles after words that are multiples of `TIRING`; takes no words
    while it answers.

    Members
    -------
    i : In(STREAM)
        Packets.
    o : Out(STREAM)
        Answers.
    """

    i: Any
    o: Any

    def __init__(self) -> None:
        super().__init__({"i": In(STREAM), "o": Out(STREAM)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        state, left, rest = Signal(32, init=SEED), Signal(7), Signal(8)
        turned = state.rotate_left(1)
        with m.If(rest != 0):
            m.d.sync += rest.eq(rest - 1)
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.i.ready.eq(rest == 0)
                with m.If(self.i.valid & self.i.ready):
                    m.d.sync += state.eq(turned ^ self.i.payload.data)
                    with m.If(self.i.payload.data % TIRING == 0):
                        m.d.sync += rest.eq(TIRED)
                    with m.If(self.i.payload.last):
                        m.d.sync += left.eq(self.i.payload.data)
                        m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.data.eq(state),
                    self.o.payload.last.eq(left == 0),
                ]
                with m.If(self.o.ready):
                    m.d.sync += [left.eq(left - 1), state.eq(turned + Const(STEP, 32))]
                    with m.If(left == 0):
                        m.d.sync += state.eq(state)
                        m.next = "TAKE"
        return m


def answers(packets: list[Packet]) -> Iterator[Packet]:
    """Return what a mirror that has been reset answers to `packets`."""
    state = SEED
    for packet in packets:
        for word in packet.tolist():
            state = _turned(state) ^ word
        words = [state]
        for _ in range(int(packet[-1]) & MOST):
            state = _turned(state) + STEP & MASK
            words.append(state)
        yield np.array(words, np.uint32)


def _turned(state: int) -> int:
    return (state << 1 | state >> 31) & MASK
