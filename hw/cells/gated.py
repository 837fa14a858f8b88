"""The portable cell: an AND gate before an adder."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class GatedCell(wiring.Component):
    """One accumulate: ``o_sum = i_sum + (act ? weight : 0)``.

    **Timing**: latency 1 cycle from `act` and `i_sum` to `o_sum`, one accumulate per cycle, no
    backpressure: inside the array all is lockstep.

    **Numbers**: the weight is int8; `sum_bits` holds the sum of all lanes down to this one, so
    that nothing overflows.

    The weight is held twice. `shift` moves the waiting weights one cell down the column, `swap`
    makes the waiting weight the one in use from the next cycle on; thus the next tile loads while
    this one runs.

    Parameters
    ----------
    i_bits
        Width of the sum from above, bits.
    sum_bits
        Width of the sum that goes down, bits.

    Members
    -------
    act : In(1)
        The lane's bit.
    shift : In(1)
        Take the waiting weight from above.
    swap : In(1)
        Put the waiting weight to use.
    i_weight : In(signed(8))
        Waiting weight of the cell above.
    o_weight : Out(signed(8))
        Waiting weight of this cell.
    i_sum : In(signed(i_bits))
        Sum from above, for the same pixel as `act`.
    o_sum : Out(signed(sum_bits))
        Sum to below, a cycle later.
    """

    latency = 1

    def __init__(self, *, i_bits: int, sum_bits: int) -> None:
        super().__init__(
            {
                "act": In(1),
                "shift": In(1),
                "swap": In(1),
                "i_weight": In(signed(8)),
                "o_weight": Out(signed(8)),
                "i_sum": In(signed(i_bits)),
                "o_sum": Out(signed(sum_bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = Signal(signed(8))
        with m.If(self.shift):
            m.d.sync += self.o_weight.eq(self.i_weight)
        with m.If(self.swap):
            m.d.sync += weight.eq(self.o_weight)
        m.d.sync += self.o_sum.eq(self.i_sum + Mux(self.act, weight, 0))
        return m
