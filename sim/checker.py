"""A passive checker of the rules that every stream keeps, with a sticky verdict."""

from typing import Any

from amaranth.hdl import Module, ResetSignal, Shape, Signal
from amaranth.lib.wiring import Component, In, Out

from sim.rules import Rule


class StreamChecker(Component):
    """Watches one stream and remembers every rule that it broke.

    Its registers are not reset with the design: it is the reset, too, that it watches. A
    transfer that waits when reset comes may be withdrawn; the first cycle of a reset, in which the
    design has not yet seen it, is therefore not judged.

    **Timing**: `fault` rises one cycle after the offence and stays; one cycle, no backpressure.

    ==========  =====  =====  =======  =========================
    cycle       valid  ready  payload  fault after the cycle
    ==========  =====  =====  =======  =========================
    0           1      0      A        0
    1           1      0      B        STEADY
    2           0      0      -        STEADY | HELD
    ==========  =====  =====  =======  =========================

    Parameters
    ----------
    payload_shape
        Shape of the stream's payload.

    Members
    -------
    valid, ready : In(1)
        The stream's handshake.
    payload : In(payload width)
        The stream's payload as plain bits.
    fault : Out(4)
        The broken rules, as in `Rule`; sticky.
    """

    def __init__(self, payload_shape: Any) -> None:
        super().__init__({
            "valid": In(1),
            "ready": In(1),
            "payload": In(Shape.cast(payload_shape).width),
            "fault": Out(len(Rule)),
        })

    def elaborate(self, platform: object) -> Module:
        """Return the gateware."""
        m = Module()
        reset = ResetSignal("sync", allow_reset_less=True)
        fault = Signal.like(self.fault, reset_less=True)
        waiting = Signal(reset_less=True)
        payload_d1 = Signal.like(self.payload, reset_less=True)
        reset_d1 = Signal(reset_less=True)
        m.d.sync += [
            waiting.eq(self.valid & ~self.ready & ~reset),
            payload_d1.eq(self.payload),
            reset_d1.eq(reset),
        ]
        broken = {
            Rule.HELD: waiting & ~reset & ~self.valid,
            Rule.STEADY: waiting & ~reset & self.valid & (self.payload != payload_d1),
            Rule.QUIET_RESET: reset_d1 & reset & self.valid,
            Rule.CLEAN_START: reset_d1 & ~reset & self.valid,
        }
        for rule, happens in broken.items():
            with m.If(happens):
                m.d.sync += fault[rule.bit_length() - 1].eq(1)
        m.d.comb += self.fault.eq(fault)
        return m
