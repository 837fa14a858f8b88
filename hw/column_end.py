"""The end of one column: offset, maximum of bits, and the output's way out, bit by bit."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.end_total import EndTotal
from hw.tokens import end_token, mode_token, sum_token
from hw.variants import on_target


class ColumnEnd(wiring.Component):
    """Turns accumulated sums into bits, codes or raw results, highest bit first.

    With ``total = acc + offset`` a threshold's bit is ``(total >= 0) ^ flip``: with
    ``offset = -threshold - 1`` it is 1 iff the sum exceeds the threshold, or iff it does not. A
    maximum of bits is their OR. A code is ``clip(total >> shift)``; as its bits leave highest
    first, those above a code's range go by before the first that belongs to it and say whether it
    is limited, and those below stay behind: no shifter, no comparison. A code's pixel stands alone;
    where maxima of codes are wanted, see `hw.pooled_end`.

    **Timing**: the `load` step comes `latency` cycles after `acc` and its token, the other steps
    after it; `serial` carries a bit `serial_lag` cycles after its `out` step.

    ========================= ==============================================
    cycle after `load`        what happens
    ========================= ==============================================
    1                         total, its sign; first bit chosen, total doubles
    1 + serial_lag            first bit on `serial`
    ========================= ==============================================

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
        The accumulated sum, as `hw.end_total.EndTotal` wants it.
    step : In(end_token())
        One step of the way out.
    serial : Out(1)
        The output's bits.
    """

    latency = 0
    serial_lag = 2

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

        total = m.submodules.total = on_target(EndTotal, platform)(bits=bits)
        s1_valid, s1_first, s1_step = Signal(), Signal(), Signal(end_token())
        m.d.comb += [
            total.i.eq(self.acc),
            total.offset.eq(offset),
            total.load.eq(self.token.valid & self.token.last),
            total.shift.eq(self.step.shift),
        ]
        top = total.total[-1]
        bit, hit = Signal(), Signal()
        m.d.sync += [
            s1_valid.eq(total.load),
            s1_first.eq(self.token.pool_first),
            s1_step.eq(self.step),
            bit.eq(top),
        ]
        with m.If(s1_valid):
            m.d.sync += hit.eq((hit & ~s1_first) | (~top ^ flip))

        negative, beyond = Signal(), Signal()  # the code is limited to 0, to its greatest
        with m.If(s1_step.load):
            m.d.sync += [negative.eq(top & ~self.mode.raw), beyond.eq(0)]
        with m.Elif(s1_step.shift):
            m.d.sync += beyond.eq(beyond | (bit & ~s1_step.out))
        with m.If(self.mode.bits):
            m.d.sync += self.serial.eq(hit)
        with m.Else():
            m.d.sync += self.serial.eq((beyond | bit) & ~negative)
        return m
