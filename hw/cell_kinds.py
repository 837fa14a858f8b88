"""The cells by name; a new one is its own file in `hw/cells` and a line here."""

from hw.cells.cell import Cell
from hw.cells.folded import FoldedCell
from hw.cells.gated import GatedCell
from hw.cells.mac import MacCell
from hw.cells.mac_rows import MacRowsCell
from hw.cells.mac_table import MacTableCell
from hw.cells.table import BufferedTableCell, TableCell, WideTableCell

CELLS: dict[str, type[Cell]] = {
    "gated": GatedCell,
    "folded": FoldedCell,
    "table": TableCell,
    "table8": WideTableCell,
    "mac": MacCell,
    "mac_rows": MacRowsCell,
    "mac_table": MacTableCell,
    "table4": BufferedTableCell,
}

DISTRIBUTED_RAM = ("table", "mac_table")
"""Cells that need RAM which reads within a cycle; of the targets, only ECP5 has it."""


def check_target(cell: str, target: str | None) -> None:
    """Refuse a cell that `target` (a family, or None for portable Verilog) does not have."""
    if target == "ice40" and cell in DISTRIBUTED_RAM:
        others = ", ".join(name for name in CELLS if name not in DISTRIBUTED_RAM)
        raise ValueError(f"cell must be one of {others} on {target}, not {cell!r}")
