"""The network contract: integers only, one description that every engine reads.

A `Network` is what the PyTorch side exports, what the oracles evaluate and what `hw` lowers. It
needs NumPy alone. Tensors are ``[channel, band, frame]``, kernels ``int8 [out, in, kh, kw]`` with
kh over bands and kw over frames. Its layers are in `golden.layer`, how it hears in
`golden.front_end`; reading and writing the file is `golden.netfile`.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from golden.front_end import FrontEnd
from golden.layer import Layer, Raw, Shape
from golden.rules import is_int, refuse


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

    def only(self, *names: str) -> "Network":
        """Give the same network with these outputs alone, in this order.

        Raises
        ------
        ValueError
            There is no such output, or none or one twice was asked for.
        """
        end, layer = self.raw, self.layers[-1]
        if not names or len(set(names)) != len(names) or not set(names) <= set(end.names):
            known = ", ".join(end.names)
            raise ValueError(f"outputs must be some of {known}, each once, not {', '.join(names)}")
        rows = [end.names.index(name) for name in names]
        kept = Raw(
            bias=end.bias[rows], scale=end.scale[rows], offset=end.offset[rows], names=names,
        )
        last = replace(layer, weights=layer.weights[rows], end=kept)
        return replace(self, layers=(*self.layers[:-1], last))

    def scores(self, raw: NDArray[np.int32]) -> dict[str, float]:
        """Name and value of every output, from the raw result int32 ``[out]``."""
        end = self.raw
        values = raw.astype(np.float64) * end.scale + end.offset
        return {name: float(v) for name, v in zip(end.names, values, strict=True)}
