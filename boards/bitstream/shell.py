"""What is around a board's top on the chip: the clock, and a reset when it comes on."""

from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from boards.bitstream.pll import Ecp5Pll
from boards.board import Board
from boards.top import Top, top
from hw.emit import to_verilog

NAME = "chip"
"""Name of the module."""

START_SECONDS = 20e-6
"""For so long the block RAMs of an iCE40 may not be used after configuration (at most 15 us)."""


class Shell(wiring.Component):
    """A board's top with clock and reset.

    **Timing**: the reset ends `START_SECONDS` after the clock is right.

    Parameters
    ----------
    board
        Whose oscillator and clock.
    inner
        Its top.

    Members
    -------
    osc : In(1)
        The oscillator.
    rx : In(1)
        Line from the host.
    tx : Out(1)
        Line to the host.
    """

    osc: Signal
    rx: Signal
    tx: Signal

    def __init__(self, board: Board, inner: Top) -> None:
        self.board = board
        self.inner = inner
        super().__init__({"osc": In(1), "rx": In(1), "tx": Out(1)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        board = self.board
        m.domains.sync = ClockDomain()
        m.domains.start = ClockDomain(reset_less=True)
        m.d.comb += ClockSignal("start").eq(ClockSignal())
        good = Signal(init=1)
        if board.clock == board.oscillator:
            m.d.comb += ClockSignal().eq(self.osc)
        else:
            pll = Ecp5Pll(oscillator=board.oscillator, clock=board.clock)
            m.submodules.pll = pll
            m.submodules.locked = FFSynchronizer(pll.locked, good, o_domain="start", init=0)
            m.d.comb += [pll.osc.eq(self.osc), ClockSignal().eq(pll.clk)]
        wait = Signal(range(round(board.clock * START_SECONDS) + 1))
        reset = Signal(init=1)
        with m.If(~good):
            m.d.start += [wait.eq(0), reset.eq(1)]
        with m.Elif(wait == round(board.clock * START_SECONDS)):
            m.d.start += reset.eq(0)
        with m.Else():
            m.d.start += wait.eq(wait + 1)
        m.submodules.top = inner = self.inner
        m.d.comb += [
            ResetSignal().eq(reset),
            inner.rx.eq(self.rx),
            self.tx.eq(inner.tx),
        ]
        return m


def verilog(board: Board, *, digest: int) -> str:
    """Return the Verilog of all that is on a board's chip, module `NAME`."""
    return to_verilog(Shell(board, top(board, digest=digest)), NAME, target=board.family)
