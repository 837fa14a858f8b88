"""The array of a compact machine: its columns see all at once and share what they can."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.array import skewed
from hw.chain import Chain
from hw.column import end_class, sum_wait
from hw.config import Config
from hw.doubling_sum import DoublingSum
from hw.emit import once
from hw.end_total import EndTotal
from hw.tokens import delayed, end_token, load_token, mode_token, sum_token, write_token
from hw.variants import on_target


class CompactArray(wiring.Component):
    """What `hw.array.Array` does, without a register that hands anything from column to column.

    One memory holds the weights of all columns, another their partial sums, each with one address;
    of what goes along with a sum there is one copy. A register's fan-out grows with the columns
    and some paths go through a memory and an adder: that suits few columns and a slow clock.

    **Timing**: as the cycle table says, alike for all columns. A pass takes at least three cycles,
    so that no partial sum is read while it is on its way.

    =================== =====================================================
    cycle               what happens
    =================== =====================================================
    0                   bits, lane 0
    sum_latency - 1     `token`; partial sums' address
    sum_latency         sum, partial sum or 0
    sum_latency + 1     accumulated sum, `step.load` if it is an output's
    =================== =====================================================

    A weight row that is read now is there for the first cell `load_delay` cycles later.

    **Numbers**: as `hw.array.Array`.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    acts : In(word_bits)
        One pixel's activations.
    token : In(sum_token(config))
        What to do with its sum, a cycle before that.
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
        weights = self._weights(m)
        load_d1 = Signal(load_token(config))
        m.d.sync += load_d1.eq(self.load)

        partial = m.submodules.partial = Memory(
            shape=config.columns * config.acc_bits, depth=config.partial_sums, init=[],
            attrs={"no_rw_check": 1},
        )
        r_port, w_port = partial.read_port(), partial.write_port()
        token_d1, token_d2 = Signal(sum_token(config)), Signal(sum_token(config))
        m.d.sync += [token_d1.eq(self.token), token_d2.eq(token_d1)]
        m.d.comb += [
            r_port.addr.eq(self.token.addr),
            r_port.en.eq(self.token.valid),
            w_port.addr.eq(token_d2.addr),
            w_port.en.eq(token_d2.valid & ~token_d2.last),
        ]

        acts = Signal(config.word_bits)
        m.d.comb += acts.eq(skewed(m, self.acts, config))
        sums: list[Value] = []
        bits: list[Value] = []
        for j in range(config.columns):
            chain, end = Chain(config), end_class(config)(config)
            m.submodules[f"chain_{j}"] = once(chain, "column_chain", platform)
            m.submodules[f"end_{j}"] = once(end, "column_end", platform)
            acc, ended = Signal(signed(config.acc_bits)), Signal(signed(config.acc_bits))
            before = r_port.data.word_select(j, config.acc_bits).as_signed()
            total = self._total(m, platform, token_d1, before, chain.sum, f"add_{j}")
            m.d.sync += acc.eq(total)
            if on_target(EndTotal, platform).zero_idle and not config.pool_codes:
                m.d.sync += ended.eq(Mux(token_d1.valid & token_d1.last, total, 0))
            else:
                m.d.comb += ended.eq(acc)
            weight = weights.word_select(j, 8).as_signed()
            m.d.comb += [
                chain.acts.eq(acts),
                chain.codes.eq(self.mode.codes),
                chain.load.eq(load_d1),
                chain.weight.eq(weight),
                end.mode.eq(self.mode),
                end.token.eq(token_d2),
                end.shift.eq(load_d1.read & load_d1.param),
                end.byte.eq(weight),
                end.acc.eq(ended),
                end.step.eq(self.step),
            ]
            sums.append(acc)
            bits.append(end.serial)
        m.d.comb += [
            w_port.data.eq(Cat(*sums)),
            self.o_bits.eq(Cat(*bits)),
            self.o_step.eq(
                delayed(m, self.step.as_value(), end_class(config).serial_lag, "step"),
            ),
        ]
        return m

    def _weights(self, m: Module) -> Value:
        """Add the weights' memory; return the row that is read, a cycle after its token."""
        config = self.config
        attrs: dict[str, str | int] = {"no_rw_check": 1}
        if config.single_port:
            attrs["ram_style"] = "huge"
        rows = m.submodules.weights = Memory(
            shape=8 * config.columns, depth=config.weight_rows, init=[], attrs=attrs,
        )
        r_port, w_port = rows.read_port(), rows.write_port(granularity=8)
        turn = Signal(config.columns)  # the column that takes the next weight of a row
        mine = Mux(self.write.first, 1, turn)
        with m.If(self.write.valid):
            m.d.sync += turn.eq(mine << 1)
        r_addr, w_addr, reads = self.load.addr, self.write.addr, self.load.read
        if config.single_port:  # weights come only while nothing runs
            shared = Signal.like(self.load.addr)
            m.d.comb += shared.eq(Mux(self.write.valid, self.write.addr, self.load.addr))
            r_addr, w_addr, reads = shared, shared, self.load.read & ~self.write.valid
        m.d.comb += [
            r_port.addr.eq(r_addr),
            r_port.en.eq(reads),
            w_port.addr.eq(w_addr),
            w_port.data.eq(self.write.data.replicate(config.columns)),
            w_port.en.eq(Mux(self.write.valid, mine, 0)),
        ]
        return r_port.data

    def _total(
        self, m: Module, platform: object, token: Value, before: Value, chain_sum: Value, name: str,
    ) -> Value:
        """Return a column's sum added to what its partial sum counts."""
        config = self.config
        bits, groups = config.acc_bits, config.groups
        shift = token.shift
        add = on_target(DoublingSum, platform)(i_bits=config.array_sum_bits, bits=bits)
        m.submodules[name] = add
        twice = Mux(token.first, 0, before)
        if len(shift) > 1:
            twice = Mux(token.first, 0, Mux(shift[1], (before << groups)[:bits], before[:bits]))
        m.d.comb += [
            add.i.eq(delayed(m, chain_sum, sum_wait(config), f"{name}_i")),
            add.double.eq(shift[0]),
            add.twice.eq(twice),
        ]
        return add.o
