"""The engine `board`: a machine behind a port, behind the same `predict` as the others."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from boards import known
from boards.board import Board
from boards.link.describe import Description
from boards.link.host import Host, LinkError
from boards.link.port import VIRTUAL, opened
from boards.top import digest
from golden.monitor import Endless, Raw
from golden.network import Network
from golden.trace import Trace
from hw.config import Config
from hw.endless import lower_endless
from hw.estimate import estimate
from hw.lower import Lowered, lower
from sim.build import Report, silent

Codes = NDArray[np.uint8]

SILENCE = 4
"""How many times longer than a whole clip takes the machine may be silent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Which board a user means.

    Parameters
    ----------
    port
        A serial port, or ``"sim:"`` and a board's name.
    board
        Which board must be there, with this version's bitstream; None takes any.
    baud
        Bits a second, where they are not the board's.
    config
        Which machine must be there; None takes any.
    """

    port: str
    board: Board | None = None
    baud: int | None = None
    config: Config | None = None


class BoardEngine:
    """Predicts on a board.

    Parameters
    ----------
    host
        In session with it.
    description
        What it said of itself.
    """

    def __init__(self, host: Host, description: Description) -> None:
        self._host = host
        self.description = description
        self.config = description.config

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""
        return "board"

    def predict(self, network: Network, codes: Codes) -> Trace:
        """Evaluate `network` on `codes`, uint8 ``[channel, band, frame]``, with all its maps."""
        return self.predict_many(network, [codes])[0]

    def predict_many(
        self, network: Network, codes: Sequence[Codes], *, maps: bool = True,
    ) -> list[Trace]:
        """Evaluate `network` on each of `codes`, loaded once, clip after clip.

        `Trace.cycles` is what the machine counts: it waits for the line.

        Raises
        ------
        FitError
            The network does not fit; nothing has been loaded then.
        LinkError
            The board does not answer any more.
        ReplyError
            The machine does not do what it should.
        """
        return self.predict_lowered([(lower(network, self.config, maps=maps), codes)])[0]

    def predict_lowered(
        self, work: Sequence[tuple[Lowered, Sequence[Codes]]],
    ) -> list[list[Trace]]:
        """Do so with several networks, one loaded after the other, lowered already."""
        found = []
        for lowered, clips in work:
            packets = lowered.load_packets()
            silence = SILENCE * estimate(lowered.schedule.network, self.config).cycles
            self._host.converse(packets, len(packets), silence)
            found.append([self._clip(lowered, codes, silence) for codes in clips])
        return found

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result, see `golden.monitor.Follower`; raises likewise."""
        lowered = lower_endless(endless, self.config)
        packets, silence = lowered.load_packets(), SILENCE * lowered.cycles
        self._host.converse(packets, len(packets), silence)
        for exchange in lowered.exchanges(codes):
            replies = self._host.converse(exchange.packets, exchange.replies, silence)
            if exchange.score:
                yield lowered.raw(replies)

    def counters(self) -> Description:
        """Ask the board once more what it says of itself: frames that were lost until now."""
        return self._host.ask()

    def _clip(self, lowered: Lowered, codes: Codes, silence: int) -> Trace:
        packets = lowered.clip_packets(codes)
        answer = lowered.decode(self._host.converse(packets, lowered.reply_count(), silence))
        return Trace(outputs=answer.outputs, raw=answer.raw, cycles=answer.cycles)


class BoardFollower:
    """Follows a stream on a board; an engine of `golden.monitor`.

    Parameters
    ----------
    target
        Which board.
    report
        Called with a line before and after a build.
    """

    name = "board"

    def __init__(self, target: Target, report: Report = silent) -> None:
        self._target, self._report = target, report

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result; the port is released in the end, as by `connected`."""
        with connected(self._target, self._report) as engine:
            yield from engine.follow(endless, codes)


def predict_at(
    target: Target, network: Network, codes: Sequence[Codes], *, report: Report = silent,
) -> list[Trace]:
    """Evaluate `network` on each of `codes` on a board, without maps; as `connected`."""
    with connected(target, report) as engine:
        return engine.predict_many(network, codes, maps=False)


@contextmanager
def connected(target: Target, report: Report = silent) -> Iterator[BoardEngine]:
    """Open a port, make sure that the right board is there, and release the port in the end.

    Raises
    ------
    LinkError
        Nobody is there, or somebody else.
    """
    if target.port.startswith(VIRTUAL) and target.config is not None:
        _expect(target.config, known.board(target.port.removeprefix(VIRTUAL)).config)
    with opened(
        target.port, board=target.board, baud=target.baud, report=report,
    ) as port:
        host = Host(port.line, port.patience)
        try:
            description = host.open()
            _check(description, target, port.board)
            yield BoardEngine(host, description)
        except LinkError as error:
            raise LinkError(f"{target.port} at {port.baud} baud: {error}") from error


def _check(found: Description, target: Target, board: Board | None) -> None:
    """Refuse a board that is not the one that is meant."""
    wanted = target.config if board is None else board.config
    for expected in (wanted, target.config):
        if expected is not None:
            _expect(expected, found.config)
    if board is not None and found.digest != digest(board):
        raise LinkError(
            f"the bitstream must be this version's of board {board.name}, {digest(board):016x}, not"
            f" {found.digest:016x}",
        )


def _expect(wanted: Config, found: Config) -> None:
    """Refuse another machine."""
    if found != wanted:
        raise LinkError(f"the machine must be {_shape(wanted)}, not {_shape(found)}")


def _shape(config: Config) -> str:
    """Say which machine it is."""
    from hw.accelerator import identity

    return (
        f"{identity(config):08x} ({config.lanes} lanes x {config.columns} columns of"
        f" {config.cell} cells)"
    )
