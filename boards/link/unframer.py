"""Turns bytes from the line into requests."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

KIND_BITS = 3
"""Of a request's kind; what the sender writes above them must be 0 and is not looked at."""

PAYLOAD_AT = 252
"""Where the payload begins in the buffer: the place behind the checksum's four bytes is then,
modulo 256, the payload's length."""


class Unframer(wiring.Component):
    """Decodes COBS, keeps the header, writes the payload to a buffer, checks length and CRC.

    **Timing**: `good` or `bad` comes with the byte 0 that ends a frame. Bytes are as far apart as
    the checksum needs.

    ============== ====== ======= ========================
    byte           `left` first   what it is
    ============== ====== ======= ========================
    0              any    any     the end of the frame
    c              0      yes     c - 1 bytes follow
    c              0      no      a zero, and c - 1 bytes
    d              > 0    no      d
    ============== ====== ======= ========================

    Members
    -------
    valid : In(1)
        A byte is there.
    data : In(8)
        The byte.
    error : In(1)
        A byte is lost: the frame is bad.
    busy : In(1)
        Checksum or header and buffer are needed: a frame of which a part comes now is bad, and
        changes nothing.
    room : In(1)
        A frame that begins now may use the buffer.
    kind : Out(3)
        Of the frame, likewise the next three.
    sequence : Out(8)
        Its number.
    length : Out(8)
        Words of its payload.
    stored : Out(1)
        The payload is in the buffer.
    start : Out(1)
        Start the checksum.
    load : Out(1)
        `w_data` belongs to it.
    match : In(1)
        The last bytes were the checksum.
    w_en : Out(1)
        Write the buffer; the checksum's bytes are written as well.
    w_addr : Out(8)
        Byte to write.
    w_data : Out(8)
        The byte.
    good : Out(1)
        A frame has ended, whole.
    bad : Out(1)
        One has ended, or been given up, that is none.
    """

    valid: Signal
    data: Signal
    error: Signal
    busy: Signal
    room: Signal
    kind: Signal
    sequence: Signal
    length: Signal
    stored: Signal
    start: Signal
    load: Signal
    match: Signal
    w_en: Signal
    w_addr: Signal
    w_data: Signal
    good: Signal
    bad: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "valid": In(1),
                "data": In(8),
                "error": In(1),
                "busy": In(1),
                "room": In(1),
                "kind": Out(KIND_BITS),
                "sequence": Out(8),
                "length": Out(8),
                "stored": Out(1),
                "start": Out(1),
                "load": Out(1),
                "match": In(1),
                "w_en": Out(1),
                "w_addr": Out(8),
                "w_data": Out(8),
                "good": Out(1),
                "bad": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        left = Signal(8)  # bytes to come before the next code
        begun, lost = Signal(), Signal()
        emit = Signal()
        place = Signal(2)  # of the next byte: kind, sequence, length, payload
        # A header alone looks like 63 words, but none of those is its own checksum.
        whole = self.w_addr == self.length << 2
        with m.If(self.error | (self.busy & (self.valid | begun))):
            m.d.sync += lost.eq(1)
        with m.If(self.valid):
            with m.If(self.data == 0):
                m.d.sync += [begun.eq(0), lost.eq(0), left.eq(0)]
                m.d.comb += [
                    self.good.eq(
                        begun & ~lost & ~self.busy & (left == 0) & (place == 3)
                        & whole & self.match,
                    ),
                    self.bad.eq((begun | lost) & ~self.good),
                ]
            with m.Elif(~begun):
                m.d.comb += self.start.eq(~self.busy)
                m.d.sync += [
                    begun.eq(1),
                    left.eq(self.data - 1),
                    place.eq(0),
                    self.w_addr.eq(PAYLOAD_AT),
                ]
                with m.If(~self.busy):
                    m.d.sync += self.stored.eq(self.room)
            with m.Else():
                m.d.comb += [emit.eq(1), self.load.eq(~self.busy)]
                m.d.sync += left.eq(left - 1)
                with m.If(left == 0):
                    m.d.sync += left.eq(self.data - 1)
        with m.If(left != 0):
            m.d.comb += self.w_data.eq(self.data)
        with m.If(emit):
            m.d.sync += place.eq(place + 1)
            with m.If(place == 3):
                m.d.comb += self.w_en.eq(self.stored & ~lost)
                m.d.sync += [place.eq(3), self.w_addr.eq(self.w_addr + 1)]
                with m.If(self.w_addr == PAYLOAD_AT - 1):
                    m.d.sync += lost.eq(1)
            with m.Elif(~lost), m.Switch(place):
                with m.Case(0):
                    m.d.sync += self.kind.eq(self.w_data)
                with m.Case(1):
                    m.d.sync += self.sequence.eq(self.w_data)
                with m.Case(2):
                    m.d.sync += self.length.eq(self.w_data)
        return m
