"""Machines for boards with an ECP5, by the size of the chip.

Each is the one of fewest cycles that the block RAMs hold, after `hw.estimate` and
`boards.resources`, among tables of 16 to 64 lanes by 8 to 32 columns.
"""

from dataclasses import replace

from hw.config import Config
from hw.presets import PRESETS

LARGE = PRESETS["large"]
"""For an 85F."""

MIDDLE = replace(LARGE, strip=72, code_words=8192, map_words=3072, partial_sums=512)
"""For a 45F: 76 of its 108 block RAMs."""

SMALL: Config = replace(
    LARGE, columns=16, strip=12, code_words=4096, map_words=1024, weight_rows=3584,
    partial_sums=512,
)
"""For a 25F, and for the 12F, which is the same chip: 54 of its 56 block RAMs, and 1 for the link;
more columns would leave no room for the partial sums."""
