"""The partial sums of one column."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.tokens import sum_token


class Accumulator(wiring.Component):
    """Adds one pixel's sum to its partial sum: ``acc = (first ? 0 : partial << shift) + sum``.

    **Timing**: the token comes one cycle before its sum; `acc` is there 2 cycles after the token.
    A pixel's partial sum may be read again 3 cycles after its token.

    ===== ======================= =========================
    cycle token of pixel p        what happens
    ===== ======================= =========================
    0     `token`                 partial[p] is read
    1     `token_d1`              `sum` is here and is added
    2     `token_d2`              `acc` is here; partial[p] is written unless `last`
    ===== ======================= =========================

    **Numbers**: `acc_bits` hold every prefix of a layer's sum; the lowering proves it.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    token : In(sum_token(config))
        What to do, a cycle before the sum.
    token_d1 : Out(sum_token(config))
        The same a cycle later.
    token_d2 : Out(sum_token(config))
        The same beside `acc`.
    sum : In(signed(...))
        The array's sum.
    acc : Out(signed(acc_bits))
        The accumulated sum.
    """

    latency = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        token = sum_token(config)
        super().__init__(
            {
                "token": In(token),
                "token_d1": Out(token),
                "token_d2": Out(token),
                "sum": In(signed(config.array_sum_bits)),
                "acc": Out(signed(config.acc_bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        partial = m.submodules.partial = Memory(
            shape=signed(config.acc_bits), depth=config.partial_sums, init=[],
        )
        r_port = partial.read_port()
        w_port = partial.write_port()
        m.d.comb += [
            r_port.addr.eq(self.token.addr),
            r_port.en.eq(self.token.valid),
            w_port.addr.eq(self.token_d2.addr),
            w_port.en.eq(self.token_d2.valid & ~self.token_d2.last),
            w_port.data.eq(self.acc),
        ]
        before = Signal(signed(config.acc_bits))
        doubled = Mux(self.token_d1.shift[0], r_port.data << 1, r_port.data)
        m.d.comb += before.eq(
            Mux(self.token_d1.shift[1], r_port.data << config.groups, doubled),
        )
        m.d.sync += [
            self.token_d1.eq(self.token),
            self.token_d2.eq(self.token_d1),
            self.acc.eq(Mux(self.token_d1.first, 0, before) + self.sum),
        ]
        return m
