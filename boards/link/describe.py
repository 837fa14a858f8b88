"""What a board says of itself: the same layout for gateware and host."""

import struct
from dataclasses import dataclass, fields
from typing import Any

from boards.link.protocol import MAGIC, PIECE_WORDS
from hw.accelerator import identity
from hw.cell_kinds import CELLS
from hw.config import Config

HEAD = struct.Struct("<IIQIHH")
"""Magic, identity, build digest, clock, words of a frame, exponent of the patience."""

COUNTERS = struct.Struct("<HH")
"""Frames dropped, replies sent again; modulo 2^16, since the board was switched on."""


FLAGS = ("single_port", "compact")
"""Fields that share a word, the first in its lowest bit."""


class DescriptionError(ValueError):
    """A description of no machine that this version generates."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """A board's answer to OPEN and ASK.

    Parameters
    ----------
    config
        Its machine.
    digest
        64 bits that tell this bitstream from another, see `boards.top.digest`.
    clock
        Of machine and link, Hz.
    patience_bits
        A request is answered after 2^so many cycles at the latest, but for its transmission.
    dropped
        Frames that it could not take, see `boards.link.protocol`.
    repeated
        Requests that came again after they had been done.
    """

    config: Config
    digest: int
    clock: int
    patience_bits: int
    dropped: int = 0
    repeated: int = 0

    def fixed(self) -> bytes:
        """Return the bytes that never change; the counters follow them, whole words in all."""
        head = HEAD.pack(
            MAGIC, identity(self.config), self.digest, self.clock, PIECE_WORDS, self.patience_bits,
        )
        return head + _capacities(self.config)


def parse(payload: bytes) -> Description:
    """Return what a board says of itself.

    Raises
    ------
    DescriptionError
        It speaks another version of the protocol, or holds a machine that this version of the
        generator does not make.
    """
    if len(payload) < HEAD.size + COUNTERS.size:
        raise DescriptionError(f"a description must be longer than {len(payload)} bytes")
    magic, known_as, digest, clock, words, patience_bits = HEAD.unpack_from(payload)
    if (magic, words) != (MAGIC, PIECE_WORDS):
        raise DescriptionError(
            f"the board must speak protocol {MAGIC:#010x} in {PIECE_WORDS} words, not"
            f" {magic:#010x} in {words}",
        )
    dropped, repeated = COUNTERS.unpack(payload[-COUNTERS.size :])
    config = _config(payload[HEAD.size : -COUNTERS.size])
    if config is None or identity(config) != known_as:
        raise DescriptionError(
            "the board must hold a machine that this version generates, not the unknown"
            f" {known_as:08x}",
        )
    return Description(
        config=config, digest=digest, clock=clock, patience_bits=patience_bits, dropped=dropped,
        repeated=repeated,
    )


def _capacities(config: Config) -> bytes:
    """Return the configuration field by field, two bytes each: numbers less 1, the cell's place."""
    values = [_number(getattr(config, name)) for name in _fields()]
    values.append(sum(getattr(config, name) << bit for bit, name in enumerate(FLAGS)))
    values += [0] * (len(values) % 2)
    return struct.pack(f"<{len(values)}H", *values)


def _fields() -> dict[str, Any]:
    """Return the fields that have a word each, and their types."""
    return {each.name: each.type for each in fields(Config) if each.name not in FLAGS}


def _number(value: object) -> int:
    if isinstance(value, str):
        return list(CELLS).index(value)
    assert isinstance(value, int)
    return value if isinstance(value, bool) else value - 1


def _config(raw: bytes) -> Config | None:
    """Return the configuration that `_capacities` wrote; None if it is none."""
    known = _fields()
    count = len(known) + 1
    if len(raw) != 2 * (count + count % 2):
        return None
    *each_value, flags = struct.unpack_from(f"<{count}H", raw)
    values: dict[str, Any] = {name: bool(flags >> bit & 1) for bit, name in enumerate(FLAGS)}
    kinds = list(CELLS)
    for (name, kind), value in zip(known.items(), each_value, strict=True):
        if kind is bool:
            values[name] = bool(value)
        elif kind is int:
            values[name] = value + 1
        elif value < len(kinds):
            values[name] = kinds[value]
        else:
            return None
    try:
        return Config(**values)
    except ValueError:
        return None
