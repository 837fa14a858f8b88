"""Sends a frame from the buffer to the line."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Sender(wiring.Component):
    """Reads byte after byte, to the zero that ends a frame.

    **Timing**: two cycles between the line's bytes.

    Members
    -------
    start : In(1)
        Send.
    r_en : Out(1)
        Read the buffer; granted at once.
    r_addr : Out(8)
        Byte to read.
    r_data : In(8)
        The byte, a cycle later.
    o : Out(stream.Signature(8))
        To the line.
    done : Out(1)
        All has left but for the last byte.
    """

    start: Signal
    r_en: Signal
    r_addr: Signal
    r_data: Signal
    o: Any
    done: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "r_en": Out(1),
                "r_addr": Out(8),
                "r_data": In(8),
                "o": Out(stream.Signature(8)),
                "done": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        at, over = Signal(8), Signal()
        m.d.comb += [self.r_addr.eq(at), self.o.payload.eq(self.r_data)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [at.eq(0), over.eq(0)]
                with m.If(self.start):
                    m.next = "FETCH"
            with m.State("FETCH"):
                with m.If(over):
                    m.d.comb += self.done.eq(1)
                    m.next = "IDLE"
                with m.Elif(self.o.ready):
                    m.d.comb += self.r_en.eq(1)
                    m.next = "BYTE"
            with m.State("BYTE"):  # still ready: only this component makes it busy
                m.d.comb += self.o.valid.eq(1)
                # What follows a zero hangs on a register: out of a block RAM the way is long.
                m.d.sync += [at.eq(at + 1), over.eq(self.r_data == 0)]
                m.next = "FETCH"
        return m
