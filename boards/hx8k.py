"""The iCE40-HX8K evaluation board.

Its 32 block RAMs hold 128 kbit in all, and there is no other memory on the chip: the weights of the
shipped network alone take 366 kbit. So it carries the untrained network of the preset `tiny`.
"""

from dataclasses import replace

from boards.board import Board
from hw.presets import PRESETS

BOARD = Board(
    name="hx8k",
    title="iCE40-HX8K evaluation board",
    family="ice40",
    clock=12_000_000,
    baud=1_000_000,
    config=replace(
        PRESETS["tiny"], cell="folded", pool_codes=False, code_words=512, map_words=256,
        weight_rows=640, partial_sums=64, program_words=256,
    ),
    oscillator=12_000_000,
    platform="ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    network="tiny",
    loader=("-b", "ice40_generic", "-f"),
)
