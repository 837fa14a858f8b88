"""One layer of the network contract: a convolution, its end and its pooling, integers only."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from golden.rules import check_vector, is_int, refuse

INT32 = np.iinfo(np.int32)
POOLS = ("none", "max2x2", "global")

Pool = Literal["none", "max2x2", "global"]
Shape = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Threshold:
    """A layer's end in bits: 1 iff ``sum > threshold``, or ``sum <= threshold`` where `flip`.

    Parameters
    ----------
    threshold
        int32 ``[out]``.
    flip
        bool ``[out]``.
    """

    threshold: NDArray[np.int32]
    flip: NDArray[np.bool_]

    @property
    def output_bits(self) -> int:
        """Bits of one output, always 1."""
        return 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Requantise:
    """A layer's end in codes: ``clip((sum + bias) >> shift, 0, 2^bits - 1)``, floor shift.

    Parameters
    ----------
    bias
        int32 ``[out]``; holds the rounding.
    shift
        0 to 31, one for the layer.
    bits
        Bits of one output code, 1 to 8.
    """

    bias: NDArray[np.int32]
    shift: int
    bits: int = 8

    @property
    def output_bits(self) -> int:
        """Bits of one output code."""
        return self.bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Raw:
    """The last layer's end: ``raw = sum + bias``, and ``score = raw * scale + offset`` outside.

    Parameters
    ----------
    bias
        int32 ``[out]``.
    scale, offset
        float64 ``[out]``; applied by the host.
    names
        One name per output, all different.
    """

    bias: NDArray[np.int32]
    scale: NDArray[np.float64]
    offset: NDArray[np.float64]
    names: tuple[str, ...]

    @property
    def output_bits(self) -> int:
        """Bits of one output, int32."""
        return 32


End = Threshold | Requantise | Raw


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One convolution with its end and its pooling; a dense layer is 1x1 on a 1x1 map.

    Parameters
    ----------
    name
        The layer's name in traces, reports and errors.
    weights
        int8 ``[out, in, kh, kw]``.
    input_bits
        1 (bits) to 8 (unsigned codes).
    stride, padding
        ``(bands, frames)``; a padded pixel is code 0.
    end
        Threshold, requantise or raw.
    pool
        After the end: none, 2x2 maximum (odd edges dropped) or maximum over the whole map.
    """

    name: str
    weights: NDArray[np.int8]
    input_bits: int
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    end: End
    pool: Pool = "none"

    def __post_init__(self) -> None:
        broken: list[str] = []
        w = self.weights
        if not isinstance(self.name, str) or not self.name:
            broken.append(f"name must be a non-empty string, not {self.name!r}")
        if not isinstance(w, np.ndarray) or w.dtype != np.int8 or w.ndim != 4 or 0 in w.shape:
            got = f"{w.dtype} {list(w.shape)}" if isinstance(w, np.ndarray) else type(w).__name__
            broken.append(f"weights must be int8 [out, in, kh, kw], not {got}")
        if not is_int(self.input_bits) or not 1 <= self.input_bits <= 8:
            broken.append(f"input_bits must be an integer from 1 to 8, not {self.input_bits!r}")
        for what, pair, least in (("stride", self.stride, 1), ("padding", self.padding, 0)):
            if len(pair) != 2 or any(not is_int(v) or v < least for v in pair):
                broken.append(f"{what} must be two integers of at least {least}, not {pair!r}")
        if self.pool not in POOLS:
            broken.append(f"pool must be one of {', '.join(POOLS)}, not {self.pool!r}")
        if not broken:
            self._check_end(broken)
        refuse(f"layer {self.name}", broken)

    def _check_end(self, broken: list[str]) -> None:
        end: object = self.end
        out = self.out_channels
        if isinstance(end, Threshold):
            check_vector(broken, "threshold", end.threshold, np.int32, out)
            check_vector(broken, "flip", end.flip, np.bool_, out)
        elif isinstance(end, Requantise):
            check_vector(broken, "bias", end.bias, np.int32, out)
            if not is_int(end.shift) or not 0 <= end.shift <= 31:
                broken.append(f"shift must be an integer from 0 to 31, not {end.shift!r}")
            if not is_int(end.bits) or not 1 <= end.bits <= 8:
                broken.append(f"bits must be an integer from 1 to 8, not {end.bits!r}")
        elif isinstance(end, Raw):
            check_vector(broken, "bias", end.bias, np.int32, out)
            check_vector(broken, "scale", end.scale, np.float64, out)
            check_vector(broken, "offset", end.offset, np.float64, out)
            names = end.names
            if len(names) != out or len(set(names)) != out or not all(names):
                broken.append(f"names must be {out} different non-empty names, not {names!r}")
            if self.pool != "none":
                broken.append(f"pool of a raw layer must be none, not {self.pool!r}")
            if not broken and not (np.isfinite(end.scale).all() and np.isfinite(end.offset).all()):
                broken.append("scale and offset must be finite")
        else:
            got = type(end).__name__
            broken.append(f"end must be Threshold, Requantise or Raw, not {got}")
        if not broken:
            low, high = self.sum_range
            if low < INT32.min or high > INT32.max:
                broken.append(f"sums must stay within int32, not reach {low} to {high}")

    @property
    def out_channels(self) -> int:
        """Number of output channels."""
        return int(self.weights.shape[0])

    @property
    def in_channels(self) -> int:
        """Number of input channels."""
        return int(self.weights.shape[1])

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel size ``(bands, frames)``, pixels."""
        return int(self.weights.shape[2]), int(self.weights.shape[3])

    @property
    def sum_range(self) -> tuple[int, int]:
        """Exact bounds (least, greatest) that hold for every partial sum and for sum + bias.

        Any subset of the terms, any prefix of the bit-planes and the sum with its bias lie
        within: the negative weights at the greatest code, the positive ones likewise.
        """
        top = 2**self.input_bits - 1
        w = self.weights.astype(np.int64).reshape(self.out_channels, -1)
        low = np.minimum(w, 0).sum(1) * top
        high = np.maximum(w, 0).sum(1) * top
        if isinstance(self.end, Requantise | Raw):
            bias = self.end.bias.astype(np.int64)
            low, high = np.minimum(low, low + bias), np.maximum(high, high + bias)
        return int(low.min()), int(high.max())

    @property
    def sum_bits(self) -> int:
        """Width of a two's complement accumulator that holds `sum_range`, bits."""
        low, high = self.sum_range
        return 1 + max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)

    def map_shape(self, shape: Shape) -> Shape:
        """Shape of the map before pooling, for an input of `shape`, both [channel, band, frame]."""
        bands, frames = (
            (size + 2 * pad - k) // stride + 1
            for size, pad, k, stride in zip(
                shape[1:], self.padding, self.kernel, self.stride, strict=True,
            )
        )
        return self.out_channels, bands, frames

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of the output, pooling done, for an input of `shape`."""
        channels, bands, frames = self.map_shape(shape)
        if self.pool == "max2x2":
            return channels, bands // 2, frames // 2
        return (channels, 1, 1) if self.pool == "global" else (channels, bands, frames)

    def accumulates(self, shape: Shape) -> int:
        """Binary x int8 operations for an input of `shape`, padding included.

        ``output pixels before pooling x out x in x kh x kw x input_bits``.
        """
        _, bands, frames = self.map_shape(shape)
        return bands * frames * self.weights.size * self.input_bits
