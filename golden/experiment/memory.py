"""What a network takes in memory, under stated models of what is held at once, in bits.

The paper holds the memory of its variants against each other without saying what is buffered, so
every figure here comes with its model (`MODELS`). Vectors between dense layers count nowhere: they
are a hundred values.
"""

from collections.abc import Callable
from dataclasses import dataclass

from golden.layer import Layer, Shape, Threshold
from golden.network import Network

FLOAT_BITS = 32
CODE_BITS = 8
WORD_BITS = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class Widths:
    """Bits of what a variant stores.

    Parameters
    ----------
    maps
        Of an element of a convolution's map.
    weights
        Of a weight.
    maxima
        Of an element of the map before the global maximum; None: as `maps`.
    """

    maps: int
    weights: int
    maxima: int | None = None

    def behind(self, conv: Layer) -> int:
        """Of an element of the map that `conv` gives."""
        return self.maps if self.maxima is None or conv.pool != "global" else self.maxima


VARIANTS = {
    "float": Widths(maps=FLOAT_BITS, weights=FLOAT_BITS),
    "bam": Widths(maps=1, weights=FLOAT_BITS),
    "bam-w8": Widths(maps=1, weights=8),
    "a8w8": Widths(maps=8, weights=8),
    "maxima-codes": Widths(maps=1, weights=8, maxima=8),
    "maxima-2bit": Widths(maps=1, weights=8, maxima=2),
}


def weight_bits(network: Network, widths: Widths) -> int:
    """Bits of all weights, and of a word per output channel: its bias or threshold (and flip)."""
    weights = sum(layer.weights.size for layer in network.layers)
    channels = sum(layer.out_channels for layer in network.layers)
    flips = sum(
        layer.out_channels
        for layer in network.layers
        if isinstance(layer.end, Threshold) and layer.end.flip.any()
    )
    return weights * widths.weights + channels * WORD_BITS + flips


def conv_outputs(network: Network, widths: Widths) -> int:
    """All conv outputs: the maps of all convolutions before pooling, at once."""
    return sum(_map(layer, before, widths) for layer, before, _ in convs(network))


def conv_outputs_and_input(network: Network, widths: Widths) -> int:
    """All conv outputs, and the whole input in codes of 8 bits."""
    return conv_outputs(network, widths) + _input(network)


def largest_map(network: Network, widths: Widths) -> int:
    """The largest map of a convolution before pooling, and no other."""
    return max(_map(layer, before, widths) for layer, before, _ in convs(network))


def pooled_maps(network: Network, widths: Widths) -> int:
    """The whole input in codes of 8 bits, and all maps as they are handed on, pooling done."""
    handed_on = (widths.behind(layer) * _size(after) for layer, _, after in convs(network))
    return _input(network) + sum(handed_on)


def strips(network: Network, widths: Widths) -> int:
    """Strips of one frame: of each input the frames of a kernel, and what pooling has begun.

    Frame by frame a convolution needs as many frames of its input as its kernel spans; a 2x2
    maximum keeps the first of two frames, already halved along the bands; a global maximum keeps
    one element a channel.
    """
    bits, width = 0, CODE_BITS
    for layer, before, after in convs(network):
        frame = before[0] * before[1]
        bits += min(layer.kernel[1], before[2]) * frame * width
        width = widths.behind(layer)
        if layer.pool == "max2x2":
            bits += after[0] * after[1] * width
        elif layer.pool == "global":
            bits += after[0] * width
    return bits


MODELS: dict[str, Callable[[Network, Widths], int]] = {
    "all conv outputs": conv_outputs,
    "all conv outputs, 8-bit input": conv_outputs_and_input,
    "largest map": largest_map,
    "pooled maps, 8-bit input": pooled_maps,
    "strips of one frame, 8-bit input": strips,
}
"""Bits of activations by the model's name; each function says what it holds."""

CLAIMED = "all conv outputs"
"""The model that the issue's factor of 25 is asked of."""


def total_bits(network: Network, model: str, variant: str) -> int:
    """Bits of activations and weights of `variant` under `model`."""
    widths = VARIANTS[variant]
    return MODELS[model](network, widths) + weight_bits(network, widths)


def factor(network: Network, model: str, variant: str) -> float:
    """How many times less memory than the float baseline `variant` takes under `model`."""
    return total_bits(network, model, "float") / total_bits(network, model, variant)


def convs(network: Network) -> list[tuple[Layer, Shape, Shape]]:
    """Return the convolutions with the shapes of their input and output; dense layers are none."""
    shapes = network.shapes
    return [
        (layer, before, after)
        for layer, before, after in zip(network.layers, shapes, shapes[1:], strict=False)
        if layer.map_shape(before)[1:] != (1, 1)
    ]


def _map(layer: Layer, before: Shape, widths: Widths) -> int:
    return widths.behind(layer) * _size(layer.map_shape(before))


def _input(network: Network) -> int:
    return _size(network.input_shape) * CODE_BITS


def _size(shape: Shape) -> int:
    return shape[0] * shape[1] * shape[2]
