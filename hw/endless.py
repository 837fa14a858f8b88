"""Endless audio as a machine takes it: the packets of one period after the other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from golden.monitor import Endless, check, endless
from golden.network import Network
from hw.clock import Clock
from hw.config import Config
from hw.fit import FitError
from hw.lower import Lowered, lower_plan, packet, turned
from hw.packets import Command, Packet
from hw.period import Period, period
from hw.replies import decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """Packets to send, and what answers them.

    Parameters
    ----------
    packets
        Each is answered OK.
    replies
        Packets that answer, the OK counted.
    ends
        Whether the last of them is a raw result.
    score
        Whether that result is a score; those of the first periods are not.
    """

    packets: tuple[Packet, ...]
    replies: int
    ends: bool
    score: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class EndlessEstimate:
    """What endless audio takes on a machine.

    Parameters
    ----------
    latency
        Cycles from the first code of a score's last frame to its last raw word, the machine waiting
        for that frame: see `hw.clock.Clock.last_frame`.
    cycles
        From score to score: from the first code of a period to its last raw word, if all its codes
        are there.
    seconds
        Of audio from score to score; None if the network is not told in seconds.
    why
        What does not fit, or nothing; then the cycles are 0.
    """

    latency: int
    cycles: int
    seconds: float | None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class LoweredEndless:
    """A network that hears without end, as a machine takes it.

    Parameters
    ----------
    period
        The plan behind it.
    lowered
        The program of period 0, and the weights.
    """

    period: Period
    lowered: Lowered

    @cached_property
    def cycles(self) -> int:
        """Cycles of a period, from its first code to its raw result, if the codes never stall."""
        return Clock(self.period.schedule).play()[0]

    @cached_property
    def latency(self) -> int:
        """Cycles from the last frame to the raw result, see `hw.clock.Clock.last_frame`."""
        return Clock(self.period.schedule).last_frame()

    def load_packets(self) -> list[Packet]:
        """Packets that make the network resident. Each is answered OK."""
        return self.lowered.load_packets()

    def exchanges(self, codes: Iterable[NDArray[np.uint8]]) -> Iterator[Exchange]:
        """Cut a stream into exchanges: what has come is sent at once.

        Parameters
        ----------
        codes
            uint8 ``[channel, band, frame]``, in pieces of any number of frames.
        """
        plan, it = self.period, self.period.endless
        channels, bands, _ = it.network.input_shape
        frames, again = plan.schedule.frames, max(0, plan.history)
        held = np.zeros((channels, bands, plan.lead), np.uint8)
        tail = held[:, :, :0]  # what the next period wants again
        number, sent, skip, rest = 0, 0, 0, b""
        for piece in codes:
            check(it, piece)
            held = np.concatenate([held, piece], 2)
            while held.shape[2] > skip:
                packets = [] if sent else self._start(number)
                new = held[:, :, skip : skip + frames - sent]
                held, skip = held[:, :, skip + new.shape[2] :], 0
                sent += new.shape[2]
                ends = sent == frames
                data = rest + self._bytes(new)
                rest = b"" if ends else data[len(data) // 4 * 4 :]
                data = data[: len(data) - len(rest)]
                if data:
                    words = np.frombuffer(data + bytes(-len(data) % 4), "<u4")
                    packets.append(packet(Command.CODES, [], words))
                if packets:
                    yield Exchange(
                        packets=tuple(packets),
                        replies=len(packets) + ends,
                        ends=ends,
                        score=ends and number >= plan.warm_up,
                    )
                tail = np.concatenate([tail, new], 2)
                tail = tail[:, :, max(0, tail.shape[2] - again) :]
                if ends:
                    held = np.concatenate([tail, held], 2)
                    number, sent, skip, tail = number + 1, 0, max(0, -plan.history), tail[:, :, :0]

    def raw(self, replies: Iterable[Packet]) -> NDArray[np.int32]:
        """Return the raw result among the replies of an exchange that ends a period."""
        return decode(self.period.schedule, replies, maps=False).raw

    def _start(self, number: int) -> list[Packet]:
        """Packets that begin a period: its program, where it is another one, and START."""
        ring = self.period.schedule.rings[0]
        total = self.period.schedule.frames * ring.frame_words
        start = packet(Command.START, [], np.array([0, total, ring.size], np.uint32))
        turn = self.period.turn(number)
        if turn == self.period.turn(max(0, number - 1)):
            return [start]
        return [packet(Command.PROGRAM, [0], turned(self.lowered, turn)), start]

    def _bytes(self, codes: NDArray[np.uint8]) -> bytes:
        """Return frames in the order of the stream, filled up as the code memory wants them."""
        count = codes.shape[2]
        order = np.zeros((count, self.period.schedule.rings[0].frame_words), np.uint8)
        order[:, : codes.shape[0] * codes.shape[1]] = codes.transpose(2, 1, 0).reshape(count, -1)
        return order.tobytes()


def lower_endless(it: Endless, config: Config) -> LoweredEndless:
    """Lower `it`, a network that hears without end, to a machine.

    Raises
    ------
    FitError
        The network does not fit: which layer, which memory, by how much.
    """
    plan = period(it, config)
    return LoweredEndless(period=plan, lowered=lower_plan(plan.schedule))


def estimate(network: Network, config: Config) -> EndlessEstimate | None:
    """Predict endless audio, exactly, from shapes alone; None if `network` is not made for it."""
    if all(layer.pool != "global" for layer in network.layers):
        return None
    it, hearing = endless(network), network.front_end
    seconds = None if hearing is None else it.hop * hearing.hop / hearing.sample_rate
    try:
        lowered = lower_endless(it, config)
    except FitError as error:
        return EndlessEstimate(latency=0, cycles=0, seconds=seconds, why=str(error))
    return EndlessEstimate(latency=lowered.latency, cycles=lowered.cycles, seconds=seconds)
