"""Sends maps and raw results out."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.packets import STREAM, Reply, header
from hw.program import READ, RESULT


class Reader(wiring.Component):
    """Turns READ and RESULT into packets.

    A raw result stands in the map memory plane by plane, one bit of it (or byte) in its lane of
    each word; it is gathered in as many cycles as it has of them and sign-extended.

    **Timing**: a result takes ``acc_bits / act_bits + 4`` cycles from `result_go` to its word on
    the stream, one more with its header.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    read_go : In(1)
        Send a map.
    read : In(READ)
        Which.
    result_go : In(1)
        Send a raw result.
    result : In(RESULT)
        Which.
    cycles : In(32)
        Cycles since the first code, this one counted.
    done : Out(1)
        The packet, or this result of it, has left.
    r_en : Out(1)
        Read the map memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(word_bits)
        The word, two cycles later.
    o : Out(STREAM)
        The packets.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "read_go": In(1),
                "read": In(READ),
                "result_go": In(1),
                "result": In(RESULT),
                "cycles": In(32),
                "done": Out(1),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_data": In(config.word_bits),
                "o": Out(STREAM),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, width = self.config.acc_bits, self.config.act_bits
        pieces = -(-self.config.word_bits // 32)
        left = Signal(16)
        kind = Signal(32)
        result = Signal(RESULT)
        is_result = Signal()
        value = Signal(signed(bits))
        piece = Signal(range(pieces))
        cycles = Signal(32)
        at = Signal(self.config.map_address_bits)
        m.d.comb += self.r_addr.eq(at)
        part = Signal(32 * pieces)  # a word, from which a piece or a lane is chosen
        words = Array(part.word_select(k, 32) for k in range(pieces))
        lanes = Array(part.word_select(k, width) for k in range(self.config.lanes))
        sent = self.o.valid & self.o.ready
        m.d.sync += part.eq(self.r_data)
        take = value.eq(Cat(value[width:], lanes[result.lane]))
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.read_go):
                    m.d.sync += [
                        kind.eq(Cat(self.read.layer, Const(Reply.MAP, 8))),
                        left.eq(self.read.count),
                        at.eq(self.read.start),
                        is_result.eq(0),
                    ]
                    m.next = "HEADER"
                with m.If(self.result_go):
                    m.d.sync += [
                        kind.eq(header(Reply.RESULT, 0)),
                        left.eq(bits // width),
                        at.eq(self.result.start),
                        result.eq(self.result),
                        is_result.eq(1),
                    ]
                    m.next = "GATHER"
                    with m.If(self.result.first):
                        m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(kind)]
                m.d.comb += self.o.p.last.eq(~is_result & (left == 0))
                with m.If(sent):
                    m.next = "GATHER"
                    with m.If(~is_result):
                        m.next = "FETCH"
                        with m.If(left == 0):
                            m.d.comb += self.done.eq(1)
                            m.next = "IDLE"
            with m.State("FETCH"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += [at.eq(at + 1), left.eq(left - 1)]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.next = "HOLD"
            with m.State("HOLD"):
                m.d.sync += piece.eq(0)
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(words[piece]),
                    self.o.p.last.eq((left == 0) & (piece == pieces - 1)),
                ]
                with m.If(sent):
                    m.d.sync += piece.eq(piece + 1)
                    with m.If(piece == pieces - 1):
                        m.next = "FETCH"
                        with m.If(left == 0):
                            m.d.comb += self.done.eq(1)
                            m.next = "IDLE"
            with m.State("GATHER"):
                m.d.comb += self.r_en.eq(left != 0)
                m.d.sync += [at.eq(at + self.config.row_words), left.eq(left - 1), take]
                with m.If(left == 0):
                    m.next = "LAST_BUT_ONE"
            with m.State("LAST_BUT_ONE"):
                m.d.sync += take
                m.next = "LAST"
            with m.State("LAST"):
                m.d.sync += take
                m.next = "VALUE"
            with m.State("VALUE"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(value)]
                with m.If(sent):
                    m.d.sync += cycles.eq(self.cycles)
                    m.next = "CYCLES"
                    with m.If(~result.last):
                        m.d.comb += self.done.eq(1)
                        m.next = "IDLE"
            with m.State("CYCLES"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(cycles), self.o.p.last.eq(1)]
                with m.If(sent):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m
