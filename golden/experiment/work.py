"""What a network has to compute for one clip: counts of products, sums, and sums that add nothing.

All is counted from the network file and, for the bits that are 1, from traces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.experiment.records import CODES
from golden.layer import Layer, Shape
from golden.network import Network
from golden.trace import Trace

ONES = np.array([value.bit_count() for value in range(256)], np.int64)
"""Number of bits of a code that are 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerWork:
    """One layer's share of a clip.

    Parameters
    ----------
    name
        The layer.
    input_bits
        Of one input element.
    macs
        Products of a dot product, padding included: multiply-accumulates if each is multiplied.
    accumulates
        Sums when codes go bit-plane by bit-plane: ``macs * input_bits``.
    needed
        Accumulates whose bit is 1, mean over the traces; a zero-skipping machine does these only.
    input_ones, output_ones
        Share of bits that are 1 (of a code: of its bits) in the input and, pooling done, in the
        output, mean over the traces; a raw output has none.
    """

    name: str
    input_bits: int
    macs: int
    accumulates: int
    needed: float
    input_ones: float
    output_ones: float | None

    @property
    def spared(self) -> float:
        """Share of the accumulates that a zero-skipping machine spares."""
        return 1 - self.needed / self.accumulates


def work(
    network: Network, codes: Sequence[NDArray[np.uint8]], traces: Sequence[Trace],
) -> tuple[LayerWork, ...]:
    """Count every layer's work for one clip.

    Parameters
    ----------
    network
        The network.
    codes, traces
        Inputs ``[channel, band, frame]`` and what became of each; at least one.
    """
    found = []
    inputs = list(codes)
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        accumulates = layer.accumulates(shape)
        outputs = [trace.outputs[layer.name] for trace in traces if layer.name in trace.outputs]
        needed = [needed_accumulates(layer, one) for one in inputs]
        found.append(
            LayerWork(
                name=layer.name,
                input_bits=layer.input_bits,
                macs=accumulates // layer.input_bits,
                accumulates=accumulates,
                needed=float(np.mean(needed)),
                input_ones=_share(inputs, layer.input_bits),
                output_ones=_share(outputs, layer.end.output_bits) if outputs else None,
            ),
        )
        inputs = outputs
    return tuple(found)


def needed_accumulates(layer: Layer, values: NDArray[np.uint8]) -> int:
    """Count the accumulates of `layer` whose bit is 1, for an input ``[channel, band, frame]``.

    A bit is added once for every output channel and every place of the kernel that covers it;
    padding is 0 and needs nothing.
    """
    pixels = ONES[values].sum(axis=0)
    bands, frames = (
        _covered(size, k, stride, pad)
        for size, k, stride, pad in zip(
            pixels.shape, layer.kernel, layer.stride, layer.padding, strict=True,
        )
    )
    return layer.out_channels * int(bands @ pixels @ frames)


def multiplications(layer: Layer, shape: Shape, *, planes: bool) -> int:
    """Count the products of `layer` in which both factors have more than one bit.

    Parameters
    ----------
    layer, shape
        The layer, and the shape of its input.
    planes
        Whether codes go bit-plane by bit-plane, as everywhere in this project: a factor is then a
        single bit, which gates the weight. Else a code is one factor.

    Ends add nothing: a threshold compares, requantising adds and shifts. What the host does to the
    raw result (a score = raw * scale + offset) lies behind the network.
    """
    factor_bits = 1 if planes else layer.input_bits
    return 0 if factor_bits == 1 else layer.accumulates(shape) // layer.input_bits


def spared_about(network: Network, ones: Mapping[str, float]) -> float | None:
    """Estimate the share of accumulates that zero-skipping spares, from shares of ones alone.

    Parameters
    ----------
    network
        Of which the shares were counted, or one of its shape.
    ones
        Share of output bits that are 1, by layer; of the input as `CODES`.

    Returns
    -------
    float or None
        Over the layers whose input's share is known; padding counts as if it were like the rest.
        None where no share is known.
    """
    spared, of = 0.0, 0
    above = CODES
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        if above in ones:
            accumulates = layer.accumulates(shape)
            spared, of = spared + accumulates * (1 - ones[above]), of + accumulates
        above = layer.name
    return spared / of if of else None


def _covered(size: int, kernel: int, stride: int, padding: int) -> NDArray[np.int64]:
    """How many kernel places cover each of `size` pixels along one axis."""
    covered = np.zeros(size + 2 * padding, np.int64)
    for start in range(0, covered.size - kernel + 1, stride):
        covered[start : start + kernel] += 1
    return covered[padding : padding + size]


def _share(maps: Sequence[NDArray[np.uint8]], bits: int) -> float:
    return float(np.mean([ONES[one].mean() / bits for one in maps]))
