"""Machines that the options choose read several frames at once where their lanes allow it."""

from dataclasses import replace

import pytest

from boards import choice
from boards.side_by_side import side_by_side
from hw.config import Config
from hw.presets import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_stays_as_it_is(name):
    assert choice.config(name) == PRESETS[name]
    assert PRESETS[name].code_frames == 1


@pytest.mark.parametrize(
    ("name", "lanes", "cell", "frames", "words"),
    [
        ("medium", None, "mac", 3, 16384),
        ("small", 16, "mac", 3, 2048),
        ("tiny", None, "mac", 1, 2048),  # eight lanes
        ("medium", 128, None, 3, 16384),
        ("medium", 64, None, 1, 16384),
    ],
)
def test_three_frames_are_read_where_nine_taps_have_a_lane_each(name, lanes, cell, frames, words):
    config = choice.config(name, lanes=lanes, cell=cell)
    assert (config.code_frames, config.code_words) == (frames, words)
    assert config.code_words <= PRESETS[name].code_words


def test_only_the_code_memory_changes():
    config = Config(lanes=9, columns=2, acc_bits=24, cell="mac", code_words=100)
    assert side_by_side(config) == replace(config, code_frames=3, code_words=64)
