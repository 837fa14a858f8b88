"""The link's gateware: requests in, replies out, the machine's streams behind them."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect

from boards.link.checksum import Checksum
from boards.link.feeder import Feeder
from boards.link.framer import Framer
from boards.link.protocol import PIECE_WORDS, Kind
from boards.link.sender import Sender
from boards.link.uart import UartReceiver, UartTransmitter
from boards.link.unframer import Unframer
from hw.packets import STREAM
from hw.pieces import piece

HALF = 256
"""Bytes of the buffer for each direction: one block RAM of 4 kbit in all."""


LEAST_PATIENCE = 12
"""Bits of the patience at least: a reply of `PIECE_WORDS` words is made up within it."""


def check_patience(patience_bits: int) -> int:
    """Return `patience_bits`; one out of range is refused."""
    if not LEAST_PATIENCE <= patience_bits <= 24:
        raise ValueError(
            f"patience_bits must be from {LEAST_PATIENCE} to 24, not {patience_bits}",
        )
    return patience_bits


class Link(wiring.Component):
    """Does what `boards.link.protocol` says.

    One buffer holds the payload of a request, until the machine has taken it, and the last reply
    as it is sent, until the next request. It has one port to write and one to read: what comes from
    the line is written first, what goes to the line is read first. The checksum is made up for one
    direction at a time: a frame that comes while a reply is being made up is dropped; no host that
    waits for its reply sends one then.

    **Timing**: a reply is made up when the machine has taken the request's words (after LAST: when
    it has answered), or has sent a packet's end or `PIECE_WORDS` words, or ``2 ** patience_bits``
    cycles after the request; that takes 9 cycles a byte.

    Parameters
    ----------
    divisor
        Cycles of a bit on the line, at least 4.
    description
        What the board says of itself, whole words; the two counters follow.
    patience_bits
        See above, 12 to 24.

    Members
    -------
    rx : In(1)
        Line from the host.
    tx : Out(1)
        Line to the host.
    reset : Out(1)
        Reset the machine; for one cycle, in which no word moves.
    i : In(STREAM)
        Words from the machine.
    o : Out(STREAM)
        Words to the machine.
    """

    rx: Signal
    tx: Signal
    reset: Signal
    i: Any
    o: Any

    def __init__(self, *, divisor: int, description: bytes, patience_bits: int) -> None:
        self.divisor = divisor
        self.description = description
        self.patience_bits = check_patience(patience_bits)
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1, init=1),
                "reset": Out(1),
                "i": In(STREAM),
                "o": Out(STREAM),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        receiver = m.submodules.receiver = UartReceiver(divisor=self.divisor)
        unframer = m.submodules.unframer = Unframer()
        checksum = m.submodules.checksum = Checksum()
        feeder = m.submodules.feeder = Feeder()
        framer = m.submodules.framer = Framer()
        sender = m.submodules.sender = Sender()
        transmitter = m.submodules.transmitter = UartTransmitter(divisor=self.divisor)
        buffer = m.submodules.buffer = Memory(
            shape=8, depth=2 * HALF, init=[], attrs={"no_rw_check": 1},
        )
        read, write = buffer.read_port(), buffer.write_port()
        connect(m, sender.o, transmitter.i)
        connect(m, feeder.o, wiring.flipped(self.o))
        request, reply = Const(0, 1), Const(1, 1)  # the buffer's halves
        pending, framing = Signal(), Signal()  # a request waits; a reply is being made up
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            unframer.valid.eq(receiver.valid),
            unframer.data.eq(receiver.data),
            unframer.error.eq(receiver.error),
            unframer.busy.eq(framing | pending),
            unframer.match.eq(checksum.match),
            checksum.start.eq(unframer.start | framer.start),
            checksum.load.eq(unframer.load | framer.load),
            checksum.data.eq(Mux(framing, framer.byte, unframer.w_data)),
            framer.busy.eq(checksum.busy),
            framer.crc.eq(checksum.crc),
            framer.w_ready.eq(~unframer.w_en),
            write.en.eq(unframer.w_en | framer.w_en),
            write.addr.eq(
                Mux(
                    unframer.w_en, Cat(unframer.w_addr, request), Cat(framer.w_addr, reply),
                ),
            ),
            write.data.eq(Mux(unframer.w_en, unframer.w_data, framer.w_data)),
            feeder.r_ready.eq(~sender.r_en),
            feeder.r_data.eq(read.data),
            sender.r_data.eq(read.data),
            read.en.eq(sender.r_en | feeder.r_en),
            read.addr.eq(
                Mux(sender.r_en, Cat(sender.r_addr, reply), Cat(feeder.r_addr, request)),
            ),
        ]

        opened = Signal()  # there has been an OPEN
        sequence, following = Signal(8), Signal(8)
        dropped, repeated = Signal(16), Signal(16)
        drop = Signal()
        m.d.comb += [
            unframer.room.eq(~feeder.busy),
            feeder.words.eq(unframer.length),
            feeder.last.eq(unframer.kind == Kind.LAST),
        ]
        # The numbers stand long before a request is pending, and are compared ahead.
        follows, repeats = Signal(), Signal()
        m.d.sync += [
            following.eq(sequence + 1),
            follows.eq(unframer.sequence == following),
            repeats.eq(unframer.sequence == sequence),
        ]
        with m.If(unframer.bad | drop):
            m.d.sync += dropped.eq(dropped + 1)
        with m.If(unframer.good):
            m.d.sync += pending.eq(1)

        opens, asks = unframer.kind == Kind.OPEN, unframer.kind == Kind.ASK
        brings = (unframer.kind == Kind.WORDS) | (unframer.kind == Kind.LAST)
        describing, refused, brought = Signal(), Signal(), Signal()
        last = Signal()  # of the reply: it ends a packet
        place = Signal(8)  # bytes of its payload
        patience = Signal(self.patience_bits + 1)
        fixed = Const(int.from_bytes(self.description, "little"), 8 * len(self.description))
        said = Cat(fixed, dropped, repeated)
        end = len(said) // 8 - 1
        taken = framer.valid & framer.ready
        # A word of the machine is seen a cycle late and taken a cycle late: were it at once, what
        # the machine does next would hang, in one cycle, on what it offers and on all of this.
        # The framer takes a byte in two cycles, so that the next one is chosen a cycle ahead.
        there, taking, chosen = Signal(), Signal(), Signal(8)
        settled = Signal()  # what was brought is with the machine
        m.d.comb += self.i.ready.eq(taking)
        m.d.sync += [
            settled.eq(brought & ~feeder.busy),
            there.eq(self.i.valid & ~taking),
            taking.eq(0),
            chosen.eq(
                Mux(
                    describing,
                    piece(said, place[: end.bit_length()], 8),
                    piece(self.i.payload.data, place[:2], 8),
                ),
            ),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(pending):
                m.d.sync += [
                    pending.eq(0),
                    describing.eq(opens | asks),
                    refused.eq(0),
                    last.eq(0),
                    place.eq(0),
                    patience.eq(0),
                ]
                with m.If(opens | (opened & (asks | brings) & follows)):
                    m.d.comb += framer.start.eq(1)
                    m.d.sync += framing.eq(1)
                    m.d.sync += sequence.eq(unframer.sequence)
                    m.next = "KIND"
                    with m.If(brings & (unframer.length != 0)):
                        m.d.comb += feeder.start.eq(unframer.stored)
                        m.d.sync += refused.eq(~unframer.stored)
                    # After LAST the machine answers: that is worth waiting for.
                    m.d.sync += brought.eq(
                        feeder.busy | ((unframer.length != 0) & (unframer.kind != Kind.LAST)),
                    )
                    with m.If(opens):
                        m.d.comb += [self.reset.eq(1), feeder.clear.eq(1)]
                        m.d.sync += opened.eq(1)
                with m.Elif(opened & repeats):
                    m.d.comb += sender.start.eq(1)
                    m.d.sync += repeated.eq(repeated + 1)
                    m.next = "SEND"
                with m.Else():
                    m.d.comb += drop.eq(1)
            with m.State("KIND"):
                m.d.comb += [
                    framer.valid.eq(1),
                    framer.data.eq(Mux(describing, Kind.DESCRIPTION, Kind.MACHINE)),
                ]
                with m.If(taken):
                    m.next = "SEQUENCE"
            with m.State("SEQUENCE"):
                m.d.comb += [framer.valid.eq(1), framer.data.eq(sequence)]
                with m.If(taken):
                    m.next = "BODY"
                    with m.If(describing):
                        m.next = "DESCRIBE"
            with m.State("DESCRIBE"):
                m.d.comb += [framer.valid.eq(1), framer.data.eq(chosen)]
                with m.If(taken):
                    m.d.sync += place.eq(place + 1)
                    with m.If(place == end):
                        m.next = "STATUS"
            with m.State("BODY"):
                m.d.sync += patience.eq(patience + 1)
                fed = settled & ~there & (place == 0)
                over = last | (place == 4 * PIECE_WORDS) | patience[-1] | fed
                with m.If((place[:2] == 0) & over):
                    m.next = "STATUS"
                with m.Else():
                    m.d.comb += [
                        framer.valid.eq(there & ~taking),
                        framer.data.eq(chosen),
                    ]
                with m.If(taken):
                    m.d.sync += [place.eq(place + 1), last.eq(self.i.payload.last)]
                # As `taken`, but what ends the reply is no matter inside a word.
                m.d.sync += taking.eq(there & ~taking & framer.ready & (place[:2] == 3))
            with m.State("STATUS"):
                m.d.comb += [
                    framer.valid.eq(1),
                    framer.data.eq(Cat(last, ~feeder.busy, refused)),  # as `Status` has them
                ]
                with m.If(taken):
                    m.next = "LENGTH"
            with m.State("LENGTH"):
                m.d.comb += [
                    framer.valid.eq(1), framer.last.eq(1), framer.data.eq(place[2:]),
                ]
                with m.If(taken):
                    m.next = "BUILT"
            with m.State("BUILT"), m.If(framer.done):
                m.d.comb += sender.start.eq(1)
                m.d.sync += framing.eq(0)
                m.next = "SEND"
            with m.State("SEND"), m.If(sender.done):
                m.next = "IDLE"
        return m
