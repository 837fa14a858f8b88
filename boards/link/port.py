"""Serial ports, real ones and those of virtual boards."""

import errno
import os
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import serial

from boards import known
from boards.board import Board
from boards.link.host import LinkError, Patience
from sim.build import Report, silent

VIRTUAL = "sim:"
"""What a virtual board's port begins with; the board's name follows."""

LONGEST_FRAME = 256
"""Bytes, see `boards.link.protocol.PIECE_WORDS`."""

VIRTUAL_PATIENCE = Patience(seconds=3.0, tries=6, greetings=3)
"""A virtual board is slower than a real one, and nothing gets lost."""


def patience(baud: int) -> Patience:
    """Return how long to wait at `baud`: twice as long as the longest frames both ways, at least.

    Who asks again before an answer can be there fills the line with requests, more and more of
    them.
    """
    known = Patience()
    frames = 2 * 10 * LONGEST_FRAME / baud  # ten bits a byte
    return replace(known, seconds=max(known.seconds, 2 * frames))


class SerialLine:
    """A port that pyserial opened; a `boards.link.host.Line`."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port

    def write(self, data: bytes) -> None:
        """Send `data`."""
        try:
            self._port.write(data)
        except OSError as error:  # pyserial's own is one
            raise self._gone() from error

    def read(self, seconds: float) -> bytes:
        """Return what comes, at the latest after so many seconds."""
        try:
            self._port.timeout = seconds
            first: bytes = self._port.read(1)
            return first + self._port.read(self._port.in_waiting) if first else first
        except (OSError, termios.error) as error:
            raise self._gone() from error

    def clock(self) -> float:
        """Return the time, seconds."""
        return time.monotonic()

    def _gone(self) -> LinkError:
        return LinkError(f"port {self._port.port} must stay plugged in, not vanish")


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """An open port.

    Parameters
    ----------
    line
        To the board.
    patience
        That such a port deserves.
    baud
        Bits a second.
    board
        Which board must be there, if anybody knows.
    """

    line: SerialLine
    patience: Patience
    baud: int
    board: Board | None


@contextmanager
def opened(
    port: str, *, board: Board | None = None, baud: int | None = None, report: Report = silent,
) -> Iterator[Opened]:
    """Open `port`, for nobody else to open meanwhile, and release it in the end.

    Parameters
    ----------
    port
        A serial port, or ``"sim:"`` and the name of a board, which is then switched on behind a
        pseudo-terminal.
    board
        Which board must be there; `port` may say so itself.
    baud
        Bits a second; without it, the board's, or 1,000,000.
    report
        Called with a line before and after a build.

    Raises
    ------
    LinkError
        There is no such port, or another program has it.
    ValueError
        There is no such board.
    """
    if port.startswith(VIRTUAL):
        from boards.virtual.terminal import Terminal

        named = known.board(port.removeprefix(VIRTUAL))
        if board is not None and board != named:
            raise ValueError(f"port {port} must be that of board {board.name}")
        speed = baud or named.baud
        with Terminal(named, report) as terminal, _serial(terminal.path, speed) as it:
            yield Opened(line=SerialLine(it), patience=VIRTUAL_PATIENCE, baud=speed, board=named)
    else:
        speed = baud or (known.DEFAULT_BAUD if board is None else board.baud)
        with _serial(port, speed) as it:
            yield Opened(line=SerialLine(it), patience=patience(speed), baud=speed, board=board)


@contextmanager
def _serial(path: str, baud: int) -> Iterator[serial.Serial]:
    try:
        port = serial.Serial(path, baud, exclusive=True, write_timeout=10)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"baud must be a rate that {path} has, not {baud}") from error
    except OSError as error:
        raise LinkError(f"port {path} must be there, {_trouble(error)}") from error
    try:
        try:
            port.reset_input_buffer()
        except termios.error as error:
            raise LinkError(f"port {path} must stay plugged in, not vanish") from error
        yield port
    finally:
        port.close()


def _trouble(error: OSError) -> str:
    """Say what is the matter with a port, from pyserial's exception."""
    said = (os.strerror(error.errno) if error.errno else str(error)).lower()
    if error.errno in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in said:
        return "and free, not in use by another program"
    if error.errno == errno.EACCES:
        return "and open to you, not forbidden (are you in its group, often dialout?)"
    if error.errno == errno.ENOENT:
        return "not missing"
    return f"and be a serial port, not give: {said}"
