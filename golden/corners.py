"""The named corner tensors: where an accumulate, a comparison or a shift is likeliest to break.

All fit sums of 20 bits, so that the smallest machine can take them.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from golden import naive
from golden.layer import End, Layer, Raw, Requantise, Shape, Threshold
from golden.network import Network

SEED = 24
"""Seed of all that is random in a corner."""

Corner = tuple[Network, NDArray[np.uint8]]


def corners() -> dict[str, Corner]:
    """Build every corner by name: a network and codes for it.

    ==================================  ==========================================================
    ``weights-all-minus-128-<n>-bit``   every weight -128, every code the greatest of n bits
    ``weights-all-127-<n>-bit``         every weight 127, likewise
    ``codes-all-zero-<n>-bit``          random weights, every code 0: thresholds alone decide
    ``single-tap-<n>-bit``              one weight per output channel, at each place of a kernel
    ``largest-fan-in``                  400 taps of a sum, weights at both ends, every bit 1
    ``sum-at-threshold``                in each channel one pixel's sum is the threshold itself
    ``sum-one-above-threshold``         the same sums, the threshold one lower
    ``sum-one-below-threshold``         the same sums, the threshold one higher
    ``requantise-edges``                every code once, through floor, bias and both clips
    ``padding-only``                    a code in the middle of a kernel that pads on all sides
    ==================================  ==========================================================

    Where thresholds matter, odd channels are flipped.
    """
    found: dict[str, Corner] = {}
    for bits in (1, 8):
        shape = (8 if bits == 1 else 1, 4, 5)
        for label, weight in (("minus-128", -128), ("127", 127)):
            weights = np.full((4, shape[0], 3, 3), weight, np.int8)
            total = weight * (2**bits - 1) * shape[0]
            # Between the sums of a corner (4 taps), an edge (6) and the middle (9).
            end = _threshold([5 * total, 5 * total, 7 * total, 7 * total])
            codes = np.full(shape, 2**bits - 1, np.uint8)
            found[f"weights-all-{label}-{bits}-bit"] = _corner(weights, bits, end, codes)
        weights = _weights(np.random.default_rng(SEED), (4, shape[0], 3, 3))
        end = _threshold([-1, -1, 0, 0])
        found[f"codes-all-zero-{bits}-bit"] = _corner(weights, bits, end, np.zeros(shape, np.uint8))
        found[f"single-tap-{bits}-bit"] = _single_tap(bits)
    found["largest-fan-in"] = _largest_fan_in()
    for label, above in (("at", 0), ("one-above", 1), ("one-below", -1)):
        found[f"sum-{label}-threshold"] = _near_threshold(above)
    found["requantise-edges"] = _requantise_edges()
    weights = _weights(np.random.default_rng(SEED), (3, 1, 5, 5))
    codes = np.full((1, 1, 1), 255, np.uint8)
    found["padding-only"] = _corner(weights, 8, _threshold([0, 0, 500]), codes)
    return found


def _single_tap(bits: int) -> Corner:
    weights = np.zeros((9, 1, 3, 3), np.int8)
    weights.reshape(9, 9)[np.diag_indices(9)] = [127, -128, 1, -1, 127, -128, 64, -64, 2]
    codes = np.random.default_rng(SEED).integers(0, 2**bits, (1, 5, 6)).astype(np.uint8)
    middle = weights.reshape(9, 9).astype(np.int64).sum(1) * (2**bits - 1) // 2
    return _corner(weights, bits, _threshold(middle), codes)


def _largest_fan_in() -> Corner:
    copies = Threshold(threshold=np.zeros(16, np.int32), flip=np.zeros(16, np.bool_))
    expand = _layer("expand", np.ones((16, 1, 1, 1), np.int8), 1, copies)
    weights = np.empty((3, 16, 5, 5), np.int8)
    weights[0], weights[1] = -128, 127
    weights[2] = np.random.default_rng(SEED).choice([-128, 127], (16, 5, 5))
    codes = np.ones((1, 5, 5), np.uint8)
    totals = weights.astype(np.int64).sum((1, 2, 3))
    return _corner(weights, 1, _threshold(totals - 1), codes, padding=0, ahead=(expand,))


def _near_threshold(above: int) -> Corner:
    rng = np.random.default_rng(SEED)
    weights = _weights(rng, (6, 1, 3, 3))
    codes = rng.integers(0, 256, (1, 5, 6)).astype(np.uint8)
    blank = _layer("conv", weights, 8, _threshold(np.zeros(6)), padding=1)
    totals = naive.sums(blank, codes).reshape(6, -1)
    pixels = totals[np.arange(6), rng.integers(0, totals.shape[1], 6)]
    return _corner(weights, 8, _threshold(pixels - above), codes)


def _requantise_edges() -> Corner:
    weights = np.array([1, -1, 2, -3], np.int8).reshape(4, 1, 1, 1)
    end = Requantise(bias=np.array([-3, 130, 2, 767], np.int32), shift=2, bits=5)
    codes = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    return _corner(weights, 8, end, codes, padding=0)


def _weights(rng: Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    return rng.integers(-128, 128, shape).astype(np.int8)


def _threshold(values: object) -> Threshold:
    threshold = np.asarray(values).astype(np.int32)
    return Threshold(threshold=threshold, flip=np.arange(len(threshold)) % 2 == 1)


def _layer(
    name: str, weights: NDArray[np.int8], bits: int, end: End, *, padding: int = 0,
) -> Layer:
    pad = (padding, padding)
    return Layer(name=name, weights=weights, input_bits=bits, padding=pad, end=end)


def _corner(
    weights: NDArray[np.int8],
    bits: int,
    end: End,
    codes: NDArray[np.uint8],
    *,
    padding: int | None = None,
    ahead: tuple[Layer, ...] = (),
) -> Corner:
    """Make a legal network of the layer in question, `conv`, and what stands ahead of it."""
    out, _, kernel, _ = weights.shape
    padding = kernel // 2 if padding is None else padding
    conv = _layer("conv", weights, bits, end, padding=padding)
    collapse = Layer(
        name="collapse",
        weights=np.concatenate([np.eye(out), -np.eye(out)]).astype(np.int8)[:, :, None, None],
        input_bits=end.output_bits,
        end=_threshold(np.tile([0, -1], out)),
        pool="global",
    )
    raw = Raw(
        bias=np.array([-1, 1], np.int32),
        scale=np.ones(2),
        offset=np.zeros(2),
        names=("first", "second"),
    )
    ends = np.repeat(np.array([[127], [-128]], np.int8), 2 * out, 1)
    last = _layer("out", ends[:, :, None, None], 1, raw)
    shape: Shape = (codes.shape[0], codes.shape[1], codes.shape[2])
    return Network(input_shape=shape, layers=(*ahead, conv, collapse, last)), codes
