"""The program's binary form: what the lowering writes and the sequencer reads.

All words have 32 bits; no field crosses a word. An instruction's first word holds the operation
in its top four bits. Addresses count words of the memory that they belong to.
"""

from enum import IntEnum

from amaranth.hdl import signed
from amaranth.lib import data

REACH = 1 << 16
"""Addresses and counts of the program end below this."""


PASS_BITS = 12
"""Bits of the number of passes of a tile."""

TILE_BITS = 11
"""Bits of the number of tiles of output channels."""


class Op(IntEnum):
    """Operations of the program."""

    END = 0
    LIMIT = 1
    WAIT = 2
    RUN = 3
    READ = 4
    RESULT = 5


SIMPLE = data.StructLayout({"count": 28, "op": 4})
"""LIMIT: codes that may be accepted in all; WAIT: codes that must have been accepted."""

RUN = data.StructLayout(
    {
        "layer": 16,  # address of the LAYER words in the program
        "_0": 12,
        "op": 4,
        "start": 16,  # where in its ring the first output frame's first input frame begins
        "frame": signed(16),  # index of that first input frame; negative in the padding
        "blocks": 16,
        "last_groups": 16,  # groups of frames of the last block
        "out_start": 16,  # where the first output pixel goes
        "frame_words": 16,  # words from frame to frame of the ring
    },
)

LAYER = data.StructLayout(
    {
        "passes_at": 16,  # address of the first PASS
        "passes": 16,
        "weights_at": 16,  # first weight row
        "tiles": 16,  # tiles of output channels
        "block_groups": 16,  # groups of frames (pairs, where pooled) of every block but the last
        "advance": 16,  # words from a group's frame to the next group's
        "ring_size": 16,  # input ring
        "frame_step": 16,  # words from a frame to the second one of its pair
        "frames": 16,  # of the whole input map
        "bands": 16,
        "band_step": 16,  # words from read to read
        "band_inc": 4,  # bands from read to read
        "skip": 4,  # reads between two pixels of a strided packed pass
        "codes": 1,  # input from the code memory, planes side by side
        "pooled": 1,  # 2x2 maximum
        "whole": 1,  # one maximum over each block
        "bits": 1,  # ends in a threshold
        "raw": 1,  # ends raw
        "_0": 3,
        "out_end": 16,  # output ring
        "out_base": 16,
        "out_stride": 16,  # words from output pixel to output pixel
        "out_planes": 6,  # words of one output pixel's row: bits, or bytes
        "steps": 6,  # cycles that one output takes to leave
        "frame_inc": 4,  # input frames from output frame to output frame
        "plane_passes": 16,  # passes of one bit-plane; the next plane has the same weights
        "shifts": 6,  # steps of an output that shift, see `hw.end_steps`
        "shift": 5,  # low bits that a code drops, where codes leave at once
        "_1": 5,
    },
)

PASS = data.StructLayout(
    {
        "frame_offset": 16,  # words to this tap's frame, before the ring wraps
        "map_offset": 16,  # words within the frame and up to the ring, modulo 2^16
        "frame": 5,  # this tap's frame
        "band": signed(6),  # band of the first read, negative in the padding
        "reads": 11,
        "warm": 3,  # reads before the first pixel
        "shift": 2,  # of the partial sums: 0, 1 or (2) as many bits as there are groups
        "plane": 3,  # first bit-plane of the code that stands in the lanes
        "_0": 2,
    },
)

READ = data.StructLayout({"layer": 24, "_0": 4, "op": 4, "start": 16, "count": 16})
"""Send `count` words of the map memory as one packet."""

RESULT = data.StructLayout({"start": 16, "lane": 10, "first": 1, "last": 1, "op": 4})
"""Send the raw result whose planes stand in `lane` from `start` on; the last ends the run."""


def words(layout: data.StructLayout, **values: int) -> list[int]:
    """Pack `values` into the 32-bit words of `layout`; what does not fit is refused."""
    total = 0
    for name, value in values.items():
        field = layout[name]
        width = field.width
        is_signed = getattr(field.shape, "signed", False)
        low, high = (-(1 << width - 1), 1 << width - 1) if is_signed else (0, 1 << width)
        if not low <= value < high:
            raise ValueError(f"program field {name} must be from {low} to {high - 1}, not {value}")
        total |= (value & ((1 << width) - 1)) << field.offset
    return [total >> at & 0xFFFFFFFF for at in range(0, layout.size, 32)]
