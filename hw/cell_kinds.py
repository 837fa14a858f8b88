"""The cells by name; a new one is its own file in `hw/cells` and a line here."""

from hw.cells.gated import GatedCell

CELLS: dict[str, type[GatedCell]] = {"gated": GatedCell}
