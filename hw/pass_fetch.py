"""Fetches the next pass of a run from the program while this one runs."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.program import LAYER, PASS, PASS_BITS, REACH


class PassFetch(wiring.Component):
    """Reads the layer's passes in a circle, two program words each.

    **Timing**: `valid` rises 4 cycles after `go` or `take` and stays until `take`.

    ====== ===========================
    cycle  what happens
    ====== ===========================
    0      `go` or `take`
    1      first word is read
    2      second word is read, first here
    3      second word here
    4      both in registers: `valid`
    ====== ===========================

    Parameters
    ----------
    program_words
        Depth of the program memory.
    pass_bits
        Width of the number of passes.

    Members
    -------
    go : In(1)
        A run begins.
    layer : In(LAYER)
        Its layer.
    take : In(1)
        The pass is taken; fetch the next.
    r_en : Out(1)
        Read the program memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(32)
        The word, a cycle later.
    valid : Out(1)
        `entry` is there.
    entry : Out(PASS)
        The pass.
    """

    latency = 4

    def __init__(self, *, program_words: int = REACH, pass_bits: int = PASS_BITS) -> None:
        self.program_words = program_words
        self.pass_bits = pass_bits
        super().__init__(
            {
                "go": In(1),
                "layer": In(LAYER),
                "take": In(1),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_data": In(32),
                "valid": Out(1),
                "entry": Out(PASS),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(self.pass_bits)  # passes until the circle closes, the fetched one counted
        last = Signal()  # there is one left; `left` has been the same for a while by `take`
        m.d.sync += last.eq(left == 1)
        first, second = Signal(32), Signal(32)
        at = Signal(range(self.program_words))
        m.d.comb += self.r_addr.eq(at)
        m.d.comb += self.entry.eq(Cat(first, second))
        with m.FSM():
            with m.State("VALID"):  # also before the first run, when nobody takes
                m.d.comb += self.valid.eq(1)
                with m.If(self.take):
                    m.d.sync += left.eq(left - 1)
                    m.next = "FIRST"
                with m.If(self.go | self.take & last):
                    m.d.sync += [
                        left.eq(self.layer.passes), at.eq(self.layer.passes_at),
                    ]
                with m.If(self.go):
                    m.next = "FIRST"
            with m.State("FIRST"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += at.eq(at + 1)
                m.next = "SECOND"
            with m.State("SECOND"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += [at.eq(at + 1), first.eq(self.r_data)]
                m.next = "THIRD"
            with m.State("THIRD"):
                m.d.sync += second.eq(self.r_data)
                m.next = "VALID"
        return m
