"""The clockwork of the outputs' way out."""

from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.tokens import delayed, end_token

ENDS = data.StructLayout({"output": 1, "tile": 1, "block": 1, "run": 1})
"""An output ends with this pixel; and with it a tile, a block, the run."""


class EndSteps(wiring.Component):
    """Sends `load`, then as many steps as an output takes to leave, `out` for each of its planes.

    The steps between one output's `load` and the next one's are ``steps`` cycles: the last `out`
    of one coincides with the `load` of the next.

    **Timing**: `load` follows `ends.output` by `delay` cycles.

    =============================== ==========================================
    cycles after `load`             step
    =============================== ==========================================
    steps - planes + 1 .. steps     `out`, highest plane first
    steps - shifts + 1 .. steps     `shift`
    =============================== ==========================================

    A code of `planes` bits that drops `shift` low bits of a total has ``acc_bits - shift`` shifts:
    the bits above it go by first. A threshold's output has one step, `out`.

    Parameters
    ----------
    delay
        Cycles from a pixel at the array's edge to its `load` in the first column.

    Members
    -------
    ends : In(ENDS)
        What ends with the pixel that enters the array now.
    steps : In(6)
        Cycles of one output.
    planes : In(6)
        Bits of one output.
    shifts : In(6)
        Steps that shift, the last ones.
    step : Out(end_token())
        This cycle's steps, for the first column.
    """

    def __init__(self, *, delay: int) -> None:
        self.delay = delay
        super().__init__(
            {
                "ends": In(ENDS),
                "steps": In(6),
                "planes": In(6),
                "shifts": In(6),
                "step": Out(end_token()),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        due = data.View(ENDS, delayed(m, self.ends.as_value(), self.delay, "ends"))
        left = Signal(6)
        ending = Signal(ENDS)
        m.d.comb += self.step.load.eq(due.output)
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
            m.d.comb += [
                self.step.out.eq(left <= self.planes),
                self.step.shift.eq(left <= self.shifts),
            ]
        with m.If(left == 1):
            m.d.comb += [
                self.step.tile.eq(ending.tile),
                self.step.block.eq(ending.block),
                self.step.run.eq(ending.run),
            ]
        with m.If(due.output):
            m.d.sync += [left.eq(self.steps), ending.eq(due)]
        return m
