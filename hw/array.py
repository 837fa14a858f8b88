"""The systolic array: columns side by side, skew before them, deskew behind."""

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.column import Column, end_class, lane_delay, sum_lag, sum_latency
from hw.config import Config
from hw.emit import once
from hw.tokens import delayed, end_token, load_token, mode_token, sum_token, write_token
from hw.walk_reads import entry_delay


class Array(wiring.Component):
    """``lanes x columns`` cells through which bits move right and sums move down.

    Inside all is lockstep; there is no backpressure and no stall. What the columns need besides
    the bits moves right with them.

    **Timing**: a pixel's bits and its sum token enter together; the token is held back until the
    sum is due. In the first column the sum is there `sum_latency` cycles after the bits, in column
    j another j cycles later. `steps` enter for the first column; the outputs' bits of all columns
    leave together, beside the step that sent them, `step_latency` cycles after the step entered.

    =================== ================= ====================
    cycle               column 0          column j
    =================== ================= ====================
    0                   bits, lane 0
    sum_latency         sum               (j cycles later)
    end_delay           `load` step       (j cycles later)
    =================== ================= ====================

    **Numbers**: exact; widths grow with the lanes.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    acts : In(word_bits)
        One pixel's activations.
    token : In(sum_token(config))
        What to do with its sum.
    load : In(load_token(config))
        Read a weight row.
    write : In(write_token(config))
        Write a weight.
    step : In(end_token())
        Steps of the way out.
    mode : In(mode_token())
        What holds for the run.
    o_bits : Out(columns * act_bits)
        One bit (or byte) of an output of every column.
    o_step : Out(end_token())
        The step that sent it.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "acts": In(config.word_bits),
                "token": In(sum_token(config)),
                "load": In(load_token(config)),
                "write": In(write_token(config)),
                "step": In(end_token()),
                "mode": In(mode_token()),
                "o_bits": Out(config.columns * config.act_bits),
                "o_step": Out(end_token()),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        columns = []
        for j in range(config.columns):
            column = Column(config)
            m.submodules[f"column_{j}"] = once(column, "column", platform)
            columns.append(column)

        first = columns[0]
        token = delayed(m, self.token.as_value(), token_delay(config), "token")
        m.d.comb += [
            first.acts.eq(skewed(m, self.acts, config)),
            first.sum.eq(token),
            first.load.eq(self.load),
            first.write.eq(self.write),
            first.step.eq(self.step),
            first.mode.eq(self.mode),
        ]
        for left, right in zip(columns, columns[1:], strict=False):
            for name in left.forwarded:
                m.d.comb += getattr(right, name).eq(getattr(left, f"o_{name}"))
        deskewed = [
            delayed(m, column.serial, config.columns - 1 - j, f"bit_{j}")
            for j, column in enumerate(columns)
        ]
        lag = end_class(config).serial_lag - 1  # the last column passes a step on after one cycle
        m.d.comb += [
            self.o_bits.eq(Cat(*deskewed)),
            self.o_step.eq(delayed(m, columns[-1].o_step.as_value(), lag, "step")),
        ]
        return m


def step_latency(config: Config) -> int:
    """Cycles from a step at the first column to the bits of all columns that it sent."""
    hops = 0 if config.compact else config.columns - 1
    return hops + end_class(config).serial_lag


def token_delay(config: Config) -> int:
    """Cycles that a sum token is held back before the first column."""
    return sum_latency(config) - sum_lag(config)


def line_delay(config: Config) -> int:
    """Cycles from a step of a compact machine's walk until its token is due at the columns."""
    return entry_delay(config) + token_delay(config)


def skewed(m: Module, acts: Value, config: Config) -> Value:
    """Return the lanes' activations, each with its delay before the first column."""
    return Cat(
        delayed(m, acts.word_select(lane, config.act_bits), lane_delay(config, lane), f"act_{lane}")
        for lane in range(config.lanes)
    )
