"""The window former: words and codes on the lanes, with what is outside at zero."""

import numpy as np
import pytest

from hw.config import Config
from hw.window import Window

MACHINES = [
    Config(lanes=4, columns=1, groups=1),
    Config(lanes=6, columns=2, groups=3),
    Config(lanes=10, columns=3, groups=5),
    Config(lanes=16, columns=4, groups=8),
    Config(lanes=7, columns=3, groups=7),
    Config(lanes=8, columns=3, groups=2, cell="table"),
    Config(lanes=3, columns=2, cell="mac"),
    Config(lanes=12, columns=2, acc_bits=24, cell="mac"),
    Config(lanes=10, columns=1, groups=2, code_frames=2),
    Config(lanes=28, columns=1, groups=4, code_frames=3, code_words=64),
    Config(lanes=32, columns=2, acc_bits=32, code_frames=3, cell="mac"),
    Config(lanes=8, columns=2, acc_bits=24, code_frames=4, cell="mac"),
    Config(lanes=8, columns=4, groups=2, compact=True),
    Config(lanes=10, columns=3, groups=2, code_frames=3, code_words=64, compact=True),
]


def name(config):
    return f"{'compact-' * config.compact}{config.cell}-{config.lanes}/{config.groups}"


@pytest.fixture(params=MACHINES, ids=lambda c: f"{name(c)}-{c.code_frames}")
def config(request):
    return request.param


def test_a_word_stands_on_the_lanes_or_zeros_outside(play, config):
    rng = np.random.default_rng(1)
    rows = [
        {
            "read": int(rng.random() < 0.7),
            "inside": int(rng.integers(2**config.code_frames)),
            "word": int.from_bytes(rng.bytes(64), "little") % 2**config.word_bits,
            "code.0": 255,
        }
        for _ in range(60)
    ]
    window = Window(config)
    seen = play(window, rows, ["acts"])
    acts = 0
    for row, now in zip(rows, seen[window.latency :], strict=False):
        if row["read"]:
            acts = row["word"] if row["inside"] & 1 else 0
        assert now["acts"] == acts


@pytest.mark.parametrize("in_turn", [0, 1], ids=["one-frame", "two-frames"])
def test_codes_stand_tap_by_tap_and_plane_by_plane(play, config, in_turn):
    """Group by group, in it frame by frame; a frame's code stands in its own bank."""
    rng = np.random.default_rng(2)
    plane = int(rng.integers(0, 8)) if config.act_bits == 1 else 0
    rows = [
        {
            "read": int(rng.random() < 0.8),
            "inside": int(rng.integers(2**config.code_frames)) | int(rng.integers(2)),
            "codes": 1,
            "in_turn": in_turn,
            "plane": plane,
            "bank": int(rng.integers(config.code_banks)),
            **{f"code.{b}": int(rng.integers(256)) for b in range(config.code_banks)},
            "word": 2**config.word_bits - 1,
        }
        for _ in range(80)
    ]
    window = Window(config)
    seen = play(window, rows, ["acts"])
    taps = []  # planes of every read, frame by frame, the latest first
    slots = config.code_taps
    assert 1 <= slots <= 8
    for row, now in zip(rows, seen[window.latency :], strict=False):
        if not row["read"]:
            continue
        codes = [row[f"code.{(row['bank'] + j) % config.code_banks}"]
                 for j in range(config.code_frames)]
        taps.insert(0, [code >> plane if row["inside"] >> j & 1 else 0
                        for j, code in enumerate(codes)])
        apart = 2 if in_turn else 1
        for g in range(config.groups):
            for place in range(config.group_lanes):
                j, k = divmod(place, slots)
                there = k * apart < len(taps) and j < config.code_frames
                code = taps[k * apart][j] if there else 0
                lane = g * config.group_lanes + place
                act = now["acts"] >> lane * config.act_bits & 2**config.act_bits - 1
                assert act == code >> config.groups - 1 - g & 2**config.act_bits - 1


def test_nothing_moves_without_a_read(play):
    config = MACHINES[1]
    assert (config.lanes, config.groups) == (6, 3)
    read = {"read": 1, "inside": 1, "codes": 1, "code.0": 7}
    idle = {"codes": 1, "inside": 1, "code.0": 255}
    rows = [read, idle, idle, {**read, "code.0": 0}, idle, {}]
    seen = play(Window(config), rows, ["acts"])
    assert [row["acts"] for row in seen] == [0, 0, *[0b010101] * 3, 0b101010]
