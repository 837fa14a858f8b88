"""The CRC of a frame, bit by bit; both directions take turns at it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import Processor
from amaranth.lib.crc.catalog import CRC32_ETHERNET
from amaranth.lib.wiring import In, Out


class Checksum(wiring.Component):
    """Takes bytes.

    **Timing**: 8 cycles a byte, in which no other may come.

    Members
    -------
    start : In(1)
        A frame begins.
    load : In(1)
        A byte is there; one that comes with `start`, or is then on its way, does not count.
    data : In(8)
        The byte.
    busy : Out(1)
        It is on its way.
    crc : Out(32)
        Of the bytes since the start.
    match : Out(1)
        The last four of them are the checksum of the others.
    """

    start: Signal
    load: Signal
    data: Signal
    busy: Signal
    crc: Signal
    match: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "load": In(1),
                "data": In(8),
                "busy": Out(1),
                "crc": Out(32),
                "match": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        crc = m.submodules.crc = Processor(CRC32_ETHERNET(data_width=1))
        shift, left = Signal(8), Signal(4)
        m.d.comb += [
            crc.start.eq(self.start),
            crc.data.eq(shift[0]),
            crc.valid.eq(self.busy & ~self.start),
            self.busy.eq(left[3]),
            self.crc.eq(crc.crc),
            self.match.eq(crc.match_detected),
        ]
        with m.If(self.start):
            m.d.sync += left.eq(0)
        with m.Elif(self.load):
            m.d.sync += [shift.eq(self.data), left.eq(8)]
        with m.Elif(self.busy):
            m.d.sync += [shift.eq(shift >> 1), left.eq(left + 1)]
        return m
