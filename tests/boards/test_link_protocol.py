"""The host's side of the protocol: frames, descriptions, and what is no frame."""

from dataclasses import replace

import numpy as np
import pytest

from boards import icebreaker, known
from boards.board import Board, BoardError
from boards.link import describe, protocol
from boards.link.describe import Description, DescriptionError
from boards.link.host import pieces
from boards.link.protocol import PIECE_WORDS, FrameError, Kind, Status
from hw.config import Config
from hw.presets import PRESETS

DESCRIPTION = Description(
    config=PRESETS["small"], digest=0x0123456789ABCDEF, clock=12_000_000, patience_bits=14,
)
COUNTERS = describe.COUNTERS.pack(3, 65535)


def reply(kind, sequence, payload, status):
    """A reply as the gateware makes it up, the ending zero left off."""
    import zlib

    from cobs import cobs

    body = bytes([kind, sequence]) + payload + bytes([status, len(payload) // 4])
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))


def test_a_request_has_one_zero_and_fits_the_buffer():
    for words in (0, 1, PIECE_WORDS):
        frame = protocol.request(Kind.LAST, 0, bytes(4 * words))
        assert frame.count(0) == 1
        assert frame[-1] == 0
        assert len(frame) == 1 + 3 + 4 * words + 4 + 1


@pytest.mark.parametrize("size", [1, 3, 4 * PIECE_WORDS + 4])
def test_a_request_takes_whole_words_and_not_too_many(size):
    with pytest.raises(ValueError, match=f"at most {PIECE_WORDS} words, not {size} bytes"):
        protocol.request(Kind.WORDS, 0, bytes(size))


def test_a_reply_is_read():
    found = protocol.parse(reply(Kind.MACHINE, 255, b"\0\1\0\2", Status.LAST | Status.ROOM))
    assert found == protocol.Reply(
        kind=Kind.MACHINE, sequence=255, payload=b"\0\1\0\2", status=Status.LAST | Status.ROOM,
    )


def test_every_single_damage_is_seen():
    good = reply(Kind.MACHINE, 1, bytes(range(8)), 0)
    for at in range(len(good)):
        for damaged in (
            *(good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :] for bit in range(8)),
            good[:at] + good[at + 1 :],
            good[:at] + b"\7" + good[at:],
            good[:at],
        ):
            with pytest.raises(FrameError):
                protocol.parse(damaged)


@pytest.mark.parametrize("kind", [Kind.OPEN, 0, 0x83])
def test_a_reply_of_another_kind_is_none(kind):
    with pytest.raises(FrameError, match="known kind"):
        protocol.parse(reply(kind, 0, b"", 0))


@pytest.mark.parametrize("size", [1, 60, 61, 120, 121])
def test_a_packet_is_cut_into_pieces(size):
    packet = np.arange(size, dtype=np.uint32)
    cut = pieces(packet)
    assert b"".join(payload for _, payload in cut) == packet.tobytes()
    assert [kind for kind, _ in cut] == [Kind.WORDS] * (len(cut) - 1) + [Kind.LAST]
    assert len(cut) == -(-size // PIECE_WORDS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_description_comes_back(name):
    said = replace(DESCRIPTION, config=PRESETS[name])
    assert len(said.fixed() + COUNTERS) % 4 == 0
    assert len(said.fixed() + COUNTERS) <= 4 * PIECE_WORDS
    assert describe.parse(said.fixed() + COUNTERS) == replace(said, dropped=3, repeated=65535)


def test_extreme_configurations_are_described():
    config = Config(
        lanes=1, columns=1024, strip=1 << 15, map_words=1 << 16, weight_rows=1 << 16,
        code_words=1 << 16, partial_sums=1 << 16, program_words=1 << 16,
    )
    said = replace(DESCRIPTION, config=config)
    assert describe.parse(said.fixed() + COUNTERS).config == config


def test_another_protocol_or_machine_is_refused():
    good = DESCRIPTION.fixed() + COUNTERS
    for wrong, rule in (
        (good[:8], "longer than 8 bytes"),
        (b"BLK2" + good[4:], "must speak protocol"),
        (good[:4] + b"\0\0\0\0" + good[8:], "a machine that this version generates"),
        (good[: describe.HEAD.size] + b"\5" + good[describe.HEAD.size + 1 :], "generates"),
        (good + b"\0\0\0\0", "generates"),
        (good[:-10] + b"\xff\xff" + good[-8:], "generates"),
        (good[:-6] + b"\1\0" + good[-4:], "generates"),  # not compact
    ):
        with pytest.raises(DescriptionError, match=rule):
            describe.parse(wrong)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"clock": 0}, "clock must be a number above 0, not 0"),
        ({"baud": True}, "baud must be a number above 0, not True"),
        ({"baud": 4_000_000}, "clock must be at least 4 times baud"),
        ({"baud": 1_600_000}, "baud must be within 2%"),
        ({"family": "gowin"}, "family must be ice40 or ecp5, not 'gowin'"),
    ],
)
def test_a_board_that_cannot_be_is_refused(changes, rule):
    with pytest.raises(BoardError, match=rule):
        replace(icebreaker.BOARD, **changes)


def test_boards_are_known_by_their_names():
    assert known.board("icebreaker") is icebreaker.BOARD
    assert isinstance(known.BOARDS["icebreaker"], Board)
    with pytest.raises(BoardError, match="board must be one of .*icebreaker.*, not 'none'"):
        known.board("none")
