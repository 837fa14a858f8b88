"""Which class stands for which on a target: the same behaviour in the target's own primitives."""

from amaranth.lib import wiring

from hw.cells.folded import FoldedCell
from hw.cells.folded_ecp5 import FoldedEcp5Cell
from hw.cells.folded_ice40 import FoldedIce40Cell
from hw.cells.mac import MacCell
from hw.cells.mac_ecp5 import MacEcp5Cell
from hw.cells.mac_rows import MacRowsCell
from hw.cells.mac_rows_ecp5 import MacRowsEcp5Cell
from hw.cells.mac_rows_ice40 import MacRowsIce40Cell
from hw.cells.mac_table import MacTableCell
from hw.cells.mac_table_ecp5 import MacTableEcp5Cell
from hw.cells.table import TableCell
from hw.cells.table_ecp5 import TableEcp5Cell
from hw.doubling_sum import DoublingSum
from hw.end_total import EndTotal
from hw.fill import Fill
from hw.vendor.ecp5_parts import DoublingSumEcp5, EndTotalEcp5, FillEcp5

VARIANTS: dict[type[wiring.Component], dict[str, type[wiring.Component]]] = {
    FoldedCell: {"ecp5": FoldedEcp5Cell, "ice40": FoldedIce40Cell},
    TableCell: {"ecp5": TableEcp5Cell},
    MacCell: {"ecp5": MacEcp5Cell},
    MacRowsCell: {"ecp5": MacRowsEcp5Cell, "ice40": MacRowsIce40Cell},
    MacTableCell: {"ecp5": MacTableEcp5Cell},
    DoublingSum: {"ecp5": DoublingSumEcp5},
    Fill: {"ecp5": FillEcp5},
    EndTotal: {"ecp5": EndTotalEcp5},
}
"""By portable class and target; each pair is proved equal in tests/hw/test_hw_vendor_cells.py."""


def on_target(component: type[wiring.Component], platform: object) -> type[wiring.Component]:
    """Return the class to use in place of `component` for what `platform` is written for.

    Parameters
    ----------
    component
        The portable class.
    platform
        What `elaborate` was given; only an `hw.emit.Emission` has a target.
    """
    target: str = getattr(platform, "target", None) or ""
    return VARIANTS.get(component, {}).get(target, component)
