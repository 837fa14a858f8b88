"""Random legal networks and codes from a seed: the food of every test that compares engines.

Everything that the contract allows comes up: kernels of 1x1, 1x3, 3x1, 3x3 and 5x5, strides of 1
and 2 on each axis, same and valid padding, 1- to 8-bit inputs, any channel count, thresholds with
flips, requantised layers, every pooling, hidden dense layers, several outputs, extreme and sparse
weights. Thresholds and shifts are calibrated on random inputs, so that bits are mixed and codes
are not all saturated: a network that always gives the same cannot show an error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from golden import calibration
from golden.front_end import FrontEnd
from golden.layer import Layer, Pool, Raw, Shape, Threshold
from golden.network import Network

KERNELS = ((1, 1), (1, 3), (3, 1), (3, 3), (5, 5))

Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """Bounds of a random network; every one is reached.

    Parameters
    ----------
    channels
        Greatest number of channels of any map, at least 1.
    bands, frames
        Greatest extent of the input, pixels, at least 5.
    convolutions
        Greatest number of layers that see a map.
    dense
        Greatest number of hidden layers that see a vector.
    sum_bits
        Greatest width of a sum with its bias, 16 to 32 bits; weights shrink until they fit.
    """

    channels: int = 8
    bands: int = 12
    frames: int = 14
    convolutions: int = 3
    dense: int = 2
    sum_bits: int = 32


SIZES = {
    "tiny": Size(),
    "narrow": Size(sum_bits=20),
    "small": Size(channels=20, bands=24, frames=30, convolutions=4, dense=2),
    "wide": Size(channels=70, bands=9, frames=11, convolutions=2, dense=2),
}


def random_codes(rng: Generator, network: Network) -> Codes:
    """Draw codes that `network` takes: full range, sparse, or extreme only."""
    return _draw_codes(rng, network.input_shape, network.input_bits)


def random_network(rng: Generator, *, size: str | Size = "tiny") -> Network:
    """Draw a legal network.

    Parameters
    ----------
    rng
        The only source of chance: the same state gives the same network.
    size
        A name in `SIZES`, or bounds.

    Returns
    -------
    Network
        Without a front-end; its layers are ``conv1``, ``conv2`` ..., ``dense1`` ..., ``out``.
    """
    bounds = SIZES[size] if isinstance(size, str) else size
    bits = int(rng.integers(1, 9))
    shape = (
        int(rng.choice([1, 1, 2, 3, bounds.channels])),
        int(rng.integers(1, bounds.bands + 1)),
        int(rng.integers(1, bounds.frames + 1)),
    )
    builder = _Builder(rng, shape, bits, sum_bits=bounds.sum_bits)
    for i in range(int(rng.integers(0, bounds.convolutions + 1))):
        builder.convolution(f"conv{i + 1}", _channels(rng, bounds.channels))
    if builder.shape[1:] != (1, 1):
        builder.convolution("collapse", _channels(rng, bounds.channels), pool="global")
    for i in range(int(rng.integers(0, bounds.dense + 1))):
        builder.dense(f"dense{i + 1}", _channels(rng, bounds.channels))
    return builder.finish(tuple(f"output{i}" for i in range(int(rng.integers(1, 5)))))


def tiny_network(seed: int = 1) -> Network:
    """Build a small network of the paper's form: untrained, for tests and the `tiny` preset.

    It takes 16 bands x 20 frames of 8-bit codes; four 3x3 convolutions ``conv1`` to ``conv4`` in
    bits, 2x2 maxima after the first three, a global one after the fourth; then ``fc1`` and
    ``fc2`` in 8-bit codes and two outputs, ``score`` and ``noise``. Its front-end hears windows
    of 5 s; its scores mean nothing.
    """
    rng = np.random.default_rng(seed)
    builder = _Builder(rng, (1, 16, 20), 8, samples=12)
    for name, channels in (("conv1", 4), ("conv2", 6), ("conv3", 5)):
        builder.convolution(name, channels, kernel=(3, 3), same=True, pool="max2x2", bits=1)
    builder.convolution("conv4", 8, kernel=(3, 3), same=True, pool="global", bits=1)
    for name in ("fc1", "fc2"):
        builder.dense(name, 8, bits=8)
    front_end = FrontEnd(
        hop=4000,
        bands=16,
        offset=np.full(16, -18, np.float32),
        step=np.full(16, 0.09, np.float32),
    )
    about = {"origin": "golden.random_networks.tiny_network, untrained", "seed": str(seed)}
    return builder.finish(("score", "noise"), front_end=front_end, about=about)


class _Builder:
    """Appends layers, each calibrated on what the layers before it make of a few inputs."""

    def __init__(
        self, rng: Generator, shape: Shape, bits: int, *, samples: int = 3, sum_bits: int = 32,
    ) -> None:
        self.rng = rng
        self.sum_bits = sum_bits
        self.input_shape = self.shape = shape
        self.bits = bits
        self.layers: list[Layer] = []
        self.samples = [_draw_codes(rng, shape, bits) for _ in range(samples)]

    def convolution(
        self,
        name: str,
        channels: int,
        *,
        kernel: tuple[int, int] | None = None,
        same: bool | None = None,
        pool: Pool | None = None,
        bits: int | None = None,
    ) -> None:
        """Append a layer; what is not given is drawn so that it fits the map."""
        rng, (_, bands, frames) = self.rng, self.shape
        same = bool(rng.integers(2)) if same is None else same
        if kernel is None:
            fits = [(1, 1)] + [
                k for k in KERNELS[1:] if same or (k[0] <= bands and k[1] <= frames)
            ]
            kernel = fits[int(rng.integers(len(fits)))]
            stride = (int(rng.choice([1, 1, 2])), int(rng.choice([1, 1, 2])))
        else:
            stride = (1, 1)
        layer = Layer(
            name=name,
            weights=self._weights((channels, self.shape[0], *kernel)),
            input_bits=self.bits,
            stride=stride,
            padding=(kernel[0] // 2, kernel[1] // 2) if same else (0, 0),
            end=_silent(channels),
        )
        if pool is None:
            _, bands, frames = layer.map_shape(self.shape)
            pools: list[Pool] = ["none", "global"]
            if bands > 1 and frames > 1:
                pools += ["max2x2", "max2x2"]
            pool = pools[int(rng.integers(len(pools)))]
        self._append(layer, pool, bits)

    def dense(self, name: str, channels: int, *, bits: int | None = None) -> None:
        """Append a hidden layer on a 1x1 map."""
        self.convolution(name, channels, kernel=(1, 1), same=False, pool="none", bits=bits)

    def finish(
        self,
        names: tuple[str, ...],
        *,
        front_end: FrontEnd | None = None,
        about: dict[str, str] | None = None,
    ) -> Network:
        """Append the raw layer ``out`` and close the network."""
        outputs = len(names)
        raw = Raw(
            bias=self.rng.integers(-5000, 5000, outputs, dtype=np.int32),
            scale=self.rng.uniform(0.001, 0.1, outputs),
            offset=self.rng.uniform(-1, 1, outputs),
            names=names,
        )
        weights = self._weights((outputs, self.shape[0], 1, 1))
        self.layers.append(Layer(name="out", weights=weights, input_bits=self.bits, end=raw))
        return Network(
            input_shape=self.input_shape,
            layers=tuple(self.layers),
            front_end=front_end,
            about=about or {},
        )

    def _weights(self, shape: tuple[int, ...]) -> NDArray[np.int8]:
        weights = _draw_weights(self.rng, shape)
        # Two bits less than may be: one for the sign, one for the bias.
        most = 2 ** (self.sum_bits - 2) // (2**self.bits - 1)
        while np.abs(weights.astype(np.int64)).reshape(shape[0], -1).sum(1).max() > most:
            weights = (weights / 2).astype(np.int8)
        return weights

    def _append(self, layer: Layer, pool: Pool, bits: int | None) -> None:
        requantised = bits != 1
        if bits is None:
            bits = int(self.rng.choice([1, 1, 1, 2, 3, 4, 5, 6, 7, 8]))
            requantised = bits > 1 or self.rng.integers(4) == 0  # codes of one bit are legal
        totals = [calibration.sums(layer, codes) for codes in self.samples]
        end = calibration.calibrate(self.rng, totals, pool, bits if requantised else None)
        layer = Layer(
            name=layer.name,
            weights=layer.weights,
            input_bits=layer.input_bits,
            stride=layer.stride,
            padding=layer.padding,
            end=end,
            pool=pool,
        )
        self.layers.append(layer)
        self.samples = [calibration.outputs(end, pool, total) for total in totals]
        self.shape = layer.output_shape(self.shape)
        self.bits = end.output_bits


def _channels(rng: Generator, most: int) -> int:
    return min(most, int(rng.choice([1, 2, 3, 4, 5, 7, 8, most, most])))


def _draw_codes(rng: Generator, shape: Shape, bits: int) -> Codes:
    top = 2**bits - 1
    codes = rng.integers(0, top + 1, shape)
    kind = rng.integers(4)
    if kind == 0:
        codes *= rng.random(shape) < 0.2
    elif kind == 1:
        codes = np.where(codes > top // 2, top, 0)
    return codes.astype(np.uint8)


def _draw_weights(rng: Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    weights = rng.integers(-128, 128, shape)
    kind = rng.integers(5)
    if kind == 0:
        weights = rng.choice([-128, 127], shape)
    elif kind == 1:
        weights = weights * (rng.random(shape) < 0.4)
    elif kind == 2:
        weights = np.clip(np.round(rng.normal(0, 30, shape)), -128, 127)
    return weights.astype(np.int8)


def _silent(channels: int) -> Threshold:
    return Threshold(threshold=np.zeros(channels, np.int32), flip=np.zeros(channels, np.bool_))
