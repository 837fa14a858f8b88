"""The end of one column that takes maxima of codes: its outputs leave bit by bit."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.tokens import end_token, mode_token, sum_token


class PooledEnd(wiring.Component):
    """As `hw.column_end.ColumnEnd`, and of several pixels the greatest code leaves.

    It is that of the greatest total, since all that follows is monotone. While an output leaves,
    the next one's pixels come; so it leaves from a register of its own.

    **Timing**: the `load` step comes `latency` cycles after `acc` and its token, the other steps
    after it; `serial` carries a bit `serial_lag` cycles after its `out` step.

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
    shift : In(1)
        Shift `byte` into offset and flip.
    byte : In(8)
        One byte of them, least significant first.
    acc : In(signed(acc_bits))
        The accumulated sum.
    step : In(end_token())
        One step of the way out.
    serial : Out(1)
        The output's bits.
    """

    latency = 2
    serial_lag = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "mode": In(mode_token()),
                "token": In(sum_token(config)),
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
        parameters = Signal(8 * self.config.parameter_rows)
        with m.If(self.shift):
            m.d.sync += parameters.eq(Cat(parameters[8:], self.byte))
        offset, flip = parameters[:bits].as_signed(), parameters[bits]

        total = Signal(signed(bits))
        s1_valid, s1_first = Signal(), Signal()
        m.d.sync += [
            total.eq(self.acc + offset),
            s1_valid.eq(self.token.valid & self.token.last),
            s1_first.eq(self.token.pool_first),
        ]
        hit, bit = Signal(), Signal()
        with m.If(s1_valid):
            m.d.sync += hit.eq((hit & ~s1_first) | (~total[-1] ^ flip))
        m.d.sync += bit.eq(hit)
        greatest = Signal(signed(bits))
        with m.If(s1_valid & (s1_first | (total > greatest))):
            m.d.sync += greatest.eq(total)

        value = Signal(bits)
        beyond = Signal()  # the code is limited to its greatest
        with m.If(self.step.load):
            m.d.sync += [value.eq(greatest), beyond.eq(0)]
            with m.If(greatest[-1] & ~self.mode.raw):
                m.d.sync += value.eq(0)
        with m.Elif(self.step.shift):
            m.d.sync += [
                value.eq(value << 1),
                beyond.eq(beyond | (value[-1] & ~self.step.out)),
            ]
        with m.If(self.mode.bits):
            m.d.sync += self.serial.eq(bit)
        with m.Else():
            m.d.sync += self.serial.eq(beyond | value[-1])
        return m
