"""The table cell in ECP5: doubling and addition in one carry chain."""

from amaranth.hdl import Module, Value

from hw.cells.table import TableCell
from hw.vendor import ecp5


class TableEcp5Cell(TableCell):
    """As `hw.cells.table.TableCell`."""

    def total(self, m: Module, entry: Value) -> Value:
        """Return what goes down."""
        if self.i_bits == 0:
            return entry
        if self.doubles:
            return ecp5.doubling_add(
                m, "sum", a=entry, x=self.i_sum, double=self.double, width=self.sum_bits,
            )
        return ecp5.plain_add(m, "sum", a=entry, b=self.i_sum, width=self.sum_bits)
