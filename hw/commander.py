"""Takes commands, answers each with one packet, and refuses what it cannot do."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.ingest import COUNT_BITS
from hw.packets import HEADER, MAGIC, STREAM, Command, Error, Reply
from hw.program import REACH
from hw.tokens import write_token


class Commander(wiring.Component):
    """Decodes the input stream: program, weights, start and codes.

    A packet that is too short or too long, unknown, out of range or untimely is read to its end
    and answered with an error; what it wrote before the error was found stays written.

    **Timing**: one program word per cycle, one weight per cycle, codes as the ingest takes them;
    the reply follows the last word.

    Parameters
    ----------
    config
        The machine.
    identity
        32 bits that tell this machine from another; HELLO returns them.

    Members
    -------
    i : In(STREAM)
        Commands.
    o : Out(STREAM)
        Replies.
    busy : In(1)
        A program runs.
    start : Out(1)
        Start it.
    start_addr : Out(16)
        Where.
    total : Out(28)
        Codes of the clip.
    size : Out(16)
        Size of the code ring.
    p_en : Out(1)
        Write the program memory.
    p_addr : Out(16)
        Word to write.
    p_data : Out(32)
        The word.
    write : Out(write_token(config))
        Weight to write.
    codes : Out(32)
        Four codes.
    codes_valid : Out(1)
        They are there.
    codes_ready : In(1)
        The ingest takes them.
    codes_full : In(1)
        The clip is complete.
    """

    def __init__(self, config: Config, *, identity: int) -> None:
        self.config = config
        self.identity = identity
        super().__init__(
            {
                "i": In(STREAM),
                "o": Out(STREAM),
                "busy": In(1),
                "start": Out(1),
                "start_addr": Out(16),
                "total": Out(COUNT_BITS),
                "size": Out(16),
                "p_en": Out(1),
                "p_addr": Out(16),
                "p_data": Out(32),
                "write": Out(write_token(config)),
                "codes": Out(32),
                "codes_valid": Out(1),
                "codes_ready": In(1),
                "codes_full": In(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        word = self.i.p.data
        head = data.View(HEADER, word)
        command, error = Signal(8), Signal(8)
        left = Signal(24)  # payload words to come
        address, beyond = Signal(16), Signal()  # of the program, or of the weights' row
        weights, held = Signal(32), Signal(3)  # the first also holds the size of the code ring
        column = Signal(range(config.columns))
        taken = self.i.valid & self.i.ready
        in_step = self.i.p.last == (left == 1)  # packet and count end together

        def leave(state: str) -> None:
            """After a word of the payload: the next state, or the reply, or an error."""
            m.next = state
            with m.If(self.i.p.last):
                m.next = "REPLY"
            with m.If(~in_step):
                refuse(Error.LENGTH)

        def refuse(why: Error) -> None:
            m.d.sync += error.eq(why)
            m.next = "DISCARD"
            with m.If(self.i.p.last):
                m.next = "REPLY"

        last_column = column == config.columns - 1
        # A depth that is no power of two is compared with one address, a word ahead of its use.
        last_word = _is_last(address, config.program_words)
        last_row = _is_last(address, config.weight_rows)
        new_row = last_column & (held != 0)
        with m.If(taken):
            m.d.sync += left.eq(left - 1)
        m.d.comb += [
            self.p_addr.eq(address),
            self.p_data.eq(word),
            self.size.eq(weights),
            self.codes.eq(word),
        ]
        with m.FSM():
            with m.State("HEADER"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [command.eq(head.kind), left.eq(head.value), error.eq(0)]
                    with m.Switch(head.kind):
                        with m.Case(Command.HELLO):
                            m.next = "REPLY"
                            with m.If(~self.i.p.last | (head.value != 0)):
                                refuse(Error.LENGTH)
                        with m.Case(Command.PROGRAM, Command.WEIGHTS, Command.START):
                            m.next = "ADDRESS"
                            with m.If(self.i.p.last | (head.value == 0)):
                                refuse(Error.LENGTH)
                            with m.Elif(self.busy):
                                refuse(Error.BUSY)
                        with m.Case(Command.CODES):
                            m.next = "CODES"
                            with m.If(self.i.p.last | (head.value == 0)):
                                refuse(Error.LENGTH)
                            with m.Elif(~self.busy):
                                refuse(Error.IDLE)
                        with m.Default():
                            refuse(Error.UNKNOWN)
            with m.State("ADDRESS"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [address.eq(word), column.eq(0)]
                    with m.Switch(command):
                        with m.Case(Command.PROGRAM):
                            m.d.sync += beyond.eq(~_below(word[:16], config.program_words))
                            leave("PROGRAM")
                        with m.Case(Command.WEIGHTS):
                            m.d.sync += beyond.eq(~_below(word[:16], config.weight_rows))
                            leave("WEIGHTS")
                        with m.Default():
                            leave("TOTAL")
                            with m.If(self.i.p.last):
                                refuse(Error.LENGTH)
                    with m.If(word[16:] != 0):
                        refuse(Error.RANGE)
            with m.State("PROGRAM"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += [address.eq(address + 1), beyond.eq(beyond | last_word)]
                    m.d.comb += self.p_en.eq(~beyond)
                    leave("PROGRAM")
                    with m.If(beyond):
                        refuse(Error.RANGE)
            with m.State("WEIGHTS"):
                m.d.comb += self.i.ready.eq(held <= 1)
                with m.If(taken):
                    m.d.sync += [weights.eq(word), held.eq(4)]
                    leave("WEIGHTS")
                    with m.If(beyond | new_row & last_row):
                        m.d.sync += held.eq(0)
                        refuse(Error.RANGE)
            with m.State("TOTAL"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += self.total.eq(word)
                    leave("SIZE")
                    with m.If(self.i.p.last):
                        refuse(Error.LENGTH)
                    with m.Elif((word == 0) | (word[COUNT_BITS:] != 0)):
                        refuse(Error.RANGE)
            with m.State("SIZE"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken):
                    m.d.sync += weights.eq(word)
                    m.next = "START"
                    with m.If(~self.i.p.last | ~in_step):
                        refuse(Error.LENGTH)
                    with m.Elif((word == 0) | ~_at_most(word, min(config.code_words, REACH - 1))):
                        refuse(Error.RANGE)
            with m.State("START"):
                m.d.comb += self.start.eq(1)
                m.next = "REPLY"
            with m.State("CODES"):
                m.d.comb += [
                    self.i.ready.eq(self.codes_ready | self.codes_full),
                    self.codes_valid.eq(self.i.valid & ~self.codes_full),
                ]
                with m.If(taken):
                    leave("CODES")
                    with m.If(self.codes_full):
                        refuse(Error.LENGTH)
            with m.State("DISCARD"):
                m.d.comb += self.i.ready.eq(1)
                with m.If(taken & self.i.p.last):
                    m.next = "REPLY"
            with m.State("REPLY"):
                m.d.comb += [
                    self.o.valid.eq(held == 0),  # the last weights have been written
                    self.o.p.data.eq(
                        Mux(
                            error == 0,
                            Cat(command, Const(0, 16), Const(Reply.OK, 8)),
                            Cat(error, Const(0, 16), Const(Reply.ERROR, 8)),
                        ),
                    ),
                    self.o.p.last.eq((error != 0) | (command != Command.HELLO)),
                ]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "MAGIC"
                    with m.If(self.o.p.last):
                        m.next = "HEADER"
            with m.State("MAGIC"):
                m.d.comb += [self.o.valid.eq(1), self.o.p.data.eq(MAGIC)]
                with m.If(self.o.ready):
                    m.next = "IDENTITY"
            with m.State("IDENTITY"):
                m.d.comb += [
                    self.o.valid.eq(1), self.o.p.data.eq(self.identity), self.o.p.last.eq(1),
                ]
                with m.If(self.o.ready):
                    m.next = "HEADER"
        m.d.comb += [
            self.start_addr.eq(address),
            self.write.valid.eq((held != 0) & ~beyond),
            self.write.first.eq(column == 0),
            self.write.addr.eq(address),
            self.write.data.eq(weights[:8]),
        ]
        with m.If((held != 0) & ~(taken & (held == 1))):
            m.d.sync += held.eq(held - 1)
        with m.If(held != 0):
            m.d.sync += column.eq(Mux(last_column, 0, column + 1))
            with m.If(last_column):
                m.d.sync += [address.eq(address + 1), beyond.eq(beyond | last_row)]
            with m.If(~taken):
                m.d.sync += weights.eq(weights >> 8)
        return m


def _below(value: Value, limit: int) -> Value:
    """Return ``value < limit``; with a power of two, of which tools make an adder, by its bits."""
    if limit & limit - 1:
        return value < limit
    return value[limit.bit_length() - 1 : len(value)] == 0


def _is_last(value: Value, limit: int) -> Value:
    """Return ``value == limit - 1`` where value is below the limit."""
    bits = max(1, (limit - 1).bit_length())
    return value[:bits] == limit - 1


def _at_most(value: Value, limit: int) -> Value:
    """Return ``value <= limit``, compared in as few bits as the limit has."""
    bits = limit.bit_length()
    return (value[bits:] == 0) & (value[:bits] <= limit)
