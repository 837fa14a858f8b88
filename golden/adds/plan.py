"""What the kernel walks: tables of subset sums, steps with the widths they need, and rooms.

**Lines.** 32 output channels are a tile, and a tile's 16-bit sums of one pixel a line of 64 bytes.
An index of 8 input bits (channels of one tap) names one of 256 lines, the sum of those weights
whose bit is 1. Adding a line is 256 accumulates in one addition of 512 bits. Where the tables of a
layer would pass `TABLE_BYTES`, an index has 4 bits, or 1.

**Widths.** Bounds of the running sum are followed step by step, channel by channel, as the weights
give them. While they fit 16 bits, nothing wider is touched; a step that could leave them folds the
16-bit sum into an int32 one first. The sums are `golden.layer`'s: no other order changes them.

**Planes.** Bit-planes come highest first, and the sum is doubled between them (Horner's scheme).

**Flips.** A flipped channel's weights are negated, and ``sum <= t`` becomes ``-sum > -t - 1``.

**Patches.** A first layer with one channel and at most `PATCH_TAPS` taps has one index a bit-plane,
all taps in it, and one table for all planes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.layer import INT32, Layer, Raw, Requantise, Shape, Threshold
from golden.network import Network

CHANNELS = 32
"""Output channels of a line."""

LOOK_UPS = 6
"""Greatest number of look-ups in one pass over the sums."""

TABLE_BYTES = 8 * 2**20
"""Size that the tables of one layer may reach before their indices get fewer bits."""

PATCH_TAPS = 9
PATCH_PLANES = 4
"""Bit-planes of a patch that always fit a 16-bit sum: 9 x 128 x 15 = 17,280."""

BLOCK_BYTES = 32 * 1024
"""Size of the 16-bit sums that are worked on at once: what a first-level cache holds."""

INT16_MOST = 2**15 - 1

NEVER = 4095
"""Threshold of the channels that fill a tile up, whose sums are 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One pass over the pixels of a block: see ``kernel.h``, whose fields these are."""

    plane: int
    row: int
    first: int
    count: int
    begins: bool
    doubles: bool
    folds: int


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerPlan:
    """One layer as the kernel and its NumPy twin take it.

    Parameters
    ----------
    layer
        The layer itself.
    shape
        Of its input, ``(channels, bands, frames)``.
    map
        ``(rows, columns)`` before pooling, without the odd edges that pooling drops.
    output
        ``(channels, bands, frames)`` behind pooling.
    group_bits
        Bits of an index.
    patch_low
        0, or the bit-planes of the low half of a patch.
    wide
        Whether sums end in 32 bits.
    steps
        Empty for a patch.
    tables
        int16 ``[tile, row, index of the row, 2^bits, CHANNELS]``.
    bound
        int32 ``[tile, CHANNELS]``: the threshold, or the bias.
    """

    layer: Layer
    shape: Shape
    map: tuple[int, int]
    output: Shape
    group_bits: int
    patch_low: int
    wide: bool
    steps: tuple[Step, ...]
    tables: NDArray[np.int16]
    bound: NDArray[np.int32]

    @property
    def tiles(self) -> int:
        """Number of lines that hold all output channels."""
        return len(self.tables)

    @property
    def pixel_groups(self) -> int:
        """Indices of one input pixel."""
        return -(-self.layer.in_channels // self.group_bits)

    @property
    def padded(self) -> tuple[int, int]:
        """Bands and frames of the input with its padding."""
        (_, bands, frames), (ph, pw) = self.shape, self.layer.padding
        return bands + 2 * ph, frames + 2 * pw

    @property
    def block(self) -> int:
        """Rows of the map that are done at once; even, so that pooling stays within."""
        return max(2, BLOCK_BYTES // (2 * CHANNELS * self.map[1]) // 2 * 2)

    @property
    def index_bytes(self) -> int:
        """Room that the indices take."""
        bands, frames = self.padded
        if self.patch_low:
            return (8 + self.layer.kernel[0]) * frames
        return self.layer.input_bits * bands * frames * self.pixel_groups


def plan(network: Network) -> tuple[LayerPlan, ...]:
    """Lay out every layer of `network`."""
    shapes = network.shapes
    return tuple(
        _plan(layer, shape, output, first=i == 0)
        for i, (layer, shape, output) in enumerate(
            zip(network.layers, shapes[:-1], shapes[1:], strict=True),
        )
    )


def _plan(layer: Layer, shape: Shape, output: Shape, *, first: bool) -> LayerPlan:
    size = 2 if layer.pool == "max2x2" else 1
    _, rows, columns = layer.map_shape(shape)
    weights, bound = _signed(layer)
    kh, kw = layer.kernel
    patch = first and layer.in_channels == 1 and kh * kw <= PATCH_TAPS and kh <= 8
    steps: tuple[Step, ...] = ()
    if patch:
        bits, low = kh * kw, min(layer.input_bits, PATCH_PLANES)
        # Bands vary fastest within an index: the kernel joins whole columns.
        lanes = weights.transpose(3, 2, 1, 0).reshape(1, 1, bits, -1)
        halves = layer.input_bits > low
        wide = halves and not isinstance(layer.end, Threshold)
    else:
        bits, low = _group_bits(layer), 0
        lanes = _lanes(weights, bits)
        steps = _steps(lanes, layer.input_bits)
        wide = any(step.folds >= 0 for step in steps)
    return LayerPlan(
        layer=layer,
        shape=shape,
        map=(rows // size * size, columns // size * size),
        output=output,
        group_bits=bits,
        patch_low=low,
        wide=wide,
        steps=steps,
        tables=_tables(lanes),
        bound=bound,
    )


def _signed(layer: Layer) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Weights, int16 ``[out, in, kh, kw]``, those of flips negated, and the bound of each tile."""
    weights, end = layer.weights.astype(np.int16), layer.end
    tiles = -(-layer.out_channels // CHANNELS)
    if isinstance(end, Requantise | Raw):
        bound = np.zeros(tiles * CHANNELS, np.int32)
        bound[: len(end.bias)] = end.bias
        return weights, bound.reshape(tiles, CHANNELS)
    weights[end.flip] = -weights[end.flip]
    whole = weights.reshape(len(weights), -1).astype(np.int64)
    top = 2**layer.input_bits - 1
    low, high = np.minimum(whole, 0).sum(1) * top, np.maximum(whole, 0).sum(1) * top
    threshold = np.where(end.flip, -1 - end.threshold.astype(np.int64), end.threshold)
    bound = np.full(tiles * CHANNELS, NEVER, np.int32)
    # Beyond the sums all thresholds decide alike; at their edge they fit where the sums do.
    bound[: len(threshold)] = threshold.clip(np.maximum(low - 1, INT32.min), high)
    return weights, bound.reshape(tiles, CHANNELS)


def _group_bits(layer: Layer) -> int:
    """Bits of an index: as many as keep the tables small enough."""
    kh, kw = layer.kernel
    tiles = -(-layer.out_channels // CHANNELS)
    for bits in (8, 4):
        indices = kh * kw * -(-layer.in_channels // bits)
        if (tiles * indices * 2 * CHANNELS) << bits <= TABLE_BYTES:
            return bits
    return 1


def _lanes(weights: NDArray[np.int16], bits: int) -> NDArray[np.int16]:
    """Order weights as indices take them: ``[row, index of the row, bit, out]``."""
    out, channels, kh, kw = weights.shape
    groups = -(-channels // bits)
    padded = np.zeros((kh, kw, groups * bits, out), np.int16)
    padded[:, :, :channels] = weights.transpose(2, 3, 1, 0)
    return padded.reshape(kh, kw * groups, bits, out)


def _tables(lanes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Sums of all subsets of the bits of each index, each from a smaller one by one addition."""
    rows, width, bits, out = lanes.shape
    tiles = -(-out // CHANNELS)
    sums = np.zeros((rows, width, 2**bits, tiles * CHANNELS), np.int16)
    for bit in range(bits):
        half = 2**bit
        sums[:, :, half : 2 * half, :out] = sums[:, :, :half, :out] + lanes[:, :, bit, None]
    tiled = sums.reshape(rows, width, 2**bits, tiles, CHANNELS).transpose(3, 0, 1, 2, 4)
    return aligned(tiled)


def _steps(lanes: NDArray[np.int16], planes: int) -> tuple[Step, ...]:
    """Cut each row of the kernel into passes, and find where the 16-bit sums must be folded."""
    rows, width = lanes.shape[:2]
    low, high = (
        clipped.sum(2, dtype=np.int64) for clipped in (np.minimum(lanes, 0), np.maximum(lanes, 0))
    )
    pieces = -(-width // LOOK_UPS)
    edges = [width * i // pieces for i in range(pieces + 1)]
    steps: list[Step] = []
    least = greatest = np.zeros(lanes.shape[-1], np.int64)
    doublings = 0
    for plane in reversed(range(planes)):
        for row in range(rows):
            for first, end in zip(edges[:-1], edges[1:], strict=True):
                doubles = bool(steps) and row == first == 0
                begins = not steps
                less, more = low[row, first:end].sum(0), high[row, first:end].sum(0)
                least, greatest = (least << doubles) + less, (greatest << doubles) + more
                if least.min() < -INT16_MOST or greatest.max() > INT16_MOST:
                    steps[-1] = _folded(steps[-1], doublings)
                    least, greatest, doublings, begins = less, more, 0, True
                doublings += doubles
                steps.append(
                    Step(
                        plane=plane,
                        row=row,
                        first=first,
                        count=end - first,
                        begins=begins,
                        doubles=doubles and not begins,
                        folds=-1,
                    ),
                )
    if any(step.folds >= 0 for step in steps):
        steps[-1] = _folded(steps[-1], doublings)
    return tuple(steps)


def _folded(step: Step, doublings: int) -> Step:
    return Step(
        plane=step.plane,
        row=step.row,
        first=step.first,
        count=step.count,
        begins=step.begins,
        doubles=step.doubles,
        folds=doublings,
    )


def aligned(values: NDArray[np.int16]) -> NDArray[np.int16]:
    """Copy `values` to where a line never straddles two lines of the cache."""
    room = np.empty(values.nbytes + 63, np.uint8)
    start = -room.ctypes.data % 64
    copy = room[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy
