"""What every cell is: the one signature that the column wires."""

from typing import ClassVar

from amaranth.hdl import Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.words import bits_for


class Cell(wiring.Component):
    """``o_sum = (double ? 2 * i_sum : i_sum) + what the lanes' activations and weights give``.

    **Timing**: `latency` cycles from `acts` to `o_sum`, one cycle from `i_sum` and `double` to
    `o_sum`; one set of activations per cycle, no backpressure: inside the array all is lockstep.
    What is written is there from the next cycle on.

    **Numbers**: `sum_bits` holds the sum of all lanes down to this one, so that nothing overflows.

    Parameters
    ----------
    i_bits
        Width of the sum from above, bits; 0 at the top of a column, where `i_sum` is ignored.
    sum_bits
        Width of the sum that goes down, bits.
    doubles
        Whether `double` is heeded: the cell is the first of its lane group.

    Members
    -------
    acts : In(lanes * act_bits)
        Activations, the first lane's lowest.
    double : In(1)
        The sum from above counts twice: the lane groups hold bit-planes.
    write : In(1)
        Write `data`.
    addr : In(bits of entries)
        Which entry; ignored where there is one. The highest bit of a buffered cell's address says
        which table: the other one is read.
    data : In(signed(data_bits))
        A weight, or an entry of the table.
    i_sum : In(signed(i_bits))
        Sum from above.
    o_sum : Out(signed(sum_bits))
        Sum to below.
    """

    lanes: ClassVar[int] = 1
    """Lanes of one cell."""
    act_bits: ClassVar[int] = 1
    """Bits of one lane's activation."""
    entries: ClassVar[int] = 1
    """What is written into a cell to load it: one weight, or a table of so many entries."""
    data_bits: ClassVar[int] = 8
    """Width of an entry."""
    latency: ClassVar[int] = 1
    """Cycles from activations to sum."""
    buffered: ClassVar[bool] = False
    """Whether there is a second table, which is written while the first is read."""

    acts: Signal
    double: Signal
    write: Signal
    addr: Signal
    data: Signal
    i_sum: Signal
    o_sum: Signal

    def __init__(self, *, i_bits: int, sum_bits: int, doubles: bool = False) -> None:
        self.i_bits = i_bits
        self.sum_bits = sum_bits
        self.doubles = doubles
        super().__init__(
            {
                "acts": In(self.lanes * self.act_bits),
                "double": In(1),
                "write": In(1),
                "addr": In(self.addr_bits()),
                "data": In(signed(self.data_bits)),
                "i_sum": In(signed(max(1, i_bits))),
                "o_sum": Out(signed(sum_bits)),
            },
        )

    @classmethod
    def addr_bits(cls) -> int:
        """Width of an entry's address, bits."""
        return max(1, bits_for(cls.entries - 1)) + cls.buffered

    def above(self) -> Value | int:
        """The sum from above as it counts here, for cells that leave the adder to the tools."""
        if self.i_bits == 0:
            return 0
        return self.i_sum << self.double if self.doubles else self.i_sum
