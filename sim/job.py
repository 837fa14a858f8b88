"""What the player shall do and what came of it, as files that cross into the simulation."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Packets to send back to back, and the replies that end the phase.

    Parameters
    ----------
    packets
        Words of each packet, uint32; the last flag goes with a packet's last word.
    replies
        Reply packets to wait for; one more, or one before the first word was sent, is an error.
    reset_after
        Cycles after its start at which the phase is cut short by a reset, or None.
    """

    packets: tuple[Words, ...]
    replies: int
    reset_after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One simulation.

    Parameters
    ----------
    phases
        In order; what a phase leaves in the design's memories, the next one finds there.
    gap
        Probability, per cycle, that no word is offered although there is one.
    stall
        Probability, per cycle, that no word is taken.
    seed
        Of gaps and stalls.
    timeout
        Cycles that a phase may take.
    idle
        Cycles after the last phase that must bring nothing.
    stop_at
        Cycle at which the simulation ends, whatever it does then, or None.
    waves_first
        Cycle at which a waveform starts, or None for no waveform.
    """

    phases: tuple[Phase, ...]
    gap: float = 0.0
    stall: float = 0.0
    seed: int = 0
    timeout: int = 10_000_000
    idle: int = 64
    stop_at: int | None = None
    waves_first: int | None = None

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be at least 0 and below 1, not {value!r}"
            for name, value in (("gap", self.gap), ("stall", self.stall))
            if not 0 <= value < 1
        ]
        if any(packet.size == 0 for phase in self.phases for packet in phase.packets):
            broken.append("packets must hold at least one word")
        if self.timeout < 1 or self.idle < 0:
            broken.append("timeout must be at least 1 cycle and idle at least 0")
        if broken:
            raise ValueError("job: " + "; ".join(broken))


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """What one phase did.

    Parameters
    ----------
    replies
        Words of each reply packet, uint32.
    reply_cycles
        Cycle in which each word of `replies` was transferred, all packets in a row, int64.
    sent_cycles
        Cycle in which each word was accepted, all packets in a row, int64.
    """

    replies: list[Words] = field(default_factory=list)
    reply_cycles: NDArray[np.int64]
    sent_cycles: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a simulation did.

    Parameters
    ----------
    phases
        One for each phase that was played.
    cycles
        Simulated cycles, reset and idle ones included.
    seconds
        Wall-clock time of the simulation, without starting the process.
    error
        What went wrong, empty if nothing did.
    """

    phases: list[Played]
    cycles: int
    seconds: float
    error: str = ""


def save_job(job: Job, path: Path) -> None:
    """Write `job` to the file `path`."""
    packets = [packet for phase in job.phases for packet in phase.packets]
    numbers = [job.timeout, job.idle, -1 if job.stop_at is None else job.stop_at]
    np.savez(
        path,
        words=np.concatenate([*packets, np.empty(0, np.uint32)]).astype(np.uint32),
        lengths=np.array([packet.size for packet in packets], np.int64),
        packets=np.array([len(phase.packets) for phase in job.phases], np.int64),
        replies=np.array([phase.replies for phase in job.phases], np.int64),
        reset_after=np.array(
            [-1 if p.reset_after is None else p.reset_after for p in job.phases], np.int64,
        ),
        rates=np.array([job.gap, job.stall]),
        seed=np.array(job.seed),
        numbers=np.array(numbers, np.int64),
    )


def _split(items: NDArray[Any], lengths: NDArray[np.int64]) -> list[NDArray[Any]]:
    return np.split(items, np.cumsum(lengths)[:-1]) if lengths.size else []


def load_job(path: Path) -> Job:
    """Read a job from the file `path`; where the waveform starts is not the player's matter."""
    with np.load(path, allow_pickle=False) as stored:
        f = {name: stored[name] for name in stored.files}
    packets = iter(_split(f["words"], f["lengths"]))
    phases = tuple(
        Phase(
            packets=tuple(next(packets) for _ in range(count)),
            replies=int(replies),
            reset_after=None if reset < 0 else int(reset),
        )
        for count, replies, reset in zip(
            f["packets"], f["replies"], f["reset_after"], strict=True,
        )
    )
    timeout, idle, stop_at = (int(v) for v in f["numbers"])
    gap, stall = (float(v) for v in f["rates"])
    return Job(
        phases=phases, gap=gap, stall=stall, seed=int(f["seed"]), timeout=timeout, idle=idle,
        stop_at=None if stop_at < 0 else stop_at,
    )


def save_result(result: Result, path: Path) -> None:
    """Write `result` to the file `path`."""
    replies = [reply for played in result.phases for reply in played.replies]
    none = [np.empty(0, np.int64)]
    np.savez(
        path,
        words=np.concatenate([*replies, np.empty(0, np.uint32)]).astype(np.uint32),
        lengths=np.array([reply.size for reply in replies], np.int64),
        packets=np.array([len(played.replies) for played in result.phases], np.int64),
        reply_cycles=np.concatenate([*(p.reply_cycles for p in result.phases), *none]),
        reply_counts=np.array([p.reply_cycles.size for p in result.phases], np.int64),
        sent_cycles=np.concatenate([*(p.sent_cycles for p in result.phases), *none]),
        sent_counts=np.array([p.sent_cycles.size for p in result.phases], np.int64),
        cycles=np.array(result.cycles),
        seconds=np.array(result.seconds),
        error=np.array(result.error),
    )


def load_result(path: Path) -> Result:
    """Read a result from the file `path`."""
    with np.load(path, allow_pickle=False) as stored:
        f = {name: stored[name] for name in stored.files}
    replies = iter(_split(f["words"], f["lengths"]))
    phases = [
        Played(
            replies=[next(replies) for _ in range(count)], reply_cycles=out, sent_cycles=sent,
        )
        for count, out, sent in zip(
            f["packets"],
            _split(f["reply_cycles"], f["reply_counts"]),
            _split(f["sent_cycles"], f["sent_counts"]),
            strict=True,
        )
    ]
    return Result(
        phases=phases, cycles=int(f["cycles"]), seconds=float(f["seconds"]),
        error=str(f["error"]),
    )
