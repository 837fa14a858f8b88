"""Small designs that try the bench before it is trusted with the accelerator."""

from collections.abc import Callable
from enum import IntEnum
from functools import cache
from typing import Any

import pytest
from amaranth.hdl import Cat, Module, ResetSignal, Signal
from amaranth.lib import stream
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out

from hw.config import Config
from hw.presets import preset
from sim.bench import WORD, component_design
from sim.build import Model, build
from sim.engine import RtlEngine


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


MACHINES = {
    "tiny": preset("tiny"),
    "odd": Config(
        lanes=6, columns=5, groups=3, acc_bits=25, strip=5, code_words=700, map_words=6000,
        weight_rows=30000, partial_sums=200, program_words=4000,
    ),
    "thin": Config(
        lanes=2, columns=1, groups=1, acc_bits=25, strip=7, code_words=9000, map_words=30000,
        weight_rows=65000, partial_sums=600, program_words=16000,
    ),
    "seven": Config(
        lanes=7, columns=3, groups=7, acc_bits=24, strip=3, code_words=900, map_words=6000,
        weight_rows=30000, partial_sums=97, program_words=4000,
    ),
    "wide": Config(
        lanes=12, columns=20, groups=4, acc_bits=26, strip=16, code_words=1500, map_words=6000,
        weight_rows=9000, partial_sums=300, program_words=4000,
    ),
    "line": Config(
        lanes=1, columns=2, acc_bits=24, strip=6, code_words=9000, map_words=30000,
        weight_rows=65000, partial_sums=64, program_words=16000, cell="folded",
    ),
    "flat": Config(
        lanes=3, columns=5, acc_bits=26, strip=4, code_words=1000, map_words=12000,
        weight_rows=30000, partial_sums=90, program_words=8000, pool_codes=False, single_port=True,
    ),
    "table": Config(
        lanes=16, columns=3, groups=2, acc_bits=25, strip=9, code_words=1500, map_words=6000,
        weight_rows=30000, partial_sums=150, program_words=4000, cell="table", pool_codes=False,
    ),
    "table8": Config(
        lanes=8, columns=6, acc_bits=25, strip=16, code_words=1500, map_words=6000,
        weight_rows=30000, partial_sums=300, program_words=4000, cell="table8",
    ),
    "mac": Config(
        lanes=3, columns=4, acc_bits=24, strip=8, code_words=1500, map_words=6000,
        weight_rows=30000, partial_sums=200, program_words=4000, cell="mac",
    ),
    "nine": Config(
        lanes=10, columns=4, acc_bits=24, strip=8, code_words=1024, map_words=6000,
        weight_rows=30000, partial_sums=200, program_words=4000, cell="mac", code_frames=3,
    ),
    "pair": Config(
        lanes=10, columns=3, groups=2, acc_bits=25, strip=4, code_words=512, map_words=6000,
        weight_rows=30000, partial_sums=150, program_words=4000, code_frames=2,
    ),
    "four": Config(
        lanes=16, columns=5, groups=2, acc_bits=25, strip=7, code_words=1024, map_words=6000,
        weight_rows=30000, partial_sums=150, program_words=4000, cell="table", code_frames=4,
    ),
    "compact": Config(
        lanes=8, columns=4, groups=2, acc_bits=25, strip=8, code_words=1500, map_words=6000,
        weight_rows=16384, partial_sums=200, program_words=4000, cell="folded", pool_codes=False,
        single_port=True, compact=True,
    ),
    "buffered": Config(
        lanes=8, columns=4, groups=2, acc_bits=25, strip=8, code_words=1500, map_words=6000,
        weight_rows=16384, partial_sums=200, program_words=4000, cell="table4", single_port=True,
        compact=True,
    ),
    "buffered row": Config(
        lanes=20, columns=3, acc_bits=25, strip=5, code_words=1500, map_words=6000,
        weight_rows=16384, partial_sums=150, program_words=4000, cell="table4", compact=True,
    ),
    "buffered cell": Config(
        lanes=4, columns=2, acc_bits=25, strip=5, code_words=9000, map_words=30000,
        weight_rows=65000, partial_sums=64, program_words=16000, cell="table4", compact=True,
    ),
    "short": Config(
        lanes=1, columns=3, acc_bits=24, strip=6, code_words=9000, map_words=30000,
        weight_rows=65000, partial_sums=64, program_words=16000, compact=True,
    ),
    "compact table": Config(
        lanes=16, columns=5, groups=2, acc_bits=25, strip=7, code_words=1024, map_words=6000,
        weight_rows=30000, partial_sums=150, program_words=4000, cell="table", code_frames=2,
        compact=True,
    ),
    "compact mac": Config(
        lanes=7, columns=9, acc_bits=24, strip=8, code_words=1024, map_words=6000,
        weight_rows=30000, partial_sums=200, program_words=4000, cell="mac", code_frames=3,
        compact=True,
    ),
}
"""Machines of many shapes, each built once: non-powers of two, one column, more columns than lanes,
one group and many, code memories that hold a clip and others through which it passes, some of
which give several frames at once, weights in memories of one port, ends with and without maxima of
codes, and cells of every kind."""


@pytest.fixture(scope="session")
def machines() -> dict[str, Config]:
    """Return the machines that the tests run on."""
    return MACHINES


@pytest.fixture(scope="session")
def engines() -> Callable[[str], RtlEngine]:
    """Return the engine of a machine, made once."""
    return cache(lambda name: RtlEngine(MACHINES[name]))
