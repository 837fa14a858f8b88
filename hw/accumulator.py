"""Partial sums of one column."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.doubling_sum import DoublingSum
from hw.end_total import EndTotal
from hw.tokens import sum_token
from hw.variants import on_target


class Accumulator(wiring.Component):
    """Adds each pixel's sum to what the passes before it left: ``acc = (before << shift) + sum``.

    **Timing**: `sum` comes `sum_lag` cycles after its token, `acc` follows `latency` cycles after
    the token. The partial sum is back in memory a cycle later; a pass takes at least four cycles,
    so that the next one never reads what is still on its way.

    ======= =============================
    cycle   what happens to a token
    ======= =============================
    0       partial sum's address
    1       partial sum read
    sum_lag partial sum or 0, `sum`
    latency `acc`, `token_d3`
    ======= =============================

    **Numbers**: exact in `acc_bits`, wherever the lowering found that the network fits.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    token : In(sum_token(config))
        What to do.
    token_d3 : Out(sum_token(config))
        The same beside `acc`.
    sum : In(signed(...))
        The array's sum.
    acc : Out(signed(acc_bits))
        The accumulated sum.
    ended : Out(signed(acc_bits))
        The same in a last pass; otherwise 0, if the end's total wants that, or anything.
    """

    latency = 3
    sum_lag = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        token = sum_token(config)
        super().__init__(
            {
                "token": In(token),
                "token_d3": Out(token),
                "sum": In(signed(config.array_sum_bits)),
                "acc": Out(signed(config.acc_bits)),
                "ended": Out(signed(config.acc_bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        partial = m.submodules.partial = Memory(
            shape=signed(config.acc_bits),
            depth=config.partial_sums,
            init=[],
            attrs={"no_rw_check": 1},
        )
        r_port = partial.read_port()
        w_port = partial.write_port()
        token_d1 = Signal(sum_token(config))
        token_d2 = Signal(sum_token(config))
        before = Signal(signed(config.acc_bits))
        variant = on_target(DoublingSum, platform)
        add = m.submodules.add = variant(i_bits=config.array_sum_bits, bits=config.acc_bits)
        m.d.comb += [
            r_port.addr.eq(self.token.addr),
            r_port.en.eq(self.token.valid),
            w_port.addr.eq(self.token_d3.addr),
            w_port.en.eq(self.token_d3.valid & ~self.token_d3.last),
            w_port.data.eq(self.acc),
            add.i.eq(self.sum),
        ]
        if len(token_d2.shift) == 1:
            m.d.comb += [add.double.eq(token_d2.shift), add.twice.eq(before)]
        else:
            m.d.comb += [
                add.double.eq(token_d2.shift[0]),
                add.twice.eq(Mux(token_d2.shift[1], before << config.groups, before)),
            ]
        m.d.sync += [
            token_d1.eq(self.token),
            token_d2.eq(token_d1),
            self.token_d3.eq(token_d2),
            self.acc.eq(add.o),
            before.eq(r_port.data),
        ]
        if on_target(EndTotal, platform).zero_idle and not config.pool_codes:
            m.d.sync += self.ended.eq(add.o)
            with m.If(~(token_d2.valid & token_d2.last)):
                m.d.sync += self.ended.eq(0)
        else:
            m.d.comb += self.ended.eq(self.acc)
        with m.If(token_d1.first):  # a register that is reset takes no logic
            m.d.sync += before.eq(0)
        return m
