"""One column of the array: a chain of cells with all that belongs to one output channel."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.accumulator import Accumulator
from hw.cells.gated import GatedCell
from hw.column_end import ColumnEnd
from hw.config import Config
from hw.emit import once
from hw.group_sum import GroupSum
from hw.tokens import end_token, load_token, mode_token, sum_token, write_token
from hw.words import sum_bits


class Column(wiring.Component):
    """The sums of one output channel: cells, group sum, accumulator, end, and its weights.

    Everything that comes in leaves to the right one cycle later, so that all columns are alike
    and see the same, each a cycle after its left neighbour.

    **Timing**: lane k of group g sees a pixel ``lane_delay(config, g, k)`` cycles after lane 0 of
    the last group; the sum follows `sum_latency` cycles after the pixel, its token one cycle
    before the sum. A weight row read now is shifted in a cycle later.

    **Numbers**: as the parts say.

    Parameters
    ----------
    config
        The machine.
    cell
        Class of the cell.

    Members
    -------
    acts : In(lanes)
        The lanes' bits, each with its delay.
    swap : In(1)
        Put the waiting weights to use, a cycle before the tile's first pixel.
    load : In(load_token(config))
        Read a weight row.
    write : In(write_token(config))
        Write a weight.
    sum : In(sum_token(config))
        What to do with a pixel's sum.
    step : In(end_token())
        Steps of the way out.
    mode : In(mode_token())
        What holds for the run.
    o_acts : Out(lanes)
        All of these for the column to the right.
    o_swap : Out(1)
        Likewise.
    o_load : Out(load_token(config))
        Likewise.
    o_write : Out(write_token(config))
        Likewise, with one column less to go.
    o_sum : Out(sum_token(config))
        Likewise.
    o_step : Out(end_token())
        Likewise.
    o_mode : Out(mode_token())
        Likewise.
    serial : Out(1)
        The outputs' bits.
    """

    def __init__(self, config: Config, cell: type[GatedCell]) -> None:
        self.config = config
        self.cell = cell
        forwarded = {
            "acts": config.lanes,
            "swap": 1,
            "load": load_token(config),
            "write": write_token(config),
            "sum": sum_token(config),
            "step": end_token(),
            "mode": mode_token(),
        }
        super().__init__(
            {
                **{name: In(shape) for name, shape in forwarded.items()},
                **{f"o_{name}": Out(shape) for name, shape in forwarded.items()},
                "serial": Out(1),
            },
        )
        self.forwarded = tuple(forwarded)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        for name in self.forwarded:
            m.d.sync += getattr(self, f"o_{name}").eq(getattr(self, name))
        m.d.sync += self.o_write.column.eq(self.write.column - 1)

        weights = m.submodules.weights = Memory(
            shape=signed(8), depth=config.weight_rows, init=[],
        )
        r_port = weights.read_port()
        w_port = weights.write_port()
        m.d.comb += [
            r_port.addr.eq(self.load.addr),
            r_port.en.eq(self.load.read),
            w_port.addr.eq(self.write.addr),
            w_port.data.eq(self.write.data),
            w_port.en.eq(self.write.valid & (self.write.column == 0)),
        ]
        load_d1 = self.o_load

        swaps = [self.swap]  # by the delay of the lanes that they are for
        for i in range(deepest_lane(config)):
            swap = Signal(name=f"swap_d{i + 1}")
            m.d.sync += swap.eq(swaps[-1])
            swaps.append(swap)

        group_sum = m.submodules.group_sum = GroupSum(
            groups=config.groups, group_lanes=config.group_lanes,
        )
        weight = r_port.data
        for g in range(config.groups):
            total = None
            for k in range(config.group_lanes):
                width = sum_bits(k + 1)
                cell = self.cell(i_bits=sum_bits(max(k, 1)), sum_bits=width)
                lane = g * config.group_lanes + k
                m.submodules[f"cell_{lane}"] = once(
                    cell, f"cell_{config.cell}_{k}", platform,
                )
                m.d.comb += [
                    cell.act.eq(self.acts[lane]),
                    cell.swap.eq(swaps[lane_delay(config, g, k)]),
                    cell.shift.eq(load_d1.read & ~load_d1.param),
                    cell.i_weight.eq(weight),
                ]
                if total is not None:
                    m.d.comb += cell.i_sum.eq(total)
                weight, total = cell.o_weight, cell.o_sum
            m.d.comb += group_sum.group[g].eq(total)

        accumulator = m.submodules.accumulator = Accumulator(config)
        end = m.submodules.end = ColumnEnd(config)
        m.d.comb += [
            group_sum.codes.eq(self.mode.codes),
            accumulator.token.eq(self.sum),
            accumulator.sum.eq(group_sum.sum),
            end.mode.eq(self.mode),
            end.token.eq(accumulator.token_d2),
            end.take.eq(accumulator.token_d1.take),
            end.shift.eq(load_d1.read & load_d1.param),
            end.byte.eq(r_port.data),
            end.acc.eq(accumulator.acc),
            end.step.eq(self.step),
            self.serial.eq(end.serial),
        ]
        return m


def lane_delay(config: Config, group: int, lane: int) -> int:
    """Cycles that lane `lane` of `group` lags behind the first lane, in any column."""
    return lane + max(0, config.groups - 2 - group)


def deepest_lane(config: Config) -> int:
    """The greatest `lane_delay` of all lanes."""
    return lane_delay(config, 0, config.group_lanes - 1)


def sum_latency(config: Config) -> int:
    """Cycles from a pixel at the first lane to its sum."""
    return config.group_lanes + config.groups - 1


END_DELAY = Accumulator.latency + ColumnEnd.latency
"""Cycles from a pixel's sum token to its `load` step, in any column."""
