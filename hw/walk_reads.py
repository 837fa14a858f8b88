"""The way from a step of the walk to the memories and, beside the word, to the array's edge."""

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from hw.config import Config

READ_DELAY = 3
"""Cycles from a step of the walk to its address at the memories; none in a compact machine."""

ENTRY_DELAY = 6
"""Cycles from a step of the walk to its bits at the array's edge: address, memory, window."""


def entry_delay(config: Config) -> int:
    """Cycles from a step of the walk to its bits at the array's edge, see `ENTRY_DELAY`."""
    return 2 if config.compact else ENTRY_DELAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where in the layer's input a step reads.

    Parameters
    ----------
    start
        Word of the ring that the group of frames begins at.
    frame
        The group's first frame.
    second
        Of two frames in turn this is the second.
    offsets
        How many words on the tap's frame begins, for either of them.
    ahead
        How many frames on it stands.
    band
        Band that the tap meets.
    offset
        How many words on the band stands in a frame.
    """

    start: Signal
    frame: Signal
    second: Signal
    offsets: list[Signal]
    ahead: Value
    band: Signal
    offset: Signal


def follow(m: Module, walker: wiring.Component, step: Any, place: Place) -> None:
    """Drive all outputs of a `hw.walker.Walker` but `take` and `done`.

    Parameters
    ----------
    m
        The walker's module.
    walker
        It.
    step
        What the step says: whether it reads, its bit-plane, its token and ends.
    place
        Where.
    """
    layer, compact = walker.layer, walker.config.compact
    width = walker.config.address_bits
    ring_size = layer.ring_size[: width + 1]
    s1, s2, s3, s4, s5, s6 = (Signal(step.shape(), name=f"s{i}_step") for i in range(1, 7))
    s2_row, s1_offset, s2_offset = (Signal(width) for _ in range(3))
    s1_frame, s1_band = Signal(signed(17)), Signal(signed(12))
    code_frames = walker.config.code_frames
    s2_inside, s3_inside, s4_inside = (Signal(code_frames) for _ in range(3))
    s1_sum = Signal(width + 1)

    early = m.d.comb if compact else m.d.sync  # all stages before the memory in one cycle

    # The neighbouring frames: their ends, and how far on they stand, constant through a run.
    limits, ahead = [layer.frames], [Const(0)]
    s2_neighbours = [Signal(width, name=f"s2_neighbour_{k}") for k in range(1, code_frames)]
    for k, neighbour in enumerate(s2_neighbours, start=1):
        limits.append(Signal(signed(17), name=f"limit_{k}"))
        ahead.append(Signal(width, name=f"ahead_{k}"))
        m.d.sync += [
            limits[k].eq(layer.frames - k),
            ahead[k].eq(ahead[k - 1] + walker.run.frame_words),
        ]
        early += neighbour.eq(s1_offset + ahead[k])

    early += [
        s1.eq(step),
        s1_sum.eq(place.start + Mux(place.second, place.offsets[1], place.offsets[0])),
        s1_offset.eq(place.offset),
        s1_frame.eq(place.frame + Mux(place.second, layer.frame_inc, 0) + place.ahead),
        s1_band.eq(place.band),
        s2.eq(s1),
        s2_row.eq(wrapped(m, s1_sum, ring_size, "row")),
        s2_offset.eq(s1_offset),
        s2_inside.eq(
            Cat(
                (s1_frame >= -k)
                & (s1_frame < frames)
                & (s1_band >= 0)
                & (s1_band < layer.bands)
                for k, frames in enumerate(limits)
            ),
        ),
        s3.eq(s2),
        walker.r_en.eq(s2.read | walker.idle_en),
        walker.r_addr.eq(Mux(s2.read, s2_row + s2_offset, walker.idle_addr)),
        *(walker.r_codes[k].eq(s2_row + at_k) for k, at_k in enumerate(s2_neighbours, start=1)),
    ]
    m.d.sync += walker.w_bank.eq(walker.r_addr[: len(walker.w_bank)])
    early += s3_inside.eq(s2_inside)
    m.d.sync += [s4.eq(s3), s4_inside.eq(s3_inside), s5.eq(s4), s6.eq(s5)]
    m.d.comb += [
        walker.r_codes[0].eq(walker.r_addr),
        walker.w_read.eq(s4.read),
        walker.w_inside.eq(s4_inside),
        walker.w_plane.eq(s4.plane),
        walker.token.eq(step.token if compact else s6.token),
        walker.ends.eq(step.ends if compact else s6.ends),
    ]


def wrapped(m: Module, place: Value, size: Value, name: str) -> Value:
    """`place` in a ring, brought back by its size once it is past its end."""
    back = Signal(signed(len(place) + 2), name=f"{name}_back")
    m.d.comb += back.eq(place - size)
    return Mux(back < 0, place, back)
