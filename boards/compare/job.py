"""What one measurement is of: a design, and perhaps the seed with which it is placed and routed."""

from dataclasses import dataclass, replace
from typing import Literal

Target = Literal["ecp5", "ice40"]
Level = Literal["cell", "array", "accelerator"]
Multiplier = Literal["none", "dsp", "plain", "booth"]

TARGETS: tuple[Target, ...] = ("ecp5", "ice40")
LEVELS: tuple[Level, ...] = ("cell", "array", "accelerator")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One way to build the cell, and how the tools are asked to map it.

    Parameters
    ----------
    name
        As jobs and results call it.
    cell
        Kind of the cell in `hw.cell_kinds.CELLS`.
    label
        For people.
    cell_ice40
        Another kind of the cell there, if iCE40 has one of its own.
    lanes, lanes_ice40
        Lanes of one such cell.
    targets
        Families that have what it is made of.
    multiplier
        How yosys maps the products: in DSP blocks, by its default, by its `booth` pass, or none
        because the cell holds none that is left to the tools.
    """

    name: str
    cell: str
    label: str
    cell_ice40: str = ""
    lanes: int = 1
    lanes_ice40: int = 1
    targets: tuple[Target, ...] = TARGETS
    multiplier: Multiplier = "none"

    def cell_on(self, target: Target) -> str:
        """Name of the cell on `target`."""
        return self.cell_ice40 or self.cell if target == "ice40" else self.cell

    @property
    def binary(self) -> bool:
        """Whether an activation is one bit; else it has eight."""
        return not self.name.startswith("mac")


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(name="gated", cell="gated", label="gated"),
        Kind(name="folded", cell="folded", label="folded"),
        Kind(
            name="table", cell="table", label="table", cell_ice40="table8", lanes=4, lanes_ice40=8,
        ),
        Kind(name="mac-dsp", cell="mac", label="MAC, DSP", multiplier="dsp"),
        Kind(name="mac-plain", cell="mac", label="MAC, default mapping", multiplier="plain"),
        Kind(name="mac-booth", cell="mac", label="MAC, Booth", multiplier="booth"),
        Kind(name="mac-rows", cell="mac_rows", label="MAC, carry rows"),
        Kind(  # tables in distributed RAM, and block RAM for a handful of them only on iCE40
            name="mac-table", cell="mac_table", label="MAC, nibble tables", targets=("ecp5",),
        ),
    )
}
BINARY = tuple(name for name, kind in KINDS.items() if kind.binary)
WITHOUT_DSP = tuple(name for name in KINDS if name not in (*BINARY, "mac-dsp"))
"""The baselines among which the best is chosen by measurement."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One design on one target, synthesised, or placed and routed with one seed.

    Parameters
    ----------
    target
        Family of the part.
    level
        One cell, the bare array, or the whole accelerator.
    kind
        A name of `KINDS`.
    lanes, columns
        Of the array; a cell stands in the middle of a column of so many lanes.
    part
        A part of the family; nothing for the smallest with room for it.
    seed
        Of place and route; None for synthesis alone.
    options
        Parameters of a machine, as ``groups=2 acc_bits=20``; nothing for the smallest machine that
        runs its network.
    """

    target: Target
    level: Level
    kind: str
    lanes: int
    columns: int
    part: str = ""
    seed: int | None = None
    options: str = ""

    def __post_init__(self) -> None:
        rules = (
            ("target", self.target, TARGETS),
            ("level", self.level, LEVELS),
            ("kind", self.kind, tuple(KINDS)),
        )
        broken = [
            f"{what} must be one of {', '.join(known)}, not {value!r}"
            for what, value, known in rules
            if value not in known
        ]
        broken += [
            f"{what} must be at least 1, not {value}"
            for what, value in (("lanes", self.lanes), ("columns", self.columns))
            if value < 1
        ]
        if self.options and self.level != "accelerator":
            broken.append(f"level must be accelerator with options, not {self.level!r}")
        if broken:
            raise ValueError("job: " + "; ".join(broken))

    @property
    def design(self) -> "Job":
        """The same without its seed: what is synthesised once for all seeds."""
        return replace(self, seed=None)

    @property
    def cells(self) -> int:
        """Lanes x columns that are measured; a table cell has several lanes."""
        kind = KINDS[self.kind]
        if self.level == "cell":
            return kind.lanes_ice40 if self.target == "ice40" else kind.lanes
        return self.lanes * self.columns

    @property
    def label(self) -> str:
        """A short name, for progress and complaints."""
        size = f"{self.lanes}x{self.columns}" if self.level != "cell" else f"of {self.lanes} lanes"
        part = f" {self.part}" if self.part else ""
        seed = "" if self.seed is None else f" seed {self.seed}"
        options = f" {self.options}" if self.options else ""
        return f"{self.target}{part} {self.level} {self.kind} {size}{options}{seed}"


def check_targets(names: str) -> tuple[Target, ...]:
    """Read a comma-separated list of targets, in the order of `TARGETS`."""
    asked = [name.strip() for name in names.split(",")]
    for name in asked:
        if name not in TARGETS:
            raise ValueError(f"targets must be of {', '.join(TARGETS)}, not {name!r}")
    return tuple(target for target in TARGETS if target in asked)
