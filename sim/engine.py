"""The engine `rtl`: the generated Verilog under cocotb, behind the same `predict` as the others."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from golden.network import Network
from golden.trace import Trace
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import to_verilog
from hw.estimate import estimate
from hw.lower import Lowered, lower
from hw.packets import Command, Error, Reply
from sim import bench
from sim.build import Design, Model, Report, build, silent
from sim.job import Job, Phase, Played
from sim.simulation import SimulationError, run

Codes = NDArray[np.uint8]

TOP = "accelerator"
START_WORDS = 4
"""Of the packet that precedes the codes."""

PATIENCE = 50
"""How many times longer than estimated a phase may take; reading maps out takes its time."""

INLINED = 1024
"""Lanes x columns up to which columns are inlined: it runs faster, and builds in a minute."""


def check_replies(played: Played, commands: Sequence[Command]) -> None:
    """Refuse replies that are not one OK for each of `commands`, in order, besides data.

    Raises
    ------
    SimulationError
        The machine answered with an error, or not to every command.
    """
    answered = []
    for reply in played.replies:
        kind, value = int(reply[0]) >> 24, int(reply[0]) & 0xFFFFFF
        if kind == Reply.ERROR:
            known = Error(value).name if value in list(Error) else str(value)
            raise SimulationError(f"the machine must take every command, not answer {known}")
        if kind == Reply.OK:
            answered.append(value)
    if answered != [int(command) for command in commands]:
        raise SimulationError(f"the machine must confirm {list(commands)}, not {answered}")


class RtlEngine:
    """Predicts in simulation, cycle by cycle and bit by bit.

    Parameters
    ----------
    config
        The machine. Its model is built at the first prediction, or found in the cache.
    gap, stall
        Probability per cycle of a pause in what is sent and in what is taken; the results must
        not depend on it, the cycles do.
    seed
        Of gaps and stalls.
    verilog
        Text to simulate instead of what the generator writes: the same machine, altered.
    report
        Called with a line before and after a build.
    """

    def __init__(
        self,
        config: Config,
        *,
        gap: float = 0.0,
        stall: float = 0.0,
        seed: int = 0,
        verilog: str | None = None,
        report: Report = silent,
    ) -> None:
        self.config = config
        self.verilog = to_verilog(Accelerator(config), TOP) if verilog is None else verilog
        self._gap, self._stall, self._seed = gap, stall, seed
        self.report = report

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""
        return "rtl"

    @cached_property
    def design(self) -> Design:
        """The Verilog in its bench."""
        large = self.config.lanes * self.config.columns > INLINED
        return bench.design(self.verilog, TOP, ("column",) if large else ())

    @cached_property
    def model(self) -> Model:
        """The built model, built now or earlier."""
        return build(self.design, report=self.report)

    def predict(self, network: Network, codes: Codes) -> Trace:
        """Evaluate `network` on `codes`, uint8 ``[channel, band, frame]``, with all its maps."""
        return self.predict_many(network, [codes])[0]

    def predict_many(
        self, network: Network, codes: Sequence[Codes], *, maps: bool = True,
    ) -> list[Trace]:
        """Evaluate `network` on each of `codes`, loaded once, clip after clip.

        Parameters
        ----------
        network
            What to run.
        codes
            uint8 ``[channel, band, frame]`` each.
        maps
            Whether the traces hold every layer's output; reading them out takes cycles that
            `Trace.cycles` then counts.

        Raises
        ------
        SimulationError
            The machine hung, answered with an error or broke a rule of its streams.
        """
        return self.predict_networks([(network, codes)], maps=maps)[0]

    def predict_networks(
        self, work: Sequence[tuple[Network, Sequence[Codes]]], *, maps: bool = True,
    ) -> list[list[Trace]]:
        """Evaluate several networks, one loaded after the other, in one simulation.

        Parameters
        ----------
        work
            Networks, each with the codes to evaluate it on.
        maps
            As for `predict_many`.
        """
        return self.predict_lowered(
            [(lower(network, self.config, maps=maps), codes) for network, codes in work],
        )

    def predict_lowered(
        self, work: Sequence[tuple[Lowered, Sequence[Codes]]],
    ) -> list[list[Trace]]:
        """Do as `predict_networks` does, with networks that are lowered already."""
        result = run(self.model, self.job(work))
        phases = iter(result.phases)
        traces = []
        for lowered, codes in work:
            load_cycles = load_time(lowered, next(phases))
            traces.append([clip_trace(lowered, next(phases), load_cycles) for _ in codes])
        return traces

    def job(self, work: Sequence[tuple[Lowered, Sequence[Codes]]]) -> Job:
        """Return the job that loads each network and runs its clips: a phase for each."""
        phases = []
        for lowered, clips in work:
            load = tuple(lowered.load_packets())
            phases.append(Phase(packets=load, replies=len(load)))
            phases += [
                Phase(packets=tuple(lowered.clip_packets(clip)), replies=lowered.reply_count())
                for clip in clips
            ]
        slowest = max(
            (estimate(lowered.schedule.network, self.config) for lowered, _ in work),
            key=lambda each: each.cycles + each.load_cycles,
        )
        running = (1 - self._gap) * (1 - self._stall)
        timeout = PATIENCE * (slowest.cycles + slowest.load_cycles) / running
        return Job(
            phases=tuple(phases), gap=self._gap, stall=self._stall, seed=self._seed,
            timeout=int(timeout),
        )


def load_time(lowered: Lowered, played: Played) -> int:
    """Return the cycles of a load: from its first word accepted to its last confirmation."""
    check_replies(played, [Command.PROGRAM, Command.WEIGHTS])
    return int(played.reply_cycles[-1] - played.sent_cycles[0])


def clip_trace(lowered: Lowered, played: Played, load_cycles: int | None) -> Trace:
    """Return the trace of one clip; the machine's own count of cycles must be the bench's.

    Raises
    ------
    SimulationError
        The machine answered with an error, or counts wrongly.
    """
    check_replies(played, [Command.START, Command.CODES])
    answer = lowered.decode(played.replies)
    first_code = START_WORDS + 1  # behind the header of CODES
    counted = int(played.reply_cycles[-2] - played.sent_cycles[first_code])
    if counted != answer.cycles:
        raise SimulationError(f"the machine must count {counted} cycles, not {answer.cycles}")
    return Trace(
        outputs=answer.outputs, raw=answer.raw, cycles=answer.cycles, load_cycles=load_cycles,
    )
