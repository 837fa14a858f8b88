"""The kernel's sums in NumPy, from the same plan: for where nothing can be compiled; slow."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from golden.adds.plan import CHANNELS, LayerPlan
from golden.layer import Requantise, Threshold


class Plain:
    """One network in NumPy.

    Parameters
    ----------
    plans
        Of `golden.adds.plan.plan`.
    """

    def __init__(self, plans: Sequence[LayerPlan]) -> None:
        self._plans = tuple(plans)
        self._maps: dict[str, NDArray[np.uint8]] = {}

    def run(self, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
        """Evaluate `codes`, uint8 ``[channel, band, frame]``; return the raw result."""
        self._maps = {}
        for p in self._plans:
            total, end, bound = sums(p, codes), p.layer.end, p.bound.reshape(-1)
            total = _pooled(p, total)
            if isinstance(end, Threshold):
                codes = (total > bound).astype(np.uint8)
            else:
                total = total + bound
                if not isinstance(end, Requantise):
                    break
                codes = (total >> end.shift).clip(0, 2**end.bits - 1).astype(np.uint8)
            codes = codes[..., : p.layer.out_channels].transpose(2, 0, 1)
            self._maps[p.layer.name] = np.ascontiguousarray(codes)
        raw: NDArray[np.int32] = total.reshape(-1)[: self._plans[-1].layer.out_channels]
        return raw

    def maps(self) -> dict[str, NDArray[np.uint8]]:
        """Give the outputs of the last run by layer."""
        return dict(self._maps)


def sums(p: LayerPlan, codes: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Sum looked-up lines: int32 ``[row, column, channel]`` of the map, tiles filled up."""
    (ph, pw), (rows, columns) = p.layer.padding, p.map
    padded = np.pad(codes, ((0, 0), (ph, ph), (pw, pw)))
    total = np.zeros((rows, columns, p.tiles * CHANNELS), np.int32)
    for plane in reversed(range(p.layer.input_bits)):
        total += total
        for row, place, index in _indices(p, (padded >> plane & 1).astype(np.uint16)):
            lines = p.tables[:, row, place][:, index]
            total += np.moveaxis(lines, 0, 2).reshape(total.shape)
    return total


def _indices(
    p: LayerPlan, bits: NDArray[np.uint16],
) -> Iterator[tuple[int, int, NDArray[np.uint16]]]:
    """Yield row and place of each table with its indices, uint16 ``[row, column]`` of the map."""
    (kh, kw), (sh, sw), (rows, columns) = p.layer.kernel, p.layer.stride, p.map

    def seen(plane: NDArray[np.uint16], ky: int, kx: int) -> NDArray[np.uint16]:
        return plane[ky : ky + sh * rows : sh, kx : kx + sw * columns : sw][:rows, :columns]

    if p.patch_low:
        index = np.zeros(p.map, np.uint16)
        for bit, (kx, ky) in enumerate(np.ndindex(kw, kh)):
            index |= seen(bits[0], ky, kx) << bit
        yield 0, 0, index
        return
    packed = np.zeros((p.pixel_groups, *bits.shape[1:]), np.uint16)
    for channel, plane in enumerate(bits):
        packed[channel // p.group_bits] |= plane << channel % p.group_bits
    for ky, kx, group in np.ndindex(kh, kw, p.pixel_groups):
        yield ky, kx * p.pixel_groups + group, seen(packed[group], ky, kx)


def _pooled(p: LayerPlan, total: NDArray[np.int32]) -> NDArray[np.int32]:
    """Take maxima of sums: every end is monotone, so they may stand before it."""
    rows, columns, channels = total.shape
    size = {"none": (1, 1), "max2x2": (2, 2), "global": (rows, columns)}[p.layer.pool]
    split = total.reshape(rows // size[0], size[0], columns // size[1], size[1], channels)
    pooled: NDArray[np.int32] = split.max((1, 3))
    return pooled
