"""The gateware round a design under test: counters for the player and a checker on each stream."""

import warnings
from typing import Any, Protocol, cast

from amaranth.back import verilog
from amaranth.hdl import Cat, ClockSignal, Instance, Module, ResetSignal, Shape, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from sim.build import Design
from sim.checker import StreamChecker
from sim.rules import Rule

WORD = data.StructLayout({"data": 32, "last": 1})
"""Payload of the accelerator's streams: a word, and whether it ends its packet."""

TOP = "bench"


class Streaming(Protocol):
    """A design with one stream in and one out, both of `WORD`."""

    i: Any
    o: Any

    def elaborate(self, platform: object) -> object:
        """Return the gateware."""


class VerilogDesign(Component):
    """A Verilog module as a component: the very text that is shipped is what is simulated.

    Parameters
    ----------
    name
        Name of the Verilog module; ports ``clk, rst, i__payload, i__valid, i__ready`` and
        likewise ``o__``.

    Members
    -------
    i : In(stream of WORD)
        Into the module.
    o : Out(stream of WORD)
        Out of it.
    """

    i: Any
    o: Any

    def __init__(self, name: str) -> None:
        self._name = name
        super().__init__({"i": In(stream.Signature(WORD)), "o": Out(stream.Signature(WORD))})

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        m.submodules.core = Instance(
            self._name,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_i__payload=self.i.payload.as_value(),
            i_i__valid=self.i.valid,
            o_i__ready=self.i.ready,
            o_o__payload=self.o.payload.as_value(),
            o_o__valid=self.o.valid,
            i_o__ready=self.o.ready,
        )
        return m


class Bench(Component):
    """A design between a driver and a monitor that wake only when a word moves.

    A bit flips just after the clock edge at which a word was transferred, and the word that left
    stands beside it in the same register: a player that waits for the change reads nothing that is
    in motion, in any simulator, and sleeps while nothing happens. These registers are not reset
    with the design.

    **Timing**: `i_taken`, `o_word` one cycle after the transfer; `fault` one after the offence.

    Parameters
    ----------
    dut
        The design under test.

    Members
    -------
    i_data : In(32)
        The word to send.
    i_last : In(1)
        Whether it ends its packet.
    i_valid : In(1)
        Whether there is one.
    o_ready : In(1)
        Whether the design's word is taken.
    i_taken : Out(1)
        Flips with each word that the design accepted, outside reset.
    o_word : Out(34)
        The last word that left: bits 31:0 the word, bit 32 whether it ended its packet, bit 33
        flips with each word.
    fault : Out(8)
        Broken rules (`Rule`), bits 3:0 of the stream in, bits 7:4 of the stream out; sticky.
    """

    i_data: Signal
    i_last: Signal
    i_valid: Signal
    o_ready: Signal
    i_taken: Signal
    o_word: Signal
    fault: Signal

    def __init__(self, dut: Streaming) -> None:
        self._dut = dut
        super().__init__({
            "i_data": In(32),
            "i_last": In(1),
            "i_valid": In(1),
            "o_ready": In(1),
            "i_taken": Out(1),
            "o_word": Out(Shape.cast(WORD).width + 1),
            "fault": Out(2 * len(Rule)),
        })

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        dut = self._dut
        m.submodules.dut = cast(Component, dut)
        m.submodules.i_checker = i_checker = StreamChecker(WORD)
        m.submodules.o_checker = o_checker = StreamChecker(WORD)
        m.d.comb += [
            dut.i.payload.data.eq(self.i_data),
            dut.i.payload.last.eq(self.i_last),
            dut.i.valid.eq(self.i_valid),
            dut.o.ready.eq(self.o_ready),
            self.fault.eq(i_checker.fault | (o_checker.fault << len(Rule))),
        ]
        for port, checker in ((dut.i, i_checker), (dut.o, o_checker)):
            m.d.comb += [
                checker.valid.eq(port.valid),
                checker.ready.eq(port.ready),
                checker.payload.eq(port.payload.as_value()),
            ]
        reset = ResetSignal("sync", allow_reset_less=True)
        i_taken = Signal(reset_less=True)
        o_word = Signal.like(self.o_word, reset_less=True)
        with m.If(dut.i.valid & dut.i.ready & ~reset):
            m.d.sync += i_taken.eq(~i_taken)
        with m.If(dut.o.valid & dut.o.ready & ~reset):
            m.d.sync += o_word.eq(Cat(dut.o.payload.as_value(), ~o_word[-1]))
        m.d.comb += [self.i_taken.eq(i_taken), self.o_word.eq(o_word)]
        return m


def design(
    verilog_text: str, name: str, opaque: tuple[str, ...] = (), *, hurried: bool = False,
) -> Design:
    """Return the Verilog module `name` of `verilog_text` in its bench, ready to build.

    Parameters
    ----------
    verilog_text
        All modules of the design under test.
    name
        Its top module; ports as `VerilogDesign` states.
    opaque
        Modules that Verilator compiles once instead of inlining each instance.
    hurried
        As for `sim.build.Design`.
    """
    text = _wrapper(name) + verilog_text
    return Design(top=TOP, verilog=text, opaque=opaque, hurried=hurried)


def component_design(dut: Streaming) -> Design:
    """Return the Amaranth component `dut` in its bench, ready to build."""
    return Design(top=TOP, verilog=_convert(Bench(dut)))


def _wrapper(name: str) -> str:
    return _convert(Bench(VerilogDesign(name)))


def _convert(bench: Bench) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return str(verilog.convert(bench, name=TOP, emit_src=False))
