"""One column of the array: a chain of cells with all that belongs to one output channel."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.accumulator import Accumulator
from hw.block_memory import BlockMemory
from hw.chain import Chain, chain_latency, chain_load_delay
from hw.code_end import CodeEnd
from hw.column_end import ColumnEnd
from hw.config import Config
from hw.pooled_end import PooledEnd
from hw.tokens import delayed, end_token, load_token, mode_token, sum_token, write_token


class Column(wiring.Component):
    """The sums of one output channel: chain of cells, accumulator, end, and its weights.

    Everything that comes in leaves to the right one cycle later, so that all columns are alike
    and see the same, each a cycle after its left neighbour. Of the weights that are written, a
    column takes the first that reaches it and passes on the others of the row.

    **Timing**: lane k sees a pixel ``lane_delay(config, k)`` cycles after the first one; the sum
    follows `sum_latency` cycles after the pixel, its token `Accumulator.sum_lag` cycles before the
    sum. A weight row read now is there for the first cell `load_delay` cycles later.

    **Numbers**: as the parts say.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    acts : In(word_bits)
        The lanes' activations, each with its delay.
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
    o_acts : Out(word_bits)
        All of these for the column to the right.
    o_load : Out(load_token(config))
        Likewise.
    o_write : Out(write_token(config))
        Likewise, without what this column took.
    o_sum : Out(sum_token(config))
        Likewise.
    o_step : Out(end_token())
        Likewise.
    o_mode : Out(mode_token())
        Likewise.
    serial : Out(act_bits)
        The outputs' bits, or bytes.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        forwarded = {
            "acts": config.word_bits,
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
                "serial": Out(config.act_bits),
            },
        )
        self.forwarded = tuple(forwarded)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        for name in self.forwarded:
            m.d.sync += getattr(self, f"o_{name}").eq(getattr(self, name))
        take = self.write.valid & self.write.first
        next_is_first = Signal()
        with m.If(self.write.valid):
            m.d.sync += next_is_first.eq(self.write.first)
        m.d.sync += [
            self.o_write.valid.eq(self.write.valid & ~self.write.first),
            self.o_write.first.eq(next_is_first),
        ]

        read = Signal(signed(8))
        if config.single_port:  # weights come only while nothing runs
            weights = m.submodules.weights = Memory(
                shape=signed(8), depth=config.weight_rows, init=[],
                attrs={"no_rw_check": 1, "ram_style": "huge"},
            )
            r_port, w_port = weights.read_port(), weights.write_port()
            addr = Signal.like(self.load.addr)  # one signal, else tools see two ports
            m.d.comb += [
                addr.eq(Mux(take, self.write.addr, self.load.addr)),
                r_port.addr.eq(addr),
                r_port.en.eq(self.load.read & ~take),
                w_port.addr.eq(addr),
                w_port.data.eq(self.write.data),
                w_port.en.eq(take),
                read.eq(r_port.data),
            ]
        else:
            memory = m.submodules.weights = BlockMemory(words=config.weight_rows, width=8)
            m.d.comb += [
                memory.r_addr.eq(self.load.addr),
                memory.r_en.eq(self.load.read),
                memory.w_addr.eq(self.write.addr),
                memory.w_data.eq(self.write.data),
                memory.w_en.eq(take),
                read.eq(memory.r_data),
            ]
        load_d2, weight = Signal(load_token(config)), Signal(signed(8))
        m.d.sync += [load_d2.eq(self.o_load), weight.eq(read)]

        chain = m.submodules.chain = Chain(config)
        accumulator = m.submodules.accumulator = Accumulator(config)
        end = m.submodules.end = end_class(config)(config)
        m.d.comb += [
            chain.acts.eq(self.acts),
            chain.codes.eq(self.mode.codes),
            chain.load.eq(load_d2),
            chain.weight.eq(weight),
            accumulator.token.eq(self.sum),
            accumulator.sum.eq(delayed(m, chain.sum, sum_wait(config), "chain_sum")),
            end.mode.eq(self.mode),
            end.token.eq(accumulator.token_d3),
            end.shift.eq(load_d2.read & load_d2.param),
            end.byte.eq(weight),
            end.acc.eq(accumulator.ended),
            end.step.eq(self.step),
            self.serial.eq(end.serial),
        ]
        return m


READ_DELAY = 2
"""Cycles from a row's token to the row at the chain: memory, register; no register if compact."""


def sum_lag(config: Config) -> int:
    """Cycles from a sum token at a column to its sum."""
    return 1 if config.compact else Accumulator.sum_lag


def end_class(config: Config) -> type[ColumnEnd | PooledEnd | CodeEnd]:
    """Return the end that goes with the activations and with what is pooled."""
    if config.act_bits > 1:
        return CodeEnd
    return PooledEnd if config.pool_codes else ColumnEnd


def lane_delay(config: Config, lane: int) -> int:
    """Cycles that lane `lane` lags behind the pixel, in any column."""
    return max(int(config.cell_class.buffered), lane // config.cell_class.lanes)


def sum_wait(config: Config) -> int:
    """Cycles that a short chain's sum waits for its partial sum."""
    return max(0, sum_lag(config) - chain_latency(config))


def sum_latency(config: Config) -> int:
    """Cycles from a pixel at the first lane to its sum."""
    return chain_latency(config) + sum_wait(config)


def load_delay(config: Config) -> int:
    """Cycles from a row's token to its weight at the first cell of the same column."""
    return READ_DELAY - config.compact + chain_load_delay(config)


def end_delay(config: Config) -> int:
    """Cycles from a pixel's sum token to its `load` step, in any column."""
    return sum_lag(config) + 1 + end_class(config).latency
