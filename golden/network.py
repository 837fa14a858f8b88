"""The network contract: integers only, one description that every engine reads.

A `Network` is what the PyTorch side exports, what the oracles evaluate and what `hw` lowers. It
needs NumPy alone. Tensors are ``[channel, band, frame]``, kernels ``int8 [out, in, kh, kw]`` with
kh over bands and kw over frames. Reading and writing the file is `golden.netfile`.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

INT32 = np.iinfo(np.int32)
POOLS = ("none", "max2x2", "global")

Pool = Literal["none", "max2x2", "global"]
Shape = tuple[int, int, int]


class NetworkError(ValueError):
    """A network that breaks the contract; the message lists every broken rule."""


def refuse(subject: str, broken: list[str]) -> None:
    """Raise one `NetworkError` that lists all `broken` rules of `subject`, if there are any."""
    if broken:
        raise NetworkError(f"{subject}: " + "; ".join(broken))


def is_int(value: object) -> bool:
    """Whether `value` is an integer; `True` and `False` are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def _check_vector(broken: list[str], what: str, value: object, dtype: type, length: int) -> None:
    if not isinstance(value, np.ndarray) or value.dtype != dtype or value.shape != (length,):
        got = (
            f"{value.dtype} {list(value.shape)}"
            if isinstance(value, np.ndarray)
            else type(value).__name__
        )
        broken.append(f"{what} must be {np.dtype(dtype).name} [{length}], not {got}")


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontEnd:
    """How audio becomes codes: log-mel, standardised per band, quantised to unsigned codes.

    ``code = clip(round((ln(mel + floor) - offset[band]) / step[band]), 0, 2^bits - 1)``, where
    `bits` is the first layer's `input_bits`.

    Parameters
    ----------
    kind
        The kind of front-end; ``"log-mel"`` is the only one so far.
    sample_rate
        Hz.
    window
        Length of the analysis window (Hann) and of the Fourier transform, samples.
    hop
        Samples from frame to frame.
    bands
        Number of mel bands, from 0 Hz to half the sample rate.
    mel_scale
        ``"htk"``.
    log
        ``"ln"`` (natural logarithm) or ``"db"`` (10 log10).
    reference
        ``"absolute"``, or ``"max"``: levels relative to the clip's maximum.
    floor
        Added to the mel power before the logarithm.
    clip_seconds
        Length of the window that one prediction sees, seconds.
    clip_hop_seconds
        Distance of the starts of successive windows, seconds.
    offset, step
        Per band, float32 ``[bands]``, in units of the logarithm; step is positive.
    """

    kind: str = "log-mel"
    sample_rate: int = 16000
    window: int = 640
    hop: int = 320
    bands: int = 120
    mel_scale: str = "htk"
    log: str = "ln"
    reference: str = "absolute"
    floor: float = 1e-9
    clip_seconds: float = 5.0
    clip_hop_seconds: float = 1.0
    offset: NDArray[np.float32]
    step: NDArray[np.float32]

    def __post_init__(self) -> None:
        broken: list[str] = []
        for name, known in (
            ("kind", ("log-mel",)),
            ("mel_scale", ("htk",)),
            ("log", ("ln", "db")),
            ("reference", ("absolute", "max")),
        ):
            value = getattr(self, name)
            if value not in known:
                broken.append(f"{name} must be one of {', '.join(known)}, not {value!r}")
        for name in ("sample_rate", "window", "hop", "bands"):
            value = getattr(self, name)
            if not is_int(value) or value < 1:
                broken.append(f"{name} must be an integer of at least 1, not {value!r}")
        for name in ("floor", "clip_seconds", "clip_hop_seconds"):
            value = getattr(self, name)
            if not isinstance(value, float | int) or not np.isfinite(value) or value <= 0:
                broken.append(f"{name} must be a positive number, not {value!r}")
        if not broken:
            for name in ("offset", "step"):
                _check_vector(broken, name, getattr(self, name), np.float32, self.bands)
        if not broken and not (np.isfinite(self.offset).all() and np.isfinite(self.step).all()):
            broken.append("offset and step must be finite")
        elif not broken and (self.step <= 0).any():
            broken.append("step must be positive in every band")
        refuse("front-end", broken)

    @property
    def clip_samples(self) -> int:
        """Length of one window, samples."""
        return round(self.clip_seconds * self.sample_rate)

    @property
    def frames(self) -> int:
        """Frames of one window (no centring: only whole analysis windows)."""
        return (self.clip_samples - self.window) // self.hop + 1


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
            _check_vector(broken, "threshold", end.threshold, np.int32, out)
            _check_vector(broken, "flip", end.flip, np.bool_, out)
        elif isinstance(end, Requantise):
            _check_vector(broken, "bias", end.bias, np.int32, out)
            if not is_int(end.shift) or not 0 <= end.shift <= 31:
                broken.append(f"shift must be an integer from 0 to 31, not {end.shift!r}")
            if not is_int(end.bits) or not 1 <= end.bits <= 8:
                broken.append(f"bits must be an integer from 1 to 8, not {end.bits!r}")
        elif isinstance(end, Raw):
            _check_vector(broken, "bias", end.bias, np.int32, out)
            _check_vector(broken, "scale", end.scale, np.float64, out)
            _check_vector(broken, "offset", end.offset, np.float64, out)
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """All that an engine needs to turn codes into raw results.

    Parameters
    ----------
    input_shape
        ``(channels, bands, frames)`` of the codes.
    layers
        In order; the last one ends raw, the others do not.
    front_end
        How audio becomes codes, or None for a network that does not hear.
    about
        Free text by key (origin, seed, licence, figures); strings only.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    front_end: FrontEnd | None = None
    about: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        broken: list[str] = []
        if len(self.input_shape) != 3 or any(not is_int(v) or v < 1 for v in self.input_shape):
            broken.append(f"input_shape must be three positive integers, not {self.input_shape!r}")
        if not self.layers:
            broken.append("layers must hold at least one layer")
        names = [layer.name for layer in self.layers]
        if len(set(names)) != len(names):
            broken.append(f"layer names must differ, not {names}")
        if not broken:
            self._check_chain(broken)
        if self.front_end is not None and not broken:
            expected = (1, self.front_end.bands, self.front_end.frames)
            if tuple(self.input_shape) != expected:
                broken.append(
                    f"input_shape must be {expected} as the front-end gives it,"
                    f" not {tuple(self.input_shape)}",
                )
        refuse("network", broken)

    def _check_chain(self, broken: list[str]) -> None:
        shape = self.input_shape
        for i, layer in enumerate(self.layers):
            if layer.in_channels != shape[0]:
                broken.append(
                    f"layer {layer.name} must take {shape[0]} channels, not {layer.in_channels}",
                )
            before, shape = layer.map_shape(shape), layer.output_shape(shape)
            if min(before + shape) < 1:  # the global pool of an empty map has a shape, too
                broken.append(f"layer {layer.name} must leave a map, not {min(before, shape)}")
                return
            last = i == len(self.layers) - 1
            if isinstance(layer.end, Raw) != last:
                rule = "must end raw" if last else "must not end raw (only the last layer does)"
                broken.append(f"layer {layer.name} {rule}")
        for above, below in pairwise(self.layers):
            if below.input_bits != above.end.output_bits and not isinstance(above.end, Raw):
                broken.append(
                    f"layer {below.name} must take {above.end.output_bits}-bit inputs as"
                    f" {above.name} gives them, not {below.input_bits}-bit",
                )
        if not broken and shape[1:] != (1, 1):
            broken.append(f"the last layer must give a 1x1 map, not {shape[1]}x{shape[2]}")

    @property
    def input_bits(self) -> int:
        """Bits of one input code."""
        return self.layers[0].input_bits

    @property
    def raw(self) -> Raw:
        """The last layer's end."""
        end = self.layers[-1].end
        assert isinstance(end, Raw)  # `_check_chain` has refused all else
        return end

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of the input and of every layer's output: one more than there are layers."""
        shapes = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    def check_codes(self, codes: NDArray[np.uint8]) -> None:
        """Refuse `codes` that are not uint8 of `input_shape` within `input_bits`."""
        if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
            raise TypeError(f"codes must be a uint8 array, not {getattr(codes, 'dtype', codes)!r}")
        if codes.shape != tuple(self.input_shape):
            raise ValueError(f"codes must have shape {self.input_shape}, not {codes.shape}")
        if int(codes.max()) >= 2**self.input_bits:
            top = 2**self.input_bits - 1
            raise ValueError(f"codes must be at most {top}, not {int(codes.max())}")

    def scores(self, raw: NDArray[np.int32]) -> dict[str, float]:
        """Name and value of every output, from the raw result int32 ``[out]``."""
        end = self.raw
        values = raw.astype(np.float64) * end.scale + end.offset
        return {name: float(v) for name, v in zip(end.names, values, strict=True)}
