"""Where the sums of a column's lane groups meet."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.words import sum_bits


class GroupSum(wiring.Component):
    """One column's sum: ``sum_g group[g] << (codes ? g : 0)``.

    A chain from the last group to the first; each step adds one group's sum to what came so far,
    doubled first where the groups hold bit-planes.

    **Timing**: latency ``groups - 1`` cycles for the last group; group g must arrive
    ``max(0, groups - 2 - g)`` cycles after it. One sum per cycle.

    **Numbers**: the worst sum is ``-128 * group_lanes * (2^groups - 1)``.

    Parameters
    ----------
    groups
        Number of lane groups.
    group_lanes
        Lanes of each.

    Members
    -------
    codes : In(1)
        The groups hold bit-planes.
    group : In(signed(...)).array(groups)
        Sums of the groups.
    sum : Out(signed(...))
        The column's sum.
    """

    def __init__(self, *, groups: int, group_lanes: int) -> None:
        self.groups = groups
        self.group_lanes = group_lanes
        super().__init__(
            {
                "codes": In(1),
                "group": In(signed(sum_bits(group_lanes))).array(groups),
                "sum": Out(signed(sum_bits(group_lanes * (2**groups - 1)))),
            },
        )

    @property
    def latency(self) -> int:
        """Cycles from the last group's sum to the column's."""
        return self.groups - 1

    def elaborate(self, platform: object) -> Module:
        m = Module()
        so_far = self.group[self.groups - 1]
        for g in reversed(range(self.groups - 1)):
            width = sum_bits(self.group_lanes * (2 ** (self.groups - g) - 1))
            step = Signal(signed(width), name=f"sum_from_{g}")
            m.d.sync += step.eq(Mux(self.codes, so_far << 1, so_far) + self.group[g])
            so_far = step
        m.d.comb += self.sum.eq(so_far)
        return m
