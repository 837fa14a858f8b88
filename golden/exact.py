"""From real numbers to the integers of a layer's end, in exact rational arithmetic.

A channel's pre-activation is ``u = gain * sum + offset`` with the integer sum of codes times int8
weights. Gain and offset are fractions of the exact binary floats, so that no bit depends on how a
float would have been rounded: ``u > 0`` is ``sum > floor(-offset / gain)`` for a positive gain,
and ``sum <= ceil(-offset / gain) - 1`` (a flip) for a negative one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt

import numpy as np
from numpy.typing import NDArray

from golden.layer import INT32, Raw, Requantise, Threshold

TOP = 127
"""Greatest magnitude of a quantised weight; -128 stays free, so that rows are symmetric."""

SQRT_BITS = 256
"""Fractional bits to which an irrational square root is taken."""


@dataclass(frozen=True, slots=True)
class Affine:
    """``u = gain * sum + offset`` per output channel, exact.

    Parameters
    ----------
    gain, offset
        One fraction per output channel.
    """

    gain: tuple[Fraction, ...]
    offset: tuple[Fraction, ...]

    def then(self, gain: Sequence[Fraction], offset: Sequence[Fraction]) -> "Affine":
        """Apply ``gain * u + offset`` behind this one, per channel."""
        return Affine(
            tuple(g * h for g, h in zip(self.gain, gain, strict=True)),
            tuple(o * g + p for o, g, p in zip(self.offset, gain, offset, strict=True)),
        )


def fractions(values: NDArray[np.floating]) -> tuple[Fraction, ...]:
    """Exact values of the floats in a vector."""
    return tuple(Fraction(float(value)) for value in values)


def batch_norm(
    gamma: Sequence[Fraction],
    beta: Sequence[Fraction],
    mean: Sequence[Fraction],
    variance: Sequence[Fraction],
    epsilon: Fraction,
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Gain and offset of ``gamma * (u - mean) / sqrt(variance + epsilon) + beta``."""
    gain = tuple(g / _sqrt(v + epsilon) for g, v in zip(gamma, variance, strict=True))
    offset = tuple(b - g * m for b, g, m in zip(beta, gain, mean, strict=True))
    return gain, offset


def quantise_rows(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], tuple[Fraction, ...]]:
    """Quantise ``[out, ...]`` to int8 within -127..127 with one scale per output channel."""
    scales = np.maximum(np.abs(weights).reshape(len(weights), -1).max(1), 2.0**-24) / TOP
    codes = np.rint(weights / scales.reshape(-1, *[1] * (weights.ndim - 1)))
    return codes.astype(np.int8), fractions(scales)


def quantise_shared(
    weights: NDArray[np.float64], unit: Fraction,
) -> tuple[NDArray[np.int8], tuple[Fraction, ...]]:
    """Quantise ``[out, ...]`` to int8 with the least scale ``unit / 2^shift`` that holds all rows.

    Raises
    ------
    ValueError
        Not even `unit` itself (shift 0) holds them.
    """
    largest = max(Fraction(float(np.abs(weights).max())), Fraction(1, 2**24))
    shift = 0
    if largest > TOP * unit:
        raise ValueError(f"step must be at least {float(largest / TOP / unit):g} times as large")
    while shift < 24 and largest * 2 ** (shift + 1) <= TOP * unit:
        shift += 1
    scale = unit / 2**shift
    codes = np.rint(weights / float(scale))  # exact where the scale is a power of two
    return codes.astype(np.int8), (scale,) * len(weights)


def threshold(affine: Affine) -> Threshold:
    """Give the end in bits of the firing rule ``u > 0``.

    A channel of gain 0 fires always or never; bounds beyond int32 are held there.
    """
    bounds, flips = [], []
    for gain, offset in zip(affine.gain, affine.offset, strict=True):
        if gain > 0:
            bounds.append(floor(-offset / gain))
        elif gain < 0:
            bounds.append(ceil(-offset / gain) - 1)
        else:
            bounds.append(INT32.min if offset > 0 else INT32.max)
        flips.append(gain < 0)
    held = np.clip(np.array(bounds, object), INT32.min, INT32.max)
    return Threshold(threshold=held.astype(np.int32), flip=np.array(flips, np.bool_))


def requantise(affine: Affine, step: Fraction, bits: int) -> Requantise:
    """Give the end in codes of ``clip(floor(u / step + 1/2), 0, 2^bits - 1)``.

    Raises
    ------
    ValueError
        ``gain / step`` is not the same power of two, at most 1, in all channels; or a bias lies
        beyond int32.
    """
    ratio = step / affine.gain[0] if affine.gain[0] else Fraction(0)
    shift = ratio.numerator.bit_length() - 1
    if len(set(affine.gain)) > 1 or ratio != 2 ** max(shift, 0) or shift > 31:
        raise ValueError("step must be the same power of two, 1 to 2^31, of every row's scale")
    bias = [floor(offset / step * 2**shift + Fraction(2**shift, 2)) for offset in affine.offset]
    if min(bias) < INT32.min or max(bias) > INT32.max:
        raise ValueError(f"bias must stay within int32, not reach {min(bias)} to {max(bias)}")
    return Requantise(bias=np.array(bias, np.int32), shift=shift, bits=bits)


def raw(affine: Affine, names: tuple[str, ...]) -> Raw:
    """Give the end of the last layer: whole sums in the bias, the rest in the offset."""
    bias = [
        min(max(round(offset / gain), INT32.min // 2), INT32.max // 2) if gain else 0
        for gain, offset in zip(affine.gain, affine.offset, strict=True)
    ]
    rest = (o - g * b for g, o, b in zip(affine.gain, affine.offset, bias, strict=True))
    return Raw(
        bias=np.array(bias, np.int32),
        scale=np.array([float(gain) for gain in affine.gain]),
        offset=np.array([float(offset) for offset in rest]),
        names=names,
    )


def _sqrt(value: Fraction) -> Fraction:
    """Square root, exact where it is rational and has at most `SQRT_BITS` fractional bits."""
    return Fraction(isqrt(floor(value * 4**SQRT_BITS)), 2**SQRT_BITS)
