"""What every board holds: the machine, the link, and two pins; no vendor's part among them."""

import hashlib
from functools import cache
from typing import Any, Protocol, cast

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Module, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Component, In, Out, connect

from boards.board import Board
from boards.link.describe import Description
from boards.link.link import Link
from hw.accelerator import Accelerator
from hw.emit import to_verilog

TOP = "board"
"""Name of the top module."""

PATIENCE = 1e-3
"""Seconds that a request waits for the machine, at least and less than twice as long."""


class Machine(Protocol):
    """A component with one stream in and one out, both of `hw.packets.STREAM`."""

    i: Any
    o: Any

    def elaborate(self, platform: object) -> object:
        """Return the gateware."""


class Top(wiring.Component):
    """A machine behind the link.

    The machine's registers are reset a cycle after the board's, and when a host opens a session,
    whatever the one before left them at.

    **Timing**: see `boards.link.link`; the machine is reset two cycles after OPEN.

    Parameters
    ----------
    machine
        What the link's packets are for.
    divisor
        Cycles of a bit on the line.
    description
        What the board says of itself.

    Members
    -------
    rx : In(1)
        Line from the host, 1 while idle.
    tx : Out(1)
        Line to the host.
    """

    rx: Signal
    tx: Signal

    def __init__(self, machine: Machine, *, divisor: int, description: Description) -> None:
        self.machine = machine
        self.link = Link(
            divisor=divisor,
            description=description.fixed(),
            patience_bits=description.patience_bits,
        )
        super().__init__({"rx": In(1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.link = link = self.link
        m.submodules.machine = DomainRenamer("machine")(cast(Component, self.machine))
        m.domains.machine = ClockDomain(local=True)
        reset = Signal(init=1)  # a register, nothing behind it: it goes everywhere
        m.d.sync += reset.eq(link.reset)
        m.d.comb += [
            ClockSignal("machine").eq(ClockSignal()),
            ResetSignal("machine").eq(reset),  # under the board's reset, too, a cycle later
            link.rx.eq(self.rx),
            self.tx.eq(link.tx),
        ]
        connect(m, link.o, self.machine.i)
        connect(m, self.machine.o, link.i)
        return m


def top(board: Board, *, digest: int) -> Top:
    """Return the top of a board; `digest` are 64 bits that tell this bitstream from another."""
    description = Description(
        config=board.config,
        digest=digest,
        clock=board.clock,
        patience_bits=int(board.clock * PATIENCE).bit_length(),
    )
    return Top(Accelerator(board.config), divisor=board.divisor, description=description)


def verilog(board: Board, *, digest: int, target: str | None = None) -> str:
    """Return the Verilog of a board's top, module `TOP`; `target` as for `hw.emit.to_verilog`."""
    return to_verilog(top(board, digest=digest), TOP, target=target)


@cache
def digest(board: Board) -> int:
    """Return 64 bits of a hash of all that a board's bitstream holds, but for themselves."""
    text = verilog(board, digest=0)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
