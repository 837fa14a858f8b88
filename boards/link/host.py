"""The host's end of the link: requests until the reply is there, packets in pieces."""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from boards.link import describe, protocol
from boards.link.describe import Description, DescriptionError
from boards.link.protocol import PIECE_WORDS, SEQUENCE, FrameError, Kind, Status
from hw.packets import Error, Packet
from hw.packets import Reply as Packets
from hw.replies import ReplyError

LONGEST = 4096
"""Bytes without a zero after which what came is thrown away: no frame is so long."""


class LinkError(OSError):
    """Nobody answers on a line, or somebody else, or nobody any more."""


class Line(Protocol):
    """Bytes both ways, which may be lost or damaged."""

    def write(self, data: bytes) -> None:
        """Send `data`; a line that is gone raises `OSError`."""

    def read(self, seconds: float) -> bytes:
        """Return what comes, at the latest after so many seconds; nothing if nothing came."""

    def clock(self) -> float:
        """Return the line's time, seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a host waits.

    Parameters
    ----------
    seconds
        For a reply, until it sends the request again.
    tries
        Times that it sends a request.
    greetings
        Times that it sends the first one.
    """

    seconds: float = 0.25
    tries: int = 12
    greetings: int = 6


def pieces(packet: Packet) -> list[tuple[Kind, bytes]]:
    """Cut a packet into requests."""
    edges = [*range(0, len(packet), PIECE_WORDS), len(packet)]
    data = packet.astype("<u4").tobytes()
    cut = [data[4 * start : 4 * end] for start, end in pairwise(edges)]
    return [(Kind.WORDS, each) for each in cut[:-1]] + [(Kind.LAST, cut[-1])]


def refuse_errors(packet: Packet) -> None:
    """Refuse a reply packet by which the machine refused a command."""
    kind, value = int(packet[0]) >> 24, int(packet[0]) & 0xFFFFFF
    if kind == Packets.ERROR:
        known = Error(value).name if value in list(Error) else str(value)
        raise ReplyError(f"the machine must take every command, not answer {known}")


class Host:
    """A session with one board.

    Parameters
    ----------
    line
        To the board.
    patience
        How long to wait.
    sequence
        Number before that of the first request; without it a random one, so that no reply to an
        earlier session is taken for one of this.
    """

    def __init__(
        self, line: Line, patience: Patience | None = None, *, sequence: int | None = None,
    ) -> None:
        self._line = line
        self._patience = Patience() if patience is None else patience
        self._sequence = secrets.randbelow(SEQUENCE) if sequence is None else sequence
        self._received = b""
        self._cycles = 1  # that the board waits before it answers, once it has said so
        self.resent = 0
        self.refused = 0

    def open(self) -> Description:
        """Begin a session: the machine is reset, what it was loaded with is lost.

        Raises
        ------
        LinkError
            Nobody answers, or not in frames, or a board that this version does not know.
        """
        reply = self._exchange(Kind.OPEN, b"", self._patience.greetings)
        return self._described(reply)

    def ask(self) -> Description:
        """Return what the board says of itself, its counters as they are now."""
        return self._described(self._exchange(Kind.ASK, b"", self._patience.tries))

    def converse(
        self,
        packets: Sequence[Packet],
        replies: int,
        silence: int,
        *,
        check: Callable[[Packet], None] = refuse_errors,
    ) -> list[Packet]:
        """Send `packets`; return so many packets of the machine, as they came.

        Parameters
        ----------
        packets
            Commands, see `hw.packets`.
        replies
            Packets to wait for.
        silence
            Clock cycles that the machine may take between two signs of life.
        check
            Called with each packet; what it raises ends the conversation.

        Raises
        ------
        LinkError
            The board does not answer any more.
        ReplyError
            The machine refused a command, or is silent.
        """
        to_send = deque(piece for packet in packets for piece in pieces(packet))
        found: list[Packet] = []
        part, room, quiet = b"", True, 0
        while to_send or len(found) < replies:
            kind, payload = to_send[0] if to_send and room else (Kind.WORDS, b"")
            reply = self._exchange(kind, payload, self._patience.tries)
            if reply.kind != Kind.MACHINE:
                raise ReplyError("the board must answer words with words")
            room = bool(reply.status & Status.ROOM)
            taken = bool(payload) and not reply.status & Status.REFUSED
            self.refused += bool(reply.status & Status.REFUSED)
            if taken:
                to_send.popleft()
            quiet = 0 if taken or reply.payload else quiet + self._cycles
            if quiet > silence:
                raise ReplyError(f"the machine must answer within {silence} cycles")
            part += reply.payload
            if reply.status & Status.LAST:
                found.append(np.frombuffer(part, "<u4").astype(np.uint32))
                part = b""
                check(found[-1])
        return found

    def _described(self, reply: protocol.Reply) -> Description:
        try:
            if reply.kind != Kind.DESCRIPTION:
                raise DescriptionError("the board must describe itself when it is asked to")
            found = describe.parse(reply.payload)
        except DescriptionError as error:
            raise LinkError(str(error)) from error
        self._cycles = 1 << found.patience_bits
        return found

    def _exchange(self, kind: Kind, payload: bytes, tries: int) -> protocol.Reply:
        """Send a request until its reply is there."""
        self._sequence = (self._sequence + 1) % SEQUENCE
        frame = protocol.request(kind, self._sequence, payload)
        heard = 0
        for attempt in range(tries):
            # A zero ends whatever the board took for the beginning of a frame.
            self._line.write(b"\0" + frame if attempt or kind == Kind.OPEN else frame)
            self.resent += attempt > 0
            until = self._line.clock() + self._patience.seconds
            while (left := until - self._line.clock()) > 0:
                got = self._line.read(left)
                heard += len(got)
                for found in self._frames(got):
                    wanted = (Kind.DESCRIPTION,) if kind == Kind.OPEN else tuple(Kind)
                    if found.sequence == self._sequence and found.kind in wanted:
                        return found
        if heard and kind == Kind.OPEN:
            raise LinkError(
                f"what answers must speak the link's protocol, not {heard} bytes of something else:"
                " another baud rate, or another design?",
            )
        if kind == Kind.OPEN:
            raise LinkError("a board must answer, not nobody")
        raise LinkError("the board must go on answering, not fall silent")

    def _frames(self, got: bytes) -> list[protocol.Reply]:
        """Return the replies that end in `got`; what is no reply is passed over."""
        *whole, self._received = (self._received + got).split(b"\0")
        if len(self._received) > LONGEST:
            self._received = b""
        found = []
        for frame in whole:
            try:
                found.append(protocol.parse(frame))
            except FrameError:
                continue
        return found
