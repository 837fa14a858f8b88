"""A UART's two ends: 8 data bits, no parity, one stop bit, lowest bit first."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

LEAST_DIVISOR = 4
"""Cycles of a bit, at least: the middle of a bit is then found to a quarter of it."""


def check_divisor(divisor: int) -> int:
    """Return `divisor`, cycles of a bit; too few are refused."""
    if isinstance(divisor, bool) or not isinstance(divisor, int):
        raise TypeError(f"divisor must be an integer, not {divisor!r}")
    if divisor < LEAST_DIVISOR:
        raise ValueError(f"divisor must be at least {LEAST_DIVISOR} cycles, not {divisor}")
    return divisor


class UartReceiver(wiring.Component):
    """Turns a line into bytes.

    **Timing**: a byte is there in the middle of its stop bit, for one cycle. The line passes two
    registers first. No backpressure.

    Parameters
    ----------
    divisor
        Cycles of a bit, at least 4.

    Members
    -------
    rx : In(1)
        The line, from any clock; 1 while idle.
    valid : Out(1)
        A byte is there.
    data : Out(8)
        The byte.
    error : Out(1)
        It has no stop bit, so it is none; `valid` is low.
    """

    rx: Signal
    valid: Signal
    data: Signal
    error: Signal

    def __init__(self, *, divisor: int) -> None:
        self.divisor = check_divisor(divisor)
        super().__init__({"rx": In(1), "valid": Out(1), "data": Out(8), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        line = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        count = Signal(range(self.divisor))
        left = Signal(4)  # samples to come: start, eight of data, stop
        shift = Signal(8)
        sample = Signal()  # the count is 0; much hangs on a byte's end
        m.d.comb += self.data.eq(shift)
        m.d.sync += sample.eq((left != 0) & (count == 1))
        with m.If(left == 0):
            m.d.sync += count.eq(self.divisor // 2 - 1)
            with m.If(~line):
                m.d.sync += left.eq(10)
        with m.Else():
            m.d.sync += count.eq(count - 1)
            with m.If(sample):
                m.d.sync += [count.eq(self.divisor - 1), left.eq(left - 1)]
                with m.If(left == 1):
                    m.d.comb += [self.valid.eq(line), self.error.eq(~line)]
                with m.Else():
                    m.d.sync += shift.eq(Cat(shift[1:], line))
                with m.If((left == 10) & line):  # a spike, no start bit
                    m.d.sync += left.eq(0)
        return m


class UartTransmitter(wiring.Component):
    """Turns bytes into a line.

    **Timing**: a byte takes ten bits; the next is taken as the last one's stop bit ends.

    Parameters
    ----------
    divisor
        Cycles of a bit, at least 4.

    Members
    -------
    i : In(stream.Signature(8))
        Bytes.
    tx : Out(1)
        The line, from a register; 1 while idle.
    """

    i: Any
    tx: Signal

    def __init__(self, *, divisor: int) -> None:
        self.divisor = check_divisor(divisor)
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        count = Signal(range(self.divisor))
        left = Signal(4)  # bits to come, the one on the line counted
        shift = Signal(9, init=0x1FF)
        m.d.comb += [self.i.ready.eq(left == 0), self.tx.eq(shift[0])]
        with m.If(left == 0):
            m.d.sync += count.eq(self.divisor - 1)
            with m.If(self.i.valid):
                m.d.sync += [shift.eq(Cat(Const(0, 1), self.i.payload)), left.eq(10)]
        with m.Else():
            m.d.sync += count.eq(count - 1)
            with m.If(count == 0):
                m.d.sync += [
                    count.eq(self.divisor - 1),
                    left.eq(left - 1),
                    shift.eq(Cat(shift[1:], Const(1, 1))),
                ]
        return m
