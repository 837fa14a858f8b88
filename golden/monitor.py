"""Endless audio: which frames each score hears, and the memory that needs no more than that.

**The stream.** Codes come without end, frame 0 first. A network that takes a maximum over a whole
map does so frame by frame here: the maximum is over the last `window` frames of that map (31 in the
paper's network, 5 s), and comes anew every `every` frames (6: 0.96 s). The map's layers see the
stream itself, so no frame of the window has a neighbour that is padding; the bands have edges still
and are padded as ever.

**Score k**, bit for bit: `unpadded`, the network whose layers up to that maximum pad no frames,
evaluated on the codes of the frames ``k * hop`` to ``k * hop + frames - 1``. `frames` is what
`window` frames of the map are computed from: the window and, on either side, what the kernels reach
(278 and 15 in the paper's network, of which 249 are the window's own). So any engine that evaluates
a network says what is right, and score k needs nothing from before its first frame: there is no
warm-up but to wait for the first `frames` frames.

**Phase.** `hop` is a multiple of `stride`, the frames of the stream to one of the map: every score
meets the same pairs of frames in the 2x2 maxima.

**Alone.** The same window with its edges padded is the network itself on the frames from
``k * hop + edge`` on.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden.layer import Layer
from golden.network import Network

Codes = NDArray[np.uint8]
Raw = NDArray[np.int32]

EVERY = 6
"""Frames of the map from score to score, or the window's if it has fewer."""


@dataclass(frozen=True, kw_only=True)
class Endless:
    """A network that hears without end.

    Parameters
    ----------
    network
        With a layer that takes a maximum over its whole map.
    every
        Frames of that map from score to score, 1 to `window`.

    Raises
    ------
    ValueError
        The network takes no such maximum, or `every` is out of range.
    """

    network: Network
    every: int

    def __post_init__(self) -> None:
        if all(layer.pool != "global" for layer in self.network.layers):
            raise ValueError(
                "network must take a maximum over a whole map to hear without end, not go without",
            )
        if isinstance(self.every, bool) or not isinstance(self.every, int):
            raise TypeError(f"every must be an integer, not {self.every!r}")
        if not 1 <= self.every <= self.window:
            raise ValueError(f"every must be from 1 to {self.window}, not {self.every}")

    @cached_property
    def last(self) -> int:
        """Number of the layer that takes the maximum; those before it see frames."""
        return next(i for i, each in enumerate(self.network.layers) if each.pool == "global")

    @cached_property
    def convolutions(self) -> tuple[Layer, ...]:
        """The layers up to the maximum, which pad no frames."""
        layers = self.network.layers[: self.last + 1]
        return tuple(replace(layer, padding=(layer.padding[0], 0)) for layer in layers)

    @cached_property
    def window(self) -> int:
        """Frames of the map over which a maximum is taken."""
        shape = self.network.shapes[self.last]
        return self.network.layers[self.last].map_shape(shape)[2]

    @cached_property
    def stride(self) -> int:
        """Frames of the stream from frame to frame of the map."""
        return prod(step(layer) for layer in self.convolutions)

    @cached_property
    def hop(self) -> int:
        """Frames of the stream from score to score."""
        return self.every * self.stride

    @cached_property
    def frames(self) -> int:
        """Frames of the stream that one score hears."""
        return self.reach(self.window)

    @cached_property
    def edge(self) -> int:
        """Frames by which a score hears beyond its window at the beginning: padding, otherwise."""
        padded, frames = 0, 1
        for layer in self.network.layers[: self.last + 1]:
            padded += layer.padding[1] * frames
            frames *= step(layer)
        return padded

    @cached_property
    def unpadded(self) -> Network:
        """The network that gives every score: no padding along the frames, `frames` of them."""
        channels, bands, _ = self.network.input_shape
        rest = self.network.layers[self.last + 1 :]
        return Network(
            input_shape=(channels, bands, self.frames),
            layers=(*self.convolutions, *rest),
            about=self.network.about,
        )

    def reach(self, count: int) -> int:
        """Frames of the stream from which so many neighbouring frames of the map are computed."""
        for layer in reversed(self.convolutions):
            count = (count - 1) * step(layer) + span(layer)
        return count


def endless(network: Network, every: int | None = None) -> Endless:
    """Let `network` hear without end, with a score every 6 frames of its last map, as a rule."""
    if every is not None:
        return Endless(network=network, every=every)
    return Endless(network=network, every=min(EVERY, Endless(network=network, every=1).window))


def step(layer: Layer) -> int:
    """Input frames from output frame to output frame, pooling done."""
    return layer.stride[1] * (2 if layer.pool == "max2x2" else 1)


def span(layer: Layer) -> int:
    """Input frames that one output frame is computed from, pooling done."""
    return layer.kernel[1] + (layer.stride[1] if layer.pool == "max2x2" else 0)


class Follower(Protocol):
    """An engine that follows a stream."""

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result, int32 ``[out]``, once its last frame has come.

        Parameters
        ----------
        endless
            What to evaluate.
        codes
            uint8 ``[channel, band, frame]``: the stream, in pieces of any number of frames.
        """


class Windows:
    """Follows a stream with an engine that knows clips only, each score from its frames alone.

    It holds the codes of one score, and evaluates each frame of the map as often as scores hear it.

    Parameters
    ----------
    name
        Of the engine.
    predict
        Evaluates a network on codes; gives the raw result.
    """

    def __init__(self, name: str, predict: Callable[[Network, Codes], Raw]) -> None:
        self.name = name
        self._predict = predict

    def follow(self, endless: Endless, codes: Iterable[Codes]) -> Generator[Raw]:
        """Yield each score's raw result, see `Follower`."""
        for held in windows(endless, codes):
            yield self._predict(endless.unpadded, held)


def windows(endless: Endless, codes: Iterable[Codes]) -> Iterator[Codes]:
    """Yield the codes of each score, uint8 ``[channel, band, frames]``, once they have come."""
    channels, bands, _ = endless.network.input_shape
    held = np.zeros((channels, bands, 0), np.uint8)
    for piece in codes:
        check(endless, piece)
        held = np.concatenate([held, piece], 2)
        while held.shape[2] >= endless.frames:
            yield np.ascontiguousarray(held[:, :, : endless.frames])
            held = held[:, :, endless.hop :]


def check(endless: Endless, piece: Codes) -> None:
    """Refuse codes that are no piece of a stream which the network takes."""
    if not isinstance(piece, np.ndarray) or piece.dtype != np.uint8:
        raise TypeError(f"codes must be a uint8 array, not {getattr(piece, 'dtype', piece)!r}")
    channels, bands, _ = endless.network.input_shape
    if piece.ndim != 3 or piece.shape[:2] != (channels, bands):
        raise ValueError(f"codes must have shape ({channels}, {bands}, frames), not {piece.shape}")
    top = 2**endless.network.input_bits - 1
    if piece.size and int(piece.max()) > top:
        raise ValueError(f"codes must be at most {top}, not {int(piece.max())}")
