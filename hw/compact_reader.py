"""Sends maps and raw results out of a compact machine."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.packets import STREAM, Reply, header
from hw.pieces import piece
from hw.program import READ, RESULT


class CompactReader(wiring.Component):
    """What `hw.reader.Reader` does, with one register for headers and results and none for maps.

    The map memory holds its word until the next one is read; the counter of cycles stops for good
    with the last result.

    **Timing**: a result takes ``acc_bits / act_bits + 2`` cycles from `result_go` to its word on
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
        Which; until `done`.
    cycles : In(32)
        Cycles since the first code, this one counted.
    stop : Out(1)
        The last result leaves: `cycles` shall stay as it is.
    done : Out(1)
        The packet, or this result of it, has left.
    r_en : Out(1)
        Read the map memory.
    r_addr : Out(16)
        Word to read.
    r_data : In(word_bits)
        The word, from the next cycle until another is read.
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
                "stop": Out(1),
                "done": Out(1),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_data": In(config.word_bits),
                "o": Out(STREAM),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        bits, width = config.acc_bits, config.act_bits
        pieces = -(-config.word_bits // 32)
        most = max(config.map_words, bits // width)
        left, at = Signal(range(most + 1)), Signal(config.map_address_bits)
        number = Signal(range(pieces))
        value = Signal(32)  # a header; then its top bits gather a result
        is_result = Signal()
        sent = self.o.valid & self.o.ready
        gathered = value[32 - bits :].as_signed()
        part = Signal(32 * pieces)
        m.d.comb += [self.r_addr.eq(at), part.eq(self.r_data)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += is_result.eq(self.result_go)
                with m.If(self.read_go):
                    m.d.sync += [
                        value.eq(Cat(self.read.layer, Const(Reply.MAP, 8))),
                        left.eq(self.read.count),
                        at.eq(self.read.start),
                    ]
                    m.next = "HEADER"
                with m.If(self.result_go):
                    m.d.sync += [
                        value.eq(header(Reply.RESULT, 0)),
                        left.eq(bits // width),
                        at.eq(self.result.start),
                    ]
                    m.next = "GATHER"
                    with m.If(self.result.first):
                        m.next = "HEADER"
            with m.State("HEADER"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(value),
                    self.o.p.last.eq(~is_result & (left == 0)),
                ]
                with m.If(sent):
                    m.next = "GATHER"
                    with m.If(~is_result):
                        m.next = "FETCH"
                        with m.If(left == 0):
                            m.d.comb += self.done.eq(1)
                            m.next = "IDLE"
            with m.State("FETCH"):
                m.d.comb += self.r_en.eq(1)
                m.d.sync += [at.eq(at + 1), left.eq(left - 1), number.eq(0)]
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.p.data.eq(piece(part, number, 32)),
                    self.o.p.last.eq((left == 0) & (number == pieces - 1)),
                ]
                with m.If(sent):
                    m.d.sync += number.eq(number + 1)
                    with m.If(number == pieces - 1):
                        m.next = "FETCH"
                        with m.If(left == 0):
                            m.d.comb += self.done.eq(1)
                            m.next = "IDLE"
            with m.State("GATHER"):
                m.d.comb += self.r_en.eq(left != 0)
                m.d.sync += [
                    at.eq(at + config.row_words),
                    left.eq(left - 1),
                    value.eq(Cat(value[width:], piece(part, self.result.lane, width))),
                ]
                with m.If(left == 0):
                    m.next = "VALUE"
            with m.State("VALUE"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(gathered)]
                with m.If(sent):
                    m.d.comb += [self.stop.eq(self.result.last), self.done.eq(~self.result.last)]
                    m.next = "IDLE"
                    with m.If(self.result.last):
                        m.next = "CYCLES"
            with m.State("CYCLES"):
                m.d.comb += [
                    self.o.valid.eq(1), self.o.p.data.eq(self.cycles), self.o.p.last.eq(1),
                ]
                with m.If(sent):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
        return m
