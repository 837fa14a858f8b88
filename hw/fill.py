"""Fills the tables of a column: a walk in Gray code, one addition an entry."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Fill(wiring.Component):
    """The running sum behind a column's tables: ``sum += subtract ? -weight : weight``.

    Entry n of a table is the sum of the weights whose bits in n are 1, or a lone weight's product
    with n. In the order of the Gray code an entry differs from the one before in one weight. A walk
    takes one step an entry and ends where it began, at entry 0 with sum 0; so the next one needs no
    preparation.

    **Timing**: `sum` is that of the step one cycle before; one step per cycle.

    **Numbers**: `bits` must hold the sum of all weights of a cell.

    Parameters
    ----------
    bits
        Width of an entry.

    Members
    -------
    step : In(1)
        A weight is here.
    subtract : In(1)
        It leaves the sum.
    weight : In(signed(bits))
        The weight.
    sum : Out(signed(bits))
        The entry.
    """

    latency = 1

    def __init__(self, *, bits: int) -> None:
        super().__init__(
            {
                "step": In(1),
                "subtract": In(1),
                "weight": In(signed(bits)),
                "sum": Out(signed(bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        weight = Signal(signed(len(self.sum)))
        # As -w = ~w + 1 the addition stays one carry chain.
        m.d.comb += weight.eq(Mux(self.subtract, ~self.weight, self.weight))
        with m.If(self.step):
            m.d.sync += self.sum.eq(self.sum + weight + self.subtract)
        return m


def walk(bits: int) -> list[tuple[int, int, bool]]:
    """Return the walk through a table with so many address bits: (bit, entry, subtract) by step."""
    steps = []
    for number in range(1, (1 << bits) + 1):
        bit = min((number & -number).bit_length() - 1, bits - 1)
        place = number % (1 << bits)
        entry = place ^ place >> 1
        steps.append((bit, entry, not entry >> bit & 1))
    return steps
