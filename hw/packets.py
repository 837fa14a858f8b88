"""The packets on the machine's two streams.

A packet is a header word and its payload; `last` marks its end on the stream. A command's header
holds the operation and the number of payload words, a reply's header its kind and a value.
"""

from enum import IntEnum

import numpy as np
from amaranth.lib import data, stream
from numpy.typing import NDArray

Packet = NDArray[np.uint32]
"""Words of one packet, outside the machine; `last` goes with the last one."""

WORD = data.StructLayout({"data": 32, "last": 1})
"""Payload of both streams."""

STREAM = stream.Signature(WORD)

HEADER = data.StructLayout({"value": 24, "kind": 8})

MAGIC = 0x42414D31
"""First word of the answer to HELLO ("BAM1")."""


class Command(IntEnum):
    """Operations of a command header; the comment names the payload."""

    HELLO = 1  # none
    PROGRAM = 2  # address, program words
    WEIGHTS = 3  # first row, then rows of one byte per column, four bytes a word
    START = 4  # program address, number of codes, size of the code ring
    CODES = 5  # four codes a word, frames filled up as `hw.plan.Stage.frame_words` says


class Reply(IntEnum):
    """Kinds of a reply header; the comment names value and payload."""

    OK = 0x80  # the command; HELLO: magic and identity
    ERROR = 0x81  # an `Error`
    MAP = 0x82  # number of the layer; words of the map memory, each split from its low end
    RESULT = 0x83  # 0; raw results, then the cycles since the first code


class Error(IntEnum):
    """Why a command was refused."""

    UNKNOWN = 1
    LENGTH = 2
    RANGE = 3
    BUSY = 4
    IDLE = 5


def header(kind: int, value: int) -> int:
    """Return a header word."""
    return kind << 24 | value
