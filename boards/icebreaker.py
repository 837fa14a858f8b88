"""The iCEBreaker: an iCE40 UP5K, whose USB bridge runs from the same 12 MHz as the chip."""

from boards.board import Board
from hw.presets import PRESETS

BOARD = Board(
    name="icebreaker",
    title="iCEBreaker (iCE40 UP5K)",
    family="ice40",
    clock=12_000_000,
    baud=1_000_000,
    config=PRESETS["small"],
    oscillator=12_000_000,
    platform="icebreaker:ICEBreakerPlatform",
    loader=("-b", "ice40_generic", "-f"),
    measured=(3974, 1736),
)
