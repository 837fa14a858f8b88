"""Walks the lowered program in a compact machine."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compact_ingest import ring_bits
from hw.ingest import RING_BITS
from hw.program import LAYER, READ, RESULT, RUN, SIMPLE, Op
from hw.sequencer import LAYER_WORDS, RUN_WORDS


class CompactSequencer(wiring.Component):
    """What `hw.sequencer.Sequencer` does, with the memory's output as instruction register.

    The memory holds its word until the next one is read, and nobody reads while the instruction
    needs it. The layer is read before the run's place, so that the next instruction's address is
    there in the end; a word is kept where it belongs, its unused bits nowhere.

    **Timing**: an instruction takes 2 cycles to fetch and decode; LIMIT and a fulfilled WAIT no
    more. `go` comes 14 cycles after RUN was decoded.

    Parameters
    ----------
    program_words
        Depth of the program memory.
    code_words
        Depth of the code memory.

    Members
    -------
    start : In(1)
        Begin.
    start_addr : In(16)
        Where.
    busy : Out(1)
        A program runs.
    received : In(17)
        Codes accepted so far, modulo ``2 ** ring_bits(code_words)``, see `hw.compact_ingest`.
    limit : Out(17)
        Codes that may be accepted, likewise.
    r_en : Out(1)
        Read the program memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(32)
        The word, from the next cycle until another is read.
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
        Which; until it has left.
    reader_done : In(1)
        It has left.
    """

    def __init__(self, *, program_words: int, code_words: int) -> None:
        self.program_words = program_words
        self.code_words = code_words
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
        word = self.r_data
        simple = data.View(SIMPLE, word)
        count = LAYER_WORDS + RUN_WORDS
        words = [Signal(32, name=f"word_{k}") for k in range(count)]
        index = Signal(range(count + 1))
        at, after = (Signal(range(self.program_words)) for _ in range(2))
        bits = ring_bits(self.code_words)
        limit = Signal(bits)
        ahead = Signal(bits)  # of the codes waited for; negative as long as some are missing
        m.d.comb += [
            self.r_addr.eq(at),
            self.limit.eq(limit),
            ahead.eq(self.received - simple.count),
            self.layer.eq(Cat(words[:LAYER_WORDS])),
            self.run.eq(Cat(Const(0, 32), words[LAYER_WORDS:])),
            self.result.eq(word),
            self.read.eq(Cat(words[0], word)),
            self.busy.eq(1),
        ]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.start):
                    m.d.sync += [at.eq(self.start_addr), limit.eq(0)]
                    m.next = "FETCH"
            with m.State("FETCH"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += at.eq(at + 1)
                m.next = "DECODE"
            with m.State("DECODE"), m.Switch(simple.op):
                with m.Case(Op.LIMIT):
                    m.d.sync += limit.eq(simple.count)
                    m.next = "FETCH"
                with m.Case(Op.WAIT), m.If(~ahead[-1]):
                    m.next = "FETCH"
                with m.Case(Op.RUN):
                    m.d.sync += [index.eq(0), at.eq(word[:16]), after.eq(at)]
                    m.next = "GATHER"
                with m.Case(Op.READ):
                    m.d.comb += self.r_en.eq(1)
                    m.d.sync += [at.eq(at + 1), words[0].eq(word)]
                    m.next = "READ_GO"
                with m.Case(Op.RESULT):
                    m.d.comb += self.result_go.eq(1)
                    m.next = "RESULT"
                with m.Default():
                    m.next = "IDLE"
            with m.State("GATHER"):
                m.d.comb += self.r_en.eq(index != count)
                m.d.sync += index.eq(index + 1)
                with m.If(index != count):
                    m.d.sync += at.eq(at + 1)
                with m.If(index == LAYER_WORDS - 1):
                    m.d.sync += at.eq(after)
                with m.Switch(index):  # what was read a cycle before
                    for k, each in enumerate(words):
                        with m.Case(k + 1):
                            m.d.sync += each.eq(word)
                with m.If(index == count):
                    m.next = "GO"
            with m.State("GO"):
                m.d.comb += [self.go.eq(1), self.running.eq(1)]
                m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += self.running.eq(1)
                with m.If(self.run_done):
                    m.next = "FETCH"
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
