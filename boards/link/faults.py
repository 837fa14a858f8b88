"""A line that loses, doubles and damages, and what the link makes of it: `bambino faults`."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from boards.link.describe import Description
from boards.link.host import Host, LinkError, Patience
from boards.link.mirror import MOST, Mirror, answers
from boards.link.protocol import PIECE_WORDS
from boards.top import TOP, Top
from boards.virtual.model import Model, built
from hw.emit import to_verilog
from hw.packets import Packet
from hw.presets import preset
from hw.replies import ReplyError
from sim.build import Report, silent

CLOCK, DIVISOR, PATIENCE_BITS = 12_000_000, 4, 12
BATCH = 40
"""Packets of a conversation."""

LONGEST_REPLY = 2 * 10 * 256 * DIVISOR + (1 << PATIENCE_BITS) + 10 * 256
"""Cycles from a request's first bit to its reply's last, and some more."""

SILENCE = 1 << 20

HIGHEST_RATE = 0.5
"""Of faults: a request and its reply both come through often enough to get on."""

Generator = np.random.Generator


def anything(packet: Packet) -> None:
    """Take any packet: a mirror's first word may look like an error."""


def _flip(frame: bytes, rng: Generator) -> bytes:
    """Turn one bit over."""
    raw = bytearray(frame)
    raw[rng.integers(len(raw))] ^= 1 << int(rng.integers(8))
    return bytes(raw)


def _drop(frame: bytes, rng: Generator) -> bytes:
    """Lose a byte."""
    at = int(rng.integers(len(frame)))
    return frame[:at] + frame[at + 1 :]


def _insert(frame: bytes, rng: Generator) -> bytes:
    """Add a byte."""
    at = int(rng.integers(len(frame) + 1))
    return frame[:at] + bytes([rng.integers(256)]) + frame[at:]


def _cut(frame: bytes, rng: Generator) -> bytes:
    """Lose all from some byte on."""
    return frame[: int(rng.integers(len(frame)))]


def _double(frame: bytes, rng: Generator) -> bytes:
    """Bring everything twice."""
    return frame + frame


def _burst(frame: bytes, rng: Generator) -> bytes:
    """Put noise in place of some bytes."""
    start, end = sorted(int(v) for v in rng.integers(len(frame) + 1, size=2))
    return frame[:start] + rng.bytes(end - start) + frame[end:]


FAULTS: dict[str, Callable[[bytes, Generator], bytes]] = {
    "flip": _flip,
    "drop": _drop,
    "insert": _insert,
    "cut": _cut,
    "double": _double,
    "burst": _burst,
}


class FaultyLine:
    """The wire to a virtual board, in the board's own time; a `boards.link.host.Line`.

    Parameters
    ----------
    model
        The board.
    rate
        Probability that a frame, of either direction, meets a fault.
    seed
        Of the faults.
    """

    def __init__(self, model: Model, *, rate: float, seed: int) -> None:
        self._model, self._rate = model, rate
        self._rng = np.random.default_rng(seed)
        self._to_send = b""
        self.frames = 0
        self.met = dict.fromkeys(FAULTS, 0)

    def write(self, data: bytes) -> None:
        """Send a frame."""
        self._to_send += self._damaged(data)

    def read(self, seconds: float) -> bytes:
        """Return the frame that comes next."""
        to_send, self._to_send = self._to_send, b""
        cycles = max(1, round(seconds * CLOCK))
        got = self._model.run(CLOCK / DIVISOR, to_send, cycles)
        return self._damaged(got) if got else got

    def clock(self) -> float:
        """Return the board's time, seconds."""
        return self._model.cycles / CLOCK

    def _damaged(self, frame: bytes) -> bytes:
        self.frames += 1
        if self._rng.random() >= self._rate:
            return frame
        name = list(FAULTS)[int(self._rng.integers(len(FAULTS)))]
        self.met[name] += 1
        return FAULTS[name](frame, self._rng)


@dataclass(frozen=True, kw_only=True, slots=True)
class Survived:
    """What a run over a faulty line came to.

    Parameters
    ----------
    frames
        That went over the line, both ways, before faults.
    faults
        That they met, by name.
    packets, answered, wrong
        Packets that were to be done; that were answered; whose answers were not right.
    efficiency
        Payload bits per bit of a line without faults, up and down one after the other.
    hangs
        Conversations that did not come to their end.
    resent, dropped, repeated
        Requests that the host sent again; frames that the board dropped, replies that it repeated.
    cycles, seconds
        Clock cycles that the board was on for, and the time that simulating them took.
    """

    frames: int
    faults: dict[str, int]
    packets: int
    answered: int
    wrong: int
    hangs: int
    resent: int
    dropped: int
    repeated: int
    cycles: int
    seconds: float
    efficiency: float

    @property
    def good(self) -> bool:
        """Whether all work was done, and rightly."""
        return self.wrong == self.hangs == 0 and self.answered == self.packets

    def as_dict(self) -> dict[str, Any]:
        """Return what ``bambino faults`` prints."""
        return {name: getattr(self, name) for name in self.__slots__} | {"good": self.good}


def mirror(report: Report = silent) -> Model:
    """Return a virtual board that holds a `boards.link.mirror.Mirror`, switched on."""
    description = Description(
        config=preset("tiny"), digest=0, clock=CLOCK, patience_bits=PATIENCE_BITS,
    )
    top = Top(Mirror(), divisor=DIVISOR, description=description)
    return Model(built(to_verilog(top, TOP), "the mirror", report), CLOCK)


def packets(rng: Generator, count: int) -> list[Packet]:
    """Return random packets, one in ten in pieces; zeros, which COBS is about, are frequent."""
    made = []
    for _ in range(count):
        size = int(min(rng.geometric(0.12), PIECE_WORDS))
        if rng.random() < 0.1:
            size = int(rng.integers(PIECE_WORDS, 3 * PIECE_WORDS))
        words = rng.integers(1 << 32, size=size, dtype=np.uint32)
        for mask in (0xFF, 0xFFFF00, 0xFFFFFFFF):
            words[rng.random(size) < 0.1] &= np.uint32(0xFFFFFFFF ^ mask)
        words[-1] = words[-1] & np.uint32(0xFFFFFFFF ^ MOST) | min(rng.geometric(0.1), MOST)
        made.append(words)
    return made


def survive(frames: int, *, rate: float, seed: int, report: Report = silent) -> Survived:
    """Converse over a faulty line until so many frames have gone over it.

    Parameters
    ----------
    frames
        Both ways, at least.
    rate
        Probability that one of them meets a fault.
    seed
        Of packets and faults: the same run, always.
    report
        Called with a line before and after a build.
    """
    if frames < 1:
        raise ValueError(f"frames must be at least 1, not {frames}")
    if not 0 <= rate <= HIGHEST_RATE:
        raise ValueError(f"rate must be from 0 to {HIGHEST_RATE}, not {rate}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, not {seed}")
    began = time.perf_counter()
    rng = np.random.default_rng(seed)
    asked = answered = wrong = hangs = 0
    dropped = repeated = 0
    patience = Patience(seconds=LONGEST_REPLY / CLOCK, tries=200, greetings=200)
    with mirror(report) as model:
        line = FaultyLine(model, rate=rate, seed=seed + 1)
        host = Host(line, patience, sequence=seed)
        while line.frames < frames:
            sent = packets(rng, BATCH)
            asked += len(sent)
            try:
                host.open()
                got = host.converse(sent, len(sent), SILENCE, check=anything)
                found = host.ask()
            except (LinkError, ReplyError):
                hangs += 1
                continue
            answered += len(got)
            wrong += sum(
                not np.array_equal(a, b) for a, b in zip(got, answers(sent), strict=True)
            )
            dropped, repeated = found.dropped, found.repeated
        return Survived(
            frames=line.frames, faults=line.met, packets=asked, answered=answered, wrong=wrong,
            hangs=hangs, resent=host.resent, dropped=dropped, repeated=repeated,
            cycles=model.cycles, seconds=round(time.perf_counter() - began, 1),
            efficiency=round(efficiency(model), 3),
        )


def efficiency(model: Model) -> float:
    """Return payload bits per bit of the line, both ways counted as time, of a long packet."""
    line = FaultyLine(model, rate=0, seed=0)
    host = Host(line, Patience(seconds=LONGEST_REPLY / CLOCK))
    host.open()
    packet = np.arange(1, 2 * PIECE_WORDS * BATCH, 2, dtype=np.uint32)  # at which no mirror rests
    packet[-1] = MOST + 1  # the answer is one word
    began = model.cycles
    host.converse([packet], 0, SILENCE, check=anything)
    return 32 * packet.size / ((model.cycles - began) / DIVISOR)
