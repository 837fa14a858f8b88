"""The OrangeCrab r0.2, with either chip: 48 MHz; its USB has no UART, so that one is apart."""

from boards.board import Board
from boards.ecp5 import LARGE, SMALL
from hw.config import Config


def _board(size: str, clock: int, config: Config) -> Board:
    return Board(
        name=f"orangecrab-{size.lower()}",
        title=f"OrangeCrab r0.2 (ECP5-{size})",
        family="ecp5",
        clock=clock,
        baud=1_000_000,
        config=config,
        oscillator=48_000_000,
        platform=f"orangecrab_r0_2:OrangeCrabR0_2_{size}Platform",
        wires=("io", 0, "0", "1"),
        loader=("-b", "orangeCrab"),
        note="a USB UART sends to pin 0 and listens to pin 1",
    )


BOARDS = (_board("25F", 80_000_000, SMALL), _board("85F", 96_000_000, LARGE))
