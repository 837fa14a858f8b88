"""The end of one column whose lanes take whole codes: its outputs leave at once."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.tokens import end_token, mode_token, sum_token


class CodeEnd(wiring.Component):
    """Turns accumulated sums into codes, one a cycle, or into raw results, highest byte first.

    ``code = clip((acc + offset) >> shift, 0, 255)``, then the maximum; a threshold's code is 0 or
    1. Where every layer but the last ends in codes, an output every fourth cycle (2x2 maximum) must
    not wait for its bits; so this end has the shifter that `hw.column_end.ColumnEnd` spares.

    **Timing**: the `load` step comes `latency` cycles after `acc` and its token; `serial` carries a
    byte `serial_lag` cycles after its `out` step. Raw results need four cycles between pixels.

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
    serial : Out(8)
        The output's bytes.
    """

    latency = 4
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
                "serial": Out(8),
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
        coarse = Signal(8 + 7)  # what the fine shift may still bring into the code
        code, hit = Signal(8), Signal()
        s2_negative, s2_beyond, s2_hit = Signal(), Signal(), Signal()
        valid, first = Signal(3), Signal(3)
        # The shift in two stages: by 0, 8, 16 or 24, then by 0 to 7.
        parts = [total >> 8 * k for k in range(4)]
        chosen = Signal(signed(bits))
        m.d.comb += chosen.eq(
            Mux(
                self.mode.shift[4],
                Mux(self.mode.shift[3], parts[3], parts[2]),
                Mux(self.mode.shift[3], parts[1], parts[0]),
            ),
        )
        shifted = Signal(len(coarse))
        m.d.comb += shifted.eq(coarse >> self.mode.shift[:3])
        m.d.sync += [
            valid.eq(Cat(self.token.valid & self.token.last, valid)),
            first.eq(Cat(self.token.pool_first, first)),
            s2_negative.eq(total[-1]),
            s2_beyond.eq(chosen[len(coarse):] != 0),
            s2_hit.eq(~total[-1] ^ flip),
            coarse.eq(chosen),
            hit.eq(s2_hit),
        ]
        with m.If(self.token.valid & self.token.last):
            m.d.sync += total.eq(self.acc + offset)
        limited = s2_beyond | (shifted[8:] != 0)
        m.d.sync += code.eq(Mux(s2_negative, 0, shifted[:8] | limited.replicate(8)))
        this = Mux(self.mode.bits, hit, code)
        greatest = Signal(8)
        with m.If(valid[2] & (first[2] | (this > greatest))):
            m.d.sync += greatest.eq(this)

        value = Signal(bits)
        with m.If(self.step.load):
            m.d.sync += value.eq(Mux(self.mode.raw, total, greatest << bits - 8))
        with m.Elif(self.step.shift):
            m.d.sync += value.eq(value << 8)
        m.d.sync += self.serial.eq(value[-8:])
        return m
