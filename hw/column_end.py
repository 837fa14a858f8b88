"""The end of one column: offset, pooling, and the output's way out, bit by bit."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.tokens import end_token, mode_token, sum_token


class ColumnEnd(wiring.Component):
    """Turns accumulated sums into bits, codes or raw results, lowest bit first.

    ``pooled = max over the pixels between pool_first and pool_last of ((acc + offset) ^ flip)``,
    then a threshold's bit is ``pooled >= 0`` and a code is ``clip(pooled >> shift)``: with
    ``offset = -threshold - 1`` the bit is 1 iff the sum exceeds the threshold, and with `flip`
    (all bits inverted, ``-x - 1``) iff it does not. The maximum before the end equals the maximum
    after it, since both ends are monotone. A code is shifted one bit a cycle, which needs no
    barrel shifter.

    **Timing**: `pooled` is there 2 cycles after `acc` and its token; the `load` step must come
    then, the other steps after it; `serial` carries a bit one cycle after its `out` step.

    **Numbers**: ``acc + offset`` must fit `acc_bits`; the lowering proves it.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    mode : In(mode_token())
        What holds for the run.
    token : In(sum_token(config))
        The token beside `acc`.
    take : In(1)
        Put the waiting offset and flip to use.
    shift : In(1)
        Shift `byte` into the waiting offset.
    byte : In(8)
        One byte of offset and flip, least significant first.
    acc : In(signed(acc_bits))
        The accumulated sum.
    step : In(end_token())
        One step of the way out.
    serial : Out(1)
        The output's bits.
    """

    latency = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "mode": In(mode_token()),
                "token": In(sum_token(config)),
                "take": In(1),
                "shift": In(1),
                "byte": In(8),
                "acc": In(signed(config.acc_bits)),
                "step": In(end_token()),
                "serial": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.config.acc_bits
        waiting = Signal(8 * self.config.parameter_rows)
        offset = Signal(signed(bits))
        flip = Signal()
        with m.If(self.shift):
            m.d.sync += waiting.eq(Cat(waiting[8:], self.byte))
        with m.If(self.take):
            m.d.sync += [offset.eq(waiting[:bits]), flip.eq(waiting[bits])]

        s1_sum = Signal(signed(bits))
        s1_valid = Signal()
        s1_first = Signal()
        m.d.sync += [
            s1_sum.eq((self.acc + offset)[:bits] ^ flip.replicate(bits)),
            s1_valid.eq(self.token.valid & self.token.last),
            s1_first.eq(self.token.pool_first),
        ]
        pooled = Signal(signed(bits))
        with m.If(s1_valid & (s1_first | (s1_sum > pooled))):
            m.d.sync += pooled.eq(s1_sum)

        value = Signal(signed(bits))
        above = Signal(bits)  # a bit of the value that no code of so many planes has
        m.d.comb += above.eq(value & ~((1 << self.mode.planes) - 1))
        with m.If(self.step.load):
            m.d.sync += value.eq(pooled)
        with m.Elif(self.step.clip):
            with m.If(~self.mode.raw):
                with m.If(value[-1]):
                    m.d.sync += value.eq(0)
                with m.Elif(above.any()):
                    m.d.sync += value.eq(-1)
        with m.Elif(self.step.shift | self.step.out):
            m.d.sync += value.eq(value >> 1)
        m.d.sync += self.serial.eq(Mux(self.mode.bits, ~value[-1], value[0]))
        return m
