"""What a board is: one small file each says it, see `boards.icebreaker`."""

from dataclasses import dataclass

from boards.link.uart import LEAST_DIVISOR
from hw.config import Config

MOST_BAUD_ERROR = 0.02
"""Of the line's speed: ten bits of a byte then drift by a fifth of a bit."""


class BoardError(ValueError):
    """A board that is none; the message lists every broken rule."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board.

    Parameters
    ----------
    name
        On the command line and in reports.
    title
        For people.
    family
        ``"ice40"`` or ``"ecp5"``: whose primitives the machine uses in bitstreams.
    clock
        Of machine and link, Hz.
    baud
        Bits a second on the line; the clock is nearly a multiple of it, at least four times.
    config
        The machine.
    link
        Resource and number of the UART in amaranth-boards.
    """

    name: str
    title: str
    family: str
    clock: int
    baud: int
    config: Config
    link: tuple[str, int] = ("uart", 0)

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be a number above 0, not {value!r}"
            for name, value in (("clock", self.clock), ("baud", self.baud))
            if isinstance(value, bool) or not isinstance(value, int) or value < 1
        ]
        if not broken and self.divisor < LEAST_DIVISOR:
            broken.append(
                f"clock must be at least {LEAST_DIVISOR} times baud ({self.baud}), not"
                f" {self.clock}",
            )
        elif not broken and abs(self.clock / self.divisor / self.baud - 1) > MOST_BAUD_ERROR:
            broken.append(
                f"baud must be within {MOST_BAUD_ERROR:.0%} of the clock ({self.clock}) over a"
                f" whole number, not {self.baud}",
            )
        if self.family not in ("ice40", "ecp5"):
            broken.append(f"family must be ice40 or ecp5, not {self.family!r}")
        if broken:
            raise BoardError(f"board {self.name}: " + "; ".join(broken))

    @property
    def divisor(self) -> int:
        """Cycles of a bit on the line."""
        return round(self.clock / self.baud)
