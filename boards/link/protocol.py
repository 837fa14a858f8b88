"""The link's frames: what goes over the wire, and how both ends keep in step.

**Wire**: UART, 8 data bits, no parity, one stop bit (8N1), least significant bit first. A frame is
COBS-encoded (Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1997), so that it holds no
byte 0, and ends in a byte 0. Whatever happened before, the next byte 0 brings the receiver in
step; empty frames mean nothing. Numbers of several bytes go lowest byte first.

============ ==== === ====== ============= ====== ====== ======
request      kind seq length payload                     CRC32
bytes        1    1   1      4 x length                  4
reply        kind seq        payload       status length CRC32
bytes        1    1          4 x length    1      1      4
============ ==== === ====== ============= ====== ====== ======

`length` counts 32-bit words, at most `PIECE_WORDS`. The CRC is that of Ethernet, `zlib.crc32`, over
all that precedes it. A frame that is cut, too long, of a wrong length or checksum, or out of turn
is dropped and counted: it has no other effect. So is one that comes while the board makes up a
reply. A board never speaks unasked.

**Requests** (`Kind`): OPEN resets the machine and begins a session with any sequence number; ASK
wants the description; WORDS brings words of a machine's packet (`hw.packets`), LAST those that end
one; both bring back words that the machine has sent. WORDS without any is a poll. Each but OPEN has
the number after the one before, modulo 256.

**Once and only once**: the host sends a request until its reply is there, and only then the next
one (stop and wait). The board does a request when its number is the next one; when it is the last
one again it sends the same reply again, which it has kept; any other number it drops. So a request
may be lost or doubled and so may its reply: its words reach the machine once. OPEN may come as
often as it likes: nothing has been done since.

**Flow**: the board takes a request's words only if it has passed on all of the one before, else it
says REFUSED and the host sends them again in another request. It answers when the machine has
taken the words, or has sent a packet to its end or `PIECE_WORDS` words, or after a while
(`patience`), and says in ROOM whether all words have been taken. As each reply takes along what
the machine has sent, a machine that cannot go on before its words are taken never blocks the line.

**Cost**: a full request (249 bytes and a zero) and its reply (9 and a zero) take 2,600 bits, and
carry 1,920 of payload: 74 %, of the 80 % that start and stop bits leave. At 12 cycles a bit another
24 bits go by before the reply begins: 73 % are left, 91 kB a second at 1 Mbaud. A window of several
frames would save the reply's share, 4 %, on the line; what a USB bridge adds to each exchange it
could hide, for a second buffer.
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from cobs import cobs

MAGIC = 0x314B4C42
"""First word of a description: "BLK1", the 1 is the protocol's version."""

PIECE_WORDS = 60
"""Most words of one frame: it fits 256 bytes with its encoding, and COBS needs one code byte."""

HEAD, TAIL, CRC_BYTES = 2, 2, 4
"""Bytes of a reply before and behind its payload; of the checksum."""

SEQUENCE = 256
"""Sequence numbers count modulo this."""


class Kind(IntEnum):
    """What a request wants, and what a reply holds; requests fit three bits."""

    OPEN = 1
    ASK = 2
    WORDS = 3
    LAST = 4
    DESCRIPTION = 0x81
    MACHINE = 0x82


class Status(IntFlag):
    """What a reply says besides its words."""

    LAST = 1
    """Its last word ends a packet."""
    ROOM = 2
    """The machine has taken all words."""
    REFUSED = 4
    """The request's words were not taken; they shall come again, in another request."""


class FrameError(ValueError):
    """Bytes that are no reply."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A reply as it arrived.

    Parameters
    ----------
    kind
        What it holds.
    sequence
        The number of its request.
    payload
        Bytes, whole words.
    status
        What else it says.
    """

    kind: Kind
    sequence: int
    payload: bytes
    status: Status


def request(kind: Kind, sequence: int, payload: bytes = b"") -> bytes:
    """Return the bytes of a request, the ending zero included.

    Parameters
    ----------
    kind
        What it wants.
    sequence
        Its number, 0 to 255.
    payload
        Whole words, at most `PIECE_WORDS`.
    """
    words, rest = divmod(len(payload), 4)
    if rest or words > PIECE_WORDS:
        raise ValueError(f"payload must be at most {PIECE_WORDS} words, not {len(payload)} bytes")
    plain = bytes([kind, sequence, words]) + payload
    return bytes(cobs.encode(plain + zlib.crc32(plain).to_bytes(CRC_BYTES, "little"))) + b"\0"


def parse(frame: bytes) -> Reply:
    """Return what the bytes between two zeros say.

    Raises
    ------
    FrameError
        They are no reply: cut, damaged or of another protocol.
    """
    try:
        plain = bytes(cobs.decode(frame))
    except cobs.DecodeError as error:
        raise FrameError("a frame must be COBS") from error
    body, check = plain[:-CRC_BYTES], plain[-CRC_BYTES:]
    if len(body) < HEAD + TAIL or zlib.crc32(body).to_bytes(CRC_BYTES, "little") != check:
        raise FrameError("a frame must have the checksum of its bytes")
    payload, (status, words) = body[HEAD:-TAIL], body[-TAIL:]
    if len(payload) != 4 * words or body[0] not in (Kind.DESCRIPTION, Kind.MACHINE):
        raise FrameError("a frame must have the length that it states, and a known kind")
    return Reply(
        kind=Kind(body[0]), sequence=body[1], payload=payload, status=Status(status),
    )
