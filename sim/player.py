"""The cocotb module that plays a job file on a `Bench` and writes the result file.

Environment: ``BAMBINO_JOB`` and ``BAMBINO_RESULT`` name the files.
"""

import os
import time
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, First, Timer, ValueChange

from sim.bench import describe_fault
from sim.job import Job, Phase, Played, Result, load_job, save_result
from sim.streams import PERIOD, Sink, Source, cycle_now

RESET_CYCLES = 3


class Stop(Exception):
    """The job's `stop_at` is reached."""


class Player:
    """Plays the phases of one job.

    Parameters
    ----------
    dut
        cocotb's handle of a `Bench`.
    job
        What to play.
    """

    def __init__(self, dut: Any, job: Job) -> None:
        self._dut, self._job = dut, job
        gaps, stalls = np.random.default_rng(job.seed).spawn(2)
        self._source = Source(dut, job.gap, gaps)
        self._sink = Sink(dut, job.stall, stalls)
        self.played: list[Played] = []

    async def reset(self) -> None:
        """Reset the design; both streams are quiet until one cycle after."""
        self._dut.i_valid.value = 0
        self._dut.rst.value = 1
        await Timer(RESET_CYCLES * PERIOD, "ns")
        self._dut.rst.value = 0
        await Timer(2 * PERIOD, "ns")

    async def play(self) -> None:
        """Play every phase, then check that nothing more comes.

        Raises
        ------
        RuntimeError
            The design broke a stream rule, said too much, too early or too late.
        Stop
            The simulation was to end here.
        """
        await FallingEdge(self._dut.clk)
        await self.reset()
        cocotb.start_soon(self._sink.receive())
        cocotb.start_soon(self._sink.stall())
        for phase in self._job.phases:
            try:
                await self._phase(phase)
            finally:
                self._record()
        self._sink.changed.clear()
        await First(self._sink.changed.wait(), Timer(max(1, self._job.idle) * PERIOD, "ns"))
        self._judge()
        if self._sink.cycles:
            raise RuntimeError("nothing must come after the last reply, not another word")

    async def _phase(self, phase: Phase) -> None:
        started = cycle_now()
        limit = self._limit(phase, started)
        sending = cocotb.start_soon(self._source.send(phase.packets))
        fault = ValueChange(self._dut.fault)
        while True:
            done = sending.done() and len(self._sink.packets) >= phase.replies
            self._judge()
            if len(self._sink.packets) + bool(self._sink.words) > phase.replies:
                raise RuntimeError(f"{phase.replies} replies must come, not more")
            if self._sink.cycles and not self._source.cycles:
                raise RuntimeError("a reply must not come before its request")
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
        await self._cut(phase, started)

    def _limit(self, phase: Phase, started: int) -> int:
        ends = [started + self._job.timeout]
        if phase.reset_after is not None:
            ends.append(started + phase.reset_after)
        if self._job.stop_at is not None:
            ends.append(self._job.stop_at)
        return min(ends)

    async def _cut(self, phase: Phase, started: int) -> None:
        """End a phase that ran into a limit, in the middle of things."""
        if self._job.stop_at is not None and cycle_now() >= self._job.stop_at:
            raise Stop
        if phase.reset_after is None:
            raise RuntimeError(
                f"{phase.replies} replies must come within {self._job.timeout} cycles,"
                f" not {len(self._sink.packets)}"
                f" ({len(self._source.cycles)} words sent, cycle {cycle_now()})",
            )
        await FallingEdge(self._dut.clk)
        await self.reset()
        self._sink.words = []

    def _judge(self) -> None:
        fault = int(self._dut.fault.value)
        if fault:
            raise RuntimeError(f"streams must keep their rules: {describe_fault(fault)}")

    def _record(self) -> None:
        self.played.append(
            Played(
                replies=self._sink.packets,
                reply_cycles=np.array(self._sink.cycles, np.int64),
                sent_cycles=np.array(self._source.cycles, np.int64),
            ),
        )
        self._sink.clear()
        self._source.cycles = []


@cocotb.test()
async def play(dut: Any) -> None:
    """Play the job; an error stands in the result file, so the test itself passes."""
    player = Player(dut, load_job(Path(os.environ["BAMBINO_JOB"])))
    Clock(dut.clk, PERIOD, "ns").start(start_high=False)
    started = time.monotonic()
    error = ""
    try:
        await player.play()
    except RuntimeError as failure:
        error = str(failure)
    except Stop:
        pass
    result = Result(
        phases=player.played, cycles=cycle_now(), seconds=time.monotonic() - started, error=error,
    )
    save_result(result, Path(os.environ["BAMBINO_RESULT"]))
