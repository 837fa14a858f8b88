"""Which machines hold all taps of the shipped network's first kernel side by side."""

from dataclasses import replace

from hw.config import CODE_RINGS, Config

FRAMES, TAPS = 3, 9
"""The first kernel's frames, and its taps in all."""


def side_by_side(machine: Config) -> Config:
    """Let `machine` read as many frames of codes at once as that kernel has, if it has the lanes.

    Its code memory becomes a power of two, not larger than it was.
    """
    if machine.group_lanes < TAPS:
        return machine
    room = max(words for words in CODE_RINGS if words <= machine.code_words)
    return replace(machine, code_frames=FRAMES, code_words=room)
