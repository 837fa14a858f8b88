"""Small designs that try the bench before it is trusted with the accelerator."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, ResetSignal, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out

from sim.bench import WORD, component_design
from sim.build import Model, build


class Loopback(Component):
    """Sends back what it is sent, through a FIFO of 16 words."""

    i: Any
    o: Any

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(WORD)), "o": Out(stream.Signature(WORD))})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=33, depth=16)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload.as_value()),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.as_value().eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        return m


class Fault(IntEnum):
    """What `Faulty` does wrong, chosen by the word that it is sent."""

    NONE = 0
    HELD = 1
    STEADY = 2
    QUIET_RESET = 3
    CLEAN_START = 4
    TALKATIVE = 5


class Faulty(Component):
    """Answers each one-word packet with itself, and then breaks the rule that the word names.

    `TALKATIVE` is no stream rule: the answer comes a second time, 50 cycles later.
    """

    i: Any
    o: Any

    def __init__(self) -> None:
        super().__init__({"i": In(stream.Signature(WORD)), "o": Out(stream.Signature(WORD))})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        kind = Signal(3, reset_less=True)
        reset_d1 = Signal(reset_less=True)
        reset = ResetSignal("sync")
        full, waited, again = Signal(), Signal(2), Signal(6)
        drops, changes = Signal(), Signal()
        m.d.sync += reset_d1.eq(reset)
        m.d.comb += [
            drops.eq((kind == Fault.HELD) & (waited == 1)),
            changes.eq((kind == Fault.STEADY) & (waited == 1)),
            self.i.ready.eq(~full),
            self.o.payload.data.eq(Cat(kind, changes)),
            self.o.payload.last.eq(1),
            self.o.valid.eq(
                (full & ~drops)
                | ((kind == Fault.QUIET_RESET) & reset)
                | ((kind == Fault.CLEAN_START) & reset_d1 & ~reset),
            ),
        ]
        with m.If(again != 0):
            m.d.sync += again.eq(again - 1)
        with m.If(again == 1):
            m.d.sync += full.eq(1)
        with m.If(full & (waited != 3)):
            m.d.sync += waited.eq(waited + 1)
        with m.If((kind == Fault.CLEAN_START) & reset_d1 & ~reset & ~self.o.ready):
            m.d.sync += full.eq(1)
        with m.If(full & self.o.valid & self.o.ready):
            m.d.sync += [full.eq(0), waited.eq(0)]
            with m.If((kind == Fault.TALKATIVE) & (again == 0)):
                m.d.sync += again.eq(50)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [kind.eq(self.i.payload.data), full.eq(1)]
        return m


@pytest.fixture(scope="session")
def loopback() -> Model:
    """Return the built loopback."""
    return build(component_design(Loopback()))


@pytest.fixture(scope="session")
def faulty() -> Model:
    """Return the built design that breaks rules."""
    return build(component_design(Faulty()))


@pytest.fixture(scope="session")
def faults() -> type[Fault]:
    """Return the faults that `faulty` knows."""
    return Fault


@pytest.fixture
def make_faulty() -> Callable[[], Faulty]:
    """Return the maker of the component that breaks rules."""
    return Faulty


@pytest.fixture
def make_loopback() -> Callable[[], Loopback]:
    """Return the maker of the loopback component."""
    return Loopback
