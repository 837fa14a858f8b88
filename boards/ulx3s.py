"""The ULX3S, with any of its four chips: 25 MHz, and a UART behind its USB bridge."""

from boards.board import Board
from boards.ecp5 import LARGE, MIDDLE, SMALL
from hw.config import Config


def _board(size: str, clock: int, config: Config) -> Board:
    return Board(
        name=f"ulx3s-{size.lower()}",
        title=f"ULX3S (ECP5-{size})",
        family="ecp5",
        clock=clock,
        baud=1_000_000,
        config=config,
        oscillator=25_000_000,
        platform=f"ulx3s:ULX3S_{size}_Platform",
        loader=("-b", "ulx3s"),
    )


BOARDS = (
    _board("85F", 100_000_000, LARGE),
    _board("45F", 75_000_000, MIDDLE),
    _board("25F", 75_000_000, SMALL),
    _board("12F", 75_000_000, SMALL),
)
