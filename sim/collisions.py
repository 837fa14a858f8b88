"""Memories that spoil what is read at an address in the cycle in which it is written.

The machine's memories bear `no_rw_check`: what such a read returns is a tool's choice. A machine
made of these instead must give the same bits; so nobody looks at such a read, if there is one.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory

MODULES = (
    "hw.accelerator", "hw.accumulator", "hw.block_memory", "hw.cells.table", "hw.code_memory",
    "hw.column", "hw.compact_array", "hw.delay_line",
)
"""Where the machine's memories are made."""


class Spoiling(wiring.Component):
    """Stands where `amaranth.lib.memory.Memory` stands.

    A row that is overwritten with what it holds already is not spoilt.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__({})
        self.memory = Memory(**given)
        self._outer: list[tuple[Any, Signal]] = []

    def read_port(self) -> SimpleNamespace:
        """Return a synchronous read port."""
        inner = self.memory.read_port()
        outer = Signal.like(inner.data)
        self._outer.append((inner, outer))
        return SimpleNamespace(addr=inner.addr, en=inner.en, data=outer)

    def write_port(self, **given: Any) -> Any:
        """Return a write port."""
        return self.memory.write_port(**given)

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.memory = self.memory
        for inner, outer in self._outer:
            spoilt: Any = 0
            for number, port in enumerate(self.memory.write_ports):
                met = Signal(name=f"met_{number}")
                written = Signal.like(port.data, name=f"written_{number}")
                with m.If(inner.en):
                    m.d.sync += [
                        met.eq(port.en.any() & (port.addr == inner.addr)), written.eq(port.data),
                    ]
                spoilt |= met & (written != inner.data)
            m.d.comb += outer.eq(Mux(spoilt, ~inner.data, inner.data))
        return m


@contextmanager
def spoiling() -> Iterator[None]:
    """Make every machine that is elaborated meanwhile of such memories."""
    with ExitStack() as stack:
        for name in MODULES:
            stack.enter_context(mock.patch(f"{name}.Memory", Spoiling))
        yield
