"""Turns a reply's bytes into a frame that stands in a buffer, ready to be sent, and again."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.link.protocol import CRC_BYTES
from hw.pieces import piece


class Framer(wiring.Component):
    """Encodes COBS in place and appends the CRC.

    A byte goes to the next place of the buffer. In place of a zero, its distance goes to the place
    of the zero before (or of the code byte in front), and the place itself stays free for the
    distance of the next: one write a byte, and two at the end.

    **Timing**: two cycles a byte, one more for each without `w_ready`; none is taken while the
    checksum is busy.

    Members
    -------
    start : In(1)
        A frame begins.
    valid : In(1)
        A byte is there.
    ready : Out(1)
        It is taken.
    data : In(8)
        The byte.
    last : In(1)
        The checksum follows it, and then the frame is done.
    load : Out(1)
        `byte` belongs to the checksum.
    byte : Out(8)
        The byte that was taken.
    busy : In(1)
        The checksum is.
    crc : In(32)
        The checksum.
    w_en : Out(1)
        Write the buffer.
    w_ready : In(1)
        It is written.
    w_addr : Out(8)
        Byte to write.
    w_data : Out(8)
        The byte.
    done : Out(1)
        The frame stands in the buffer, from place 0 to a zero.
    """

    start: Signal
    valid: Signal
    ready: Signal
    data: Signal
    last: Signal
    load: Signal
    byte: Signal
    busy: Signal
    crc: Signal
    w_en: Signal
    w_ready: Signal
    w_addr: Signal
    w_data: Signal
    done: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "ready": Out(1),
                "data": In(8),
                "last": In(1),
                "load": Out(1),
                "byte": Out(8),
                "busy": In(1),
                "crc": In(32),
                "w_en": Out(1),
                "w_ready": In(1),
                "w_addr": Out(8),
                "w_data": Out(8),
                "done": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        at, code_at = Signal(8), Signal(8)  # the next place, and where the next distance goes
        count = Signal(range(CRC_BYTES + 1))
        byte, last = self.byte, Signal()
        zero = byte == 0
        written = self.w_en & self.w_ready
        m.d.comb += [
            self.w_addr.eq(Mux(zero, code_at, at)),
            self.w_data.eq(Mux(zero, at - code_at, byte)),
        ]
        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += self.ready.eq(~self.busy)
                m.d.sync += count.eq(0)
                with m.If(self.valid & self.ready):
                    m.d.sync += [byte.eq(self.data), last.eq(self.last)]
                    m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [self.w_en.eq(1), self.load.eq(written & (count == 0))]
                with m.If(written):
                    m.next = "TAKE"
                    with m.If(last):
                        m.next = "CHECKSUM"
            with m.State("CHECKSUM"), m.If(~self.busy):
                m.d.sync += [byte.eq(piece(self.crc, count[:2], 8)), count.eq(count + 1)]
                m.next = "WRITE"
                with m.If(count == CRC_BYTES):
                    m.d.sync += byte.eq(0)
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.comb += self.w_en.eq(1)
                with m.If(written):
                    m.next = "END"
            with m.State("END"):
                m.d.comb += [self.w_en.eq(1), self.w_addr.eq(code_at), self.w_data.eq(0)]
                with m.If(written):
                    m.d.comb += self.done.eq(1)
                    m.next = "TAKE"
        with m.If(written):
            m.d.sync += at.eq(at + 1)
            with m.If(zero):
                m.d.sync += code_at.eq(at)
        with m.If(self.start):
            m.d.sync += [at.eq(1), code_at.eq(0)]
        return m
