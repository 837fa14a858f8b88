"""Driver and monitor of a `Bench`: they wake when a word moves, not once a cycle."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from cocotb.simtime import get_sim_time
from cocotb.triggers import Event, Timer, ValueChange

from sim.job import Words

PERIOD = 10
"""Of the clock, nanoseconds."""


def cycle_now() -> int:
    """Return the number of the running cycle; rising edge n ends cycle n."""
    return int(get_sim_time("ns")) // PERIOD


def idle_runs(rng: np.random.Generator, probability: float, count: int) -> list[int]:
    """Return `count` lengths of idle runs, if each cycle idles with `probability`, cycles."""
    if probability == 0:
        return [0] * count
    return [int(n) - 1 for n in rng.geometric(1 - probability, count)]


class Source:
    """Sends packets, with seeded gaps between words."""

    def __init__(self, dut: Any, gap: float, rng: np.random.Generator) -> None:
        self._dut, self._gap, self._rng = dut, gap, rng
        self.cycles: list[int] = []
        for port in (dut.i_valid, dut.i_data, dut.i_last):  # undriven is X in Icarus
            port.value = 0

    async def send(self, packets: tuple[Words, ...]) -> None:
        """Send `packets` back to back; `cycles` grows with each word accepted."""
        dut = self._dut
        taken = ValueChange(dut.i_taken)
        valid = False
        for packet in packets:
            end = packet.size - 1
            gaps = idle_runs(self._rng, self._gap, packet.size)
            for k, (word, gap) in enumerate(zip(packet.tolist(), gaps, strict=True)):
                if gap:
                    dut.i_valid.value = 0
                    await Timer(gap * PERIOD + PERIOD // 2, "ns")
                    valid = False
                dut.i_data.value = word
                if k in (0, end):
                    dut.i_last.value = int(k == end)
                if not valid:
                    dut.i_valid.value = 1
                    valid = True
                await taken
                self.cycles.append(cycle_now())
        dut.i_valid.value = 0


class Sink:
    """Takes reply packets, with seeded stalls; wakes who waits for a number of them."""

    def __init__(self, dut: Any, stall: float, rng: np.random.Generator) -> None:
        self._dut, self._stall, self._rng = dut, stall, rng
        self.words: list[int] = []
        self.cycles: list[int] = []
        self.packets: list[Words] = []
        self.changed = Event()
        dut.o_ready.value = int(stall == 0)

    def clear(self) -> None:
        """Forget all that came."""
        self.words, self.cycles, self.packets = [], [], []

    async def receive(self) -> None:
        """Take words for ever; `changed` is set at the first word of a packet and after it."""
        moved = ValueChange(self._dut.o_word)
        while True:
            await moved
            word = int(self._dut.o_word.value)
            self.cycles.append(cycle_now())
            self.words.append(word & 0xFFFFFFFF)
            if word >> 32 & 1:
                self.packets.append(np.array(self.words, np.uint32))
                self.words = []
            if len(self.words) <= 1:
                self.changed.set()

    async def stall(self) -> None:
        """Withdraw `ready` now and then, for ever, whether there is a word or not."""
        if self._stall == 0:
            return
        await Timer(PERIOD, "ns")  # from here on changes fall midway between rising edges
        for value, length in self._runs():
            self._dut.o_ready.value = value
            await Timer(length * PERIOD, "ns")

    def _runs(self) -> Iterator[tuple[int, int]]:
        while True:
            yield 1, int(self._rng.geometric(self._stall))
            yield 0, int(self._rng.geometric(1 - self._stall))
