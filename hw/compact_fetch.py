"""Fetches a run's passes from the program in a compact machine, each as the one before it ends."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.program import LAYER, PASS


class CompactFetch(wiring.Component):
    """Reads the layer's passes in a circle, two program words each; one of them stays in memory.

    The entry holds until its pass has ended, so that nobody needs a copy.

    **Timing**: `valid` rises 3 cycles after `go` and `latency` cycles after `done`.

    ====== ===========================
    cycle  what happens
    ====== ===========================
    0      `done`; first word is read
    1      second word is read, first here
    2      second word here: `valid`
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
    done : In(1)
        A pass ends; fetch the next.
    r_en : Out(1)
        Read the program memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(32)
        The word, from the next cycle until another is read.
    valid : Out(1)
        `entry` is there.
    entry : Out(PASS)
        The pass.
    """

    latency = 2

    def __init__(self, *, program_words: int, pass_bits: int) -> None:
        self.program_words = program_words
        self.pass_bits = pass_bits
        super().__init__(
            {
                "go": In(1),
                "layer": In(LAYER),
                "done": In(1),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_data": In(32),
                "valid": Out(1),
                "entry": Out(PASS),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left = Signal(self.pass_bits)  # passes until the circle closes, the next one counted
        first = Signal(32)
        at = Signal(range(self.program_words))
        m.d.comb += [self.r_addr.eq(at), self.entry.eq(Cat(first, self.r_data))]
        with m.If(self.r_en):
            m.d.sync += at.eq(at + 1)
        with m.FSM():
            with m.State("VALID"):  # also before the first run, when nobody takes
                m.d.comb += [self.valid.eq(1), self.r_en.eq(self.done)]
                with m.If(self.done):
                    m.next = "SECOND"
                with m.If(self.go):
                    m.d.sync += [left.eq(self.layer.passes), at.eq(self.layer.passes_at)]
                    m.next = "FIRST"
            with m.State("FIRST"):
                m.d.comb += self.r_en.eq(1)
                m.next = "SECOND"
            with m.State("SECOND"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += [first.eq(self.r_data), left.eq(left - 1)]
                with m.If(left == 1):
                    m.d.sync += [left.eq(self.layer.passes), at.eq(self.layer.passes_at)]
                m.next = "VALID"
        return m
