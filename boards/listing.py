"""`bambino boards`: what the known boards hold and how fast they are, without building anything."""

from dataclasses import dataclass
from typing import Any

from boards import choice, report, resources
from boards.bitstream.pins import chip
from boards.blocks import SINGLE_PORT_BITS, SINGLE_PORT_WORDS
from boards.board import Board
from boards.compare.devices import Device
from boards.compare.job import Target
from boards.known import BOARDS
from golden.network import Network
from hw.estimate import estimate
from hw.fit import FitError

LINK: dict[Target, dict[str, int]] = {
    "ecp5": {"lut": 738, "bram": 1},
    "ice40": {"lut": 755, "bram": 1},
}
"""What the link takes beside the machine."""

BLOCK_BITS: dict[Target, int] = {"ecp5": 18 << 10, "ice40": 4 << 10}
"""Of one block RAM."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What is known of a board.

    Parameters
    ----------
    board
        The board.
    part, device
        Its chip: the name in full, the resources.
    used, available
        Resources, predicted or, of parts that were never fitted, measured; the link included; and
        those of the chip.
    network
        Which network it is for.
    shipped
        Why the shipped network does not fit its machine; nothing if it does.
    cycles
        Of a clip with its network.
    seconds
        Of that clip; None if the network is not told in seconds.
    """

    board: Board
    part: str
    device: Device
    used: dict[str, int]
    available: dict[str, int]
    network: str
    shipped: str
    cycles: int
    seconds: float | None

    @property
    def over(self) -> str:
        """What the chip lacks, as predicted; nothing if it holds the machine."""
        return ", ".join(
            f"{number:,} of {self.available[name]:,} {name.upper()}"
            for name, number in self.used.items()
            if name in self.available and number > self.available[name]
        )

    @property
    def clip_ms(self) -> float:
        """Time of a clip, computing only."""
        return self.cycles / self.board.clock * 1e3

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        board, config = self.board, self.board.config
        return {
            "name": board.name,
            "title": board.title,
            "part": self.part,
            "clock": board.clock,
            "baud": board.baud,
            "cell": config.cell,
            "lanes": config.lanes,
            "columns": config.columns,
            "network": self.network,
            "shipped_network_fits": not self.shipped,
            "why_not": self.shipped,
            "predicted": self.used,
            "available": self.available,
            "predicted_to_fit": not self.over,
            "over": self.over,
            "cycles": self.cycles,
            "clip_ms": round(self.clip_ms, 4),
            "real_time_factor": (
                None if self.seconds is None else round(self.clip_ms / 1e3 / self.seconds, 7)
            ),
            "note": board.note,
        }


def entries() -> list[Entry]:
    """Return what is known of every board."""
    return [_entry(board) for board in BOARDS.values()]


def _entry(board: Board) -> Entry:
    known, target = chip(board), board.family
    shipped = choice.network(None, "medium")
    why = lacking(shipped, known.device)
    if not why:
        try:
            why = estimate(shipped, board.config).why
        except FitError as error:
            why = str(error)
    network = shipped if board.network == "shipped" else choice.network(None, "tiny")
    found = estimate(network, board.config)
    link, machine = LINK[target], resources.predict(board.config, target)
    figures = {
        "lut": machine.lut, "ff": machine.ff, "bram": machine.bram, "spram": machine.spram,
    }
    used = {
        name: figure.value + link.get(name, 0)
        for name, figure in figures.items()
        if figure is not None
    }
    if board.measured is not None:
        used |= dict(zip(("lut", "ff"), board.measured, strict=True))
    device = known.device
    rooms = {"lut": device.lut, "ff": device.lut, "bram": device.bram, "spram": device.spram}
    return Entry(
        board=board,
        part=known.part,
        device=device,
        used=used if target == "ice40" else {k: v for k, v in used.items() if k != "spram"},
        available=rooms if target == "ice40" else {k: v for k, v in rooms.items() if k != "spram"},
        network=board.network,
        shipped=why,
        cycles=found.cycles,
        seconds=None if network.front_end is None else network.front_end.clip_seconds,
    )


def lacking(network: Network, device: Device) -> str:
    """Say by how much the weights of `network` exceed all memory of `device`; nothing if not."""
    weights = sum(8 * layer.weights.size for layer in network.layers)
    block, single = BLOCK_BITS[device.target], SINGLE_PORT_WORDS * SINGLE_PORT_BITS
    memory = device.bram * block + device.spram * single
    if weights <= memory:
        return ""
    return f"its weights are {weights:,} bits, the memories of the chip {memory:,}"


def show(listed: list[Entry]) -> None:
    """Print a table, and what there is to say of each board."""
    rows = [
        [
            each.board.name,
            each.part.rpartition("-")[0],
            f"{each.board.clock / 1e6:g}",
            f"{each.board.config.lanes}x{each.board.config.columns}",
            "no" if each.shipped else "yes",
            *(f"{each.used[name] / each.available[name]:.0%}" for name in ("lut", "bram")),
            f"{each.clip_ms:.2f}",
        ]
        for each in listed
    ]
    columns = [
        "board", "chip", "MHz", "machine", "fits", "LUT", "RAM", "clip, ms",
    ]
    title = "boards; fits: the shipped network; LUT, RAM: predicted, or as built (iCE40 UP5K)"
    report.table(title, columns, rows)
    for each in listed:
        for line in (
            each.board.note,
            each.shipped and f"shipped network: {each.shipped}; it carries {each.network}",
            each.over and f"its chip is predicted to lack room: {each.over}",
        ):
            if line:
                print(f"{each.board.name}: {line}")
