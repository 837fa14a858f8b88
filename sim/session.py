"""A conversation with a `Bench` in cocotb: packets out, replies back, every rule watched."""

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, Timer, ValueChange

from sim.job import Phase, Played
from sim.rules import describe_fault
from sim.streams import PERIOD, Sink, Source, cycle_now

RESET_CYCLES = 3


class Misconduct(RuntimeError):
    """The design broke a stream rule, or said too much, too early, too late or nothing."""


class Stop(Exception):
    """The cycle is reached at which the simulation was to end."""


class Session:
    """Sends packets and collects replies, phase by phase.

    Parameters
    ----------
    dut
        cocotb's handle of a `Bench`.
    gap, stall
        Probability per cycle of a pause in what is sent and in what is taken.
    seed
        Of both.
    timeout
        Cycles that a phase may take.
    stop_at
        Cycle at which `Stop` is raised, or None.
    """

    def __init__(
        self,
        dut: Any,
        *,
        gap: float = 0.0,
        stall: float = 0.0,
        seed: int = 0,
        timeout: int = 10_000_000,
        stop_at: int | None = None,
    ) -> None:
        self._dut = dut
        self._timeout, self._stop_at = timeout, stop_at
        gaps, stalls = np.random.default_rng(seed).spawn(2)
        self._source = Source(dut, gap, gaps)
        self._sink = Sink(dut, stall, stalls)
        dut.rst.value = 1

    async def start(self) -> None:
        """Start the clock, reset the design, listen."""
        Clock(self._dut.clk, PERIOD, "ns").start(start_high=False)
        await FallingEdge(self._dut.clk)
        await self._reset()
        cocotb.start_soon(self._sink.receive())
        cocotb.start_soon(self._sink.stall())

    async def play(self, phase: Phase) -> Played:
        """Play one phase; cut short by its reset, it gives what came until then.

        Raises
        ------
        Misconduct
            As its class says.
        Stop
            The simulation was to end here.
        """
        try:
            await self._exchange(phase)
        finally:
            played = self._take()
        return played

    async def finish(self, idle: int) -> None:
        """Wait for `idle` cycles that must bring nothing.

        Raises
        ------
        Misconduct
            They brought a word or a broken rule.
        """
        self._sink.changed.clear()
        await First(self._sink.changed.wait(), Timer(max(1, idle) * PERIOD, "ns"))
        self._judge()
        if self._sink.cycles:
            raise Misconduct("nothing must come after the last reply, not another word")

    async def _exchange(self, phase: Phase) -> None:
        started = cycle_now()
        limit = self._limit(phase, started)
        sending = cocotb.start_soon(self._source.send(phase.packets))
        fault = ValueChange(self._dut.fault)
        while True:
            done = sending.done() and len(self._sink.packets) >= phase.replies
            self._judge()
            if len(self._sink.packets) + bool(self._sink.words) > phase.replies:
                raise Misconduct(f"{phase.replies} replies must come, not more")
            if self._sink.cycles and not self._source.cycles:
                raise Misconduct("a reply must not come before its request")
            if done and not self._sink.words:
                return
            left = limit - cycle_now()
            if left <= 0:
                break
            self._sink.changed.clear()
            waits = [self._sink.changed.wait(), fault, Timer(left * PERIOD, "ns")]
            if not sending.done():
                waits.append(sending.complete)
            await First(*waits)
        sending.cancel()
        await self._cut(phase)

    def _limit(self, phase: Phase, started: int) -> int:
        ends = [started + self._timeout]
        if phase.reset_after is not None:
            ends.append(started + phase.reset_after)
        if self._stop_at is not None:
            ends.append(self._stop_at)
        return min(ends)

    async def _cut(self, phase: Phase) -> None:
        """End a phase that ran into a limit, in the middle of things."""
        if self._stop_at is not None and cycle_now() >= self._stop_at:
            raise Stop
        if phase.reset_after is None:
            raise Misconduct(
                f"{phase.replies} replies must come within {self._timeout} cycles,"
                f" not {len(self._sink.packets)}"
                f" ({len(self._source.cycles)} words sent, cycle {cycle_now()})",
            )
        await FallingEdge(self._dut.clk)
        await self._reset()
        self._sink.words = []

    async def _reset(self) -> None:
        self._dut.i_valid.value = 0
        self._dut.rst.value = 1
        await Timer(RESET_CYCLES * PERIOD, "ns")
        self._dut.rst.value = 0
        await Timer(2 * PERIOD, "ns")

    def _judge(self) -> None:
        fault = int(self._dut.fault.value)
        if fault:
            raise Misconduct(f"streams must keep their rules: {describe_fault(fault)}")

    def _take(self) -> Played:
        played = Played(
            replies=self._sink.packets,
            reply_cycles=np.array(self._sink.cycles, np.int64),
            sent_cycles=np.array(self._source.cycles, np.int64),
        )
        self._sink.clear()
        self._source.cycles = []
        return played
