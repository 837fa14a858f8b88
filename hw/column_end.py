"""The end of one column: offset, pooling, and the output's way out, bit by bit."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.tokens import end_token, mode_token, sum_token


class ColumnEnd(wiring.Component):
    """Turns accumulated sums into bits, codes or raw results, highest bit first.

    With ``total = acc + offset`` a threshold's bit is ``(total >= 0) ^ flip``: with
    ``offset = -threshold - 1`` it is 1 iff the sum exceeds the threshold, or iff it does not. A
    maximum of bits is their OR. A code is ``clip(total >> shift)``; as its bits leave highest
    first, those above a code's range go by before the first that belongs to it and say whether it
    is limited, and those below stay behind: no shifter, no comparison. The maximum of codes, where
    the machine has it, is that of their totals, since the end is monotone.

    **Timing**: the `load` step comes `column_end_latency` cycles after `acc` and its token, the
    other steps after it; `serial` carries a bit one cycle after its `out` step.

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
        hit = Signal()
        with m.If(s1_valid):
            m.d.sync += hit.eq((hit & ~s1_first) | (~total[-1] ^ flip))
        bit, greatest = hit, total
        if self.config.pool_codes:
            greatest = Signal(signed(bits))
            with m.If(s1_valid & (s1_first | (total > greatest))):
                m.d.sync += greatest.eq(total)
            bit = Signal()
            m.d.sync += bit.eq(hit)

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


def column_end_latency(config: Config) -> int:
    """Cycles from `acc` to the output's `load` step."""
    return 2 if config.pool_codes else 1
