"""What a board is: one small file each says it, see `boards.icebreaker`."""

from dataclasses import dataclass

from boards.compare.job import TARGETS, Target
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
    oscillator
        What runs on the board, Hz; where the clock differs, the PLL of an ECP5 makes it.
    platform
        Module and class of amaranth-boards, which know chip, pins and oscillator.
    oscillator_name
        Resource of the oscillator there; without it the platform's default clock.
    wires
        Resource of the UART there; or where there is none a connector's ``(name, number)`` and its
        pins of the lines from and to the host.
    network
        What it holds: ``"shipped"``, or ``"tiny"`` for the untrained network of that preset.
    loader
        Arguments with which openFPGALoader programs it.
    measured
        Logic cells and registers of a bitstream, the link included, for a machine of parts that
        `boards.resources` does not know.
    note
        What people need to know of it.
    """

    name: str
    title: str
    family: Target
    clock: int
    baud: int
    config: Config
    oscillator: int
    platform: str
    oscillator_name: str = ""
    wires: str | tuple[str, int, str, str] = "uart"
    network: str = "shipped"
    loader: tuple[str, ...] = ()
    measured: tuple[int, int] | None = None
    note: str = ""

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be a number above 0, not {value!r}"
            for name, value in (
                ("clock", self.clock), ("baud", self.baud), ("oscillator", self.oscillator),
            )
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
        if self.family not in TARGETS:
            broken.append(f"family must be ice40 or ecp5, not {self.family!r}")
        if self.family == "ice40" and self.clock != self.oscillator:
            broken.append(
                f"clock must be the oscillator's ({self.oscillator}) on ice40, not {self.clock}",
            )
        if self.network not in ("shipped", "tiny"):
            broken.append(f"network must be shipped or tiny, not {self.network!r}")
        if broken:
            raise BoardError(f"board {self.name}: " + "; ".join(broken))

    @property
    def divisor(self) -> int:
        """Cycles of a bit on the line."""
        return round(self.clock / self.baud)
