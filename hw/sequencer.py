"""Walks the lowered program."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.ingest import RING_BITS
from hw.program import LAYER, REACH, READ, RESULT, RUN, SIMPLE, Op

RUN_WORDS = RUN.size // 32 - 1
LAYER_WORDS = LAYER.size // 32


class Sequencer(wiring.Component):
    """Fetches instructions one after the other and waits for what each of them starts.

    **Timing**: an instruction takes 3 cycles to fetch and decode; LIMIT and a fulfilled WAIT no
    more. `go` comes 14 cycles after RUN was decoded, the time to read its place and its layer.

    Parameters
    ----------
    program_words
        Depth of the program memory.

    Members
    -------
    start : In(1)
        Begin.
    start_addr : In(16)
        Where.
    busy : Out(1)
        A program runs.
    received : In(17)
        Codes accepted so far, modulo 2^17.
    limit : Out(17)
        Codes that may be accepted, likewise.
    r_en : Out(1)
        Read the program memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(32)
        The word, a cycle later.
    running : Out(1)
        A run has the memories; else the reader has them.
    go : Out(1)
        A run begins.
    layer : Out(LAYER)
        Its layer.
    run : Out(RUN)
        Its place.
    run_done : In(1)
        The run has ended.
    read_go : Out(1)
        Send a map.
    read : Out(READ)
        Which.
    result_go : Out(1)
        Send a raw result.
    result : Out(RESULT)
        Which.
    reader_done : In(1)
        It has left.
    """

    def __init__(self, *, program_words: int = REACH) -> None:
        self.program_words = program_words
        super().__init__(
            {
                "start": In(1),
                "start_addr": In(16),
                "busy": Out(1),
                "received": In(RING_BITS),
                "limit": Out(RING_BITS),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_data": In(32),
                "running": Out(1),
                "go": Out(1),
                "layer": Out(LAYER),
                "run": Out(RUN),
                "run_done": In(1),
                "read_go": Out(1),
                "read": Out(READ),
                "result_go": Out(1),
                "result": Out(RESULT),
                "reader_done": In(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(32)  # the instruction; straight from the memory it would come too late
        simple = data.View(SIMPLE, word)
        count = RUN_WORDS + LAYER_WORDS
        words = Signal(32 * count)  # shifted in from the top
        index = Signal(range(count + 1))
        place = range(self.program_words)
        at, after, layer_at = Signal(place), Signal(place), Signal(place)
        ahead = Signal(RING_BITS)  # of the codes waited for; negative as long as some are missing
        m.d.comb += [
            self.r_addr.eq(at),
            ahead.eq(self.received - simple.count),
            self.run.eq(Cat(Const(0, 32), words[: 32 * RUN_WORDS])),
            self.layer.eq(words[32 * RUN_WORDS :]),
            self.result.eq(word),
            self.read.eq(Cat(word, words[-32:])),
            self.busy.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.d.sync += [at.eq(self.start_addr), self.limit.eq(0)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += at.eq(at + 1)
                m.next = "LATCH"
            with m.State("LATCH"):
                m.d.sync += word.eq(self.r_data)
                m.next = "DECODE"
            with m.State("DECODE"), m.Switch(simple.op):
                with m.Case(Op.LIMIT):
                    m.d.sync += self.limit.eq(simple.count)
                    m.next = "FETCH"
                with m.Case(Op.WAIT), m.If(~ahead[-1]):
                    m.next = "FETCH"
                with m.Case(Op.RUN):
                    m.d.sync += [
                        index.eq(0),
                        layer_at.eq(word[:16]),
                    ]
                    m.next = "GATHER"
                with m.Case(Op.READ):
                    m.d.comb += self.r_en.eq(1)
                    m.d.sync += at.eq(at + 1)
                    m.next = "READ"
                with m.Case(Op.RESULT):
                    m.d.comb += self.result_go.eq(1)
                    m.next = "RESULT"
                with m.Default():
                    m.next = "IDLE"
            with m.State("GATHER"):
                m.d.comb += self.r_en.eq(index != count)
                m.d.sync += [
                    index.eq(index + 1),
                    at.eq(at + 1),
                    words.eq(Cat(words[32:], self.r_data)),  # the first one is shifted out again
                ]
                with m.If(index == RUN_WORDS - 1):
                    m.d.sync += [at.eq(layer_at), after.eq(at + 1)]
                with m.If(index == count):
                    m.d.sync += at.eq(after)
                    m.next = "GO"
            with m.State("GO"):
                m.d.comb += [self.go.eq(1), self.running.eq(1)]
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.running.eq(1)
                with m.If(self.run_done):
                    m.next = "FETCH"
            with m.State("READ"):
                m.d.sync += words.eq(Cat(words[32:], self.r_data))
                m.next = "READ_GO"
            with m.State("READ_GO"):
                m.d.comb += self.read_go.eq(1)
                m.next = "READING"
            with m.State("READING"), m.If(self.reader_done):
                m.next = "FETCH"
            with m.State("RESULT"), m.If(self.reader_done):
                m.next = "FETCH"
                with m.If(self.result.last):
                    m.next = "IDLE"
        return m
