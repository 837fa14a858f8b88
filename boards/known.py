"""The boards that there are, by name."""

from boards import colorlight, hx8k, icebreaker, orangecrab, ulx3s, upduino
from boards.board import Board, BoardError

DEFAULT_BAUD = 1_000_000
"""Of a port at which nobody knows the board."""

BOARDS: dict[str, Board] = {
    each.name: each
    for each in (
        *ulx3s.BOARDS, *orangecrab.BOARDS, colorlight.BOARD, icebreaker.BOARD, upduino.BOARD,
        hx8k.BOARD,
    )
}


def board(name: str) -> Board:
    """Return the board `name`; a `BoardError` names the known ones."""
    if name not in BOARDS:
        raise BoardError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
