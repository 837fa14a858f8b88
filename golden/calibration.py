"""Ends for random layers, chosen on a few inputs so that bits are mixed and codes vary.

Vectorised NumPy, for speed alone; the oracles are `golden.torch_engine` and `golden.naive`.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.random import Generator
from numpy.typing import NDArray

from golden.layer import Layer, Pool, Requantise, Threshold

Ints = NDArray[np.int64]


def sums(layer: Layer, codes: NDArray[np.uint8]) -> Ints:
    """Convolve `codes` ``[in, band, frame]`` with the weights: ``[out, band, frame]``."""
    (ph, pw), (sh, sw) = layer.padding, layer.stride
    padded = np.pad(codes.astype(np.int64), ((0, 0), (ph, ph), (pw, pw)))
    windows = sliding_window_view(padded, layer.kernel, axis=(1, 2))[:, ::sh, ::sw]
    total: Ints = np.einsum("oihw,ibfhw->obf", layer.weights.astype(np.int64), windows)
    return total


def outputs(end: Threshold | Requantise, pool: Pool, total: Ints) -> NDArray[np.uint8]:
    """Bits or codes of the sums `total` ``[out, band, frame]``, pooled."""
    if isinstance(end, Threshold):
        above = total > end.threshold[:, None, None]
        fired = (above != end.flip[:, None, None]).astype(np.int64)
    else:
        fired = ((total + end.bias[:, None, None]) >> end.shift).clip(0, 2**end.bits - 1)
    return _maximum(fired, pool).astype(np.uint8)


def calibrate(
    rng: Generator, totals: list[Ints], pool: Pool, bits: int | None,
) -> Threshold | Requantise:
    """Choose an end for a layer.

    Parameters
    ----------
    rng
        Draws which channels are flipped.
    totals
        Sums ``[out, band, frame]``, one map for each input.
    pool
        The pooling behind the end.
    bits
        Width of a code, None for a threshold.

    Returns
    -------
    Threshold or Requantise
        Half of the pooled bits are ones; most of the pooled codes lie within their range.
    """
    channels = totals[0].shape[0]
    greatest = np.concatenate([_maximum(t, pool).reshape(channels, -1) for t in totals], 1)
    if bits is None:
        # An OR of flipped bits asks for the least sum of a window.
        least = -np.concatenate([_maximum(-t, pool).reshape(channels, -1) for t in totals], 1)
        flip = np.less(rng.random(channels), 0.3 * rng.integers(2))
        middle = np.where(flip, np.median(least, 1), np.median(greatest, 1))
        return Threshold(threshold=np.floor(middle).astype(np.int32), flip=flip)
    low, high = np.quantile(greatest, [0.2, 0.95], axis=1)
    spread = max(int((high - low).max()), 1)
    shift = max(0, spread.bit_length() - bits)
    bias = np.rint(-low).astype(np.int32) + np.int32(1 << shift >> 1)
    return Requantise(bias=bias, shift=shift, bits=bits)


def _maximum(values: Ints, pool: Pool) -> Ints:
    if pool == "none":
        return values
    channels, bands, frames = values.shape
    n, m = (2, 2) if pool == "max2x2" else (bands, frames)
    whole = values[:, : bands // n * n, : frames // m * m]
    pooled: Ints = whole.reshape(channels, bands // n, n, frames // m, m).max((2, 4))
    return pooled
