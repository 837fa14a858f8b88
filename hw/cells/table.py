"""The table cell: the sums of all subsets of its weights, looked up by the bits."""

from amaranth.hdl import Cat, Module, Value, signed
from amaranth.lib.memory import Memory

from hw.cells.cell import Cell


class TableCell(Cell):
    """One look-up for four lanes: ``o_sum = above + table[acts]``; see `hw.cells.cell.Cell`.

    Entry n holds the sum of the weights whose bits in n are 1; `hw.fill.Fill` writes them. Made for
    distributed RAM, which reads within a cycle and whose output register is the first of the two
    cycles that a look-up takes.

    **Numbers**: an entry is from -512 to 508, 10 bits.
    """

    lanes = 4
    entries = 16
    data_bits = 10
    latency = 2
    ram = "distributed"
    """Where yosys shall put the table."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o_sum.eq(self.total(m, self.look_up(m)))
        return m

    def total(self, m: Module, entry: Value) -> Value:
        """Return what goes down."""
        return self.above() + entry

    def look_up(self, m: Module) -> Value:
        """Add the table; return its entry, a cycle after the activations."""
        table = m.submodules.table = Memory(
            shape=signed(self.data_bits),
            depth=self.entries * (1 + self.buffered),
            init=[],
            # No pixel passes while the cell is loaded.
            attrs={"ram_style": self.ram, "no_rw_check": 1},
        )
        r_port, w_port = table.read_port(), table.write_port()
        m.d.comb += [
            r_port.addr.eq(self.read_address()),
            r_port.en.eq(1),
            w_port.addr.eq(self.addr),
            w_port.data.eq(self.data),
            w_port.en.eq(self.write),
        ]
        return r_port.data

    def read_address(self) -> Value:
        """Where the look-up goes."""
        return self.acts


class WideTableCell(TableCell):
    """The same for eight lanes, in one block RAM of 256 entries, as an iCE40 has them.

    **Numbers**: an entry is from -1024 to 1016, 11 bits.
    """

    lanes = 8
    entries = 256
    data_bits = 11
    ram = "block"


class BufferedTableCell(TableCell):
    """The same for four lanes, with two tables in one block RAM: one is read, one written.

    So the next tile comes while pixels pass; a block RAM of an iCE40 has room for many more.

    **Timing**: at the top of a column the entry itself is `o_sum`, a cycle sooner: its lanes come
    that much later instead, see `hw.column.lane_delay`.

    **Numbers**: as `TableCell`.
    """

    ram = "block"
    buffered = True

    def elaborate(self, platform: object) -> Module:
        if self.i_bits:
            return super().elaborate(platform)
        m = Module()
        m.d.comb += self.o_sum.eq(self.look_up(m))
        return m

    def read_address(self) -> Value:
        """Where the look-up goes."""
        return Cat(self.acts, ~self.addr[-1])
