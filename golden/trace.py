"""One `predict`, many engines: the trace that each returns and the comparison of two of them."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from golden.network import Network


@dataclass(frozen=True, kw_only=True, slots=True)
class Trace:
    """Every layer's output and the raw result of one prediction.

    Parameters
    ----------
    outputs
        By layer name, in order, pooling done: uint8 ``[channel, band, frame]``, bits or codes.
        The last layer is not among them: its output is `raw`. An engine that was not asked for
        its maps leaves it empty.
    raw
        int32 ``[out]``: sum + bias of the last layer.
    cycles
        Clock cycles from the first code accepted to the last raw word, where the engine has a
        clock.
    load_cycles
        Clock cycles that loading the network took, where the engine has a clock.
    """

    outputs: dict[str, NDArray[np.uint8]]
    raw: NDArray[np.int32]
    cycles: int | None = None
    load_cycles: int | None = None


class Engine(Protocol):
    """Anything that predicts."""

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""

    def predict(self, network: Network, codes: NDArray[np.uint8]) -> Trace:
        """Evaluate `network` on `codes`, uint8 ``[channel, band, frame]``."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """The first element in which two traces differ, in layer, frame, band, channel order."""

    layer: str
    channel: int
    band: int
    frame: int
    expected: int
    got: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, channel {self.channel}, band {self.band}, frame {self.frame}:"
            f" expected {self.expected}, got {self.got}"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerAgreement:
    """How many elements of a layer's output two traces have in common."""

    name: str
    elements: int
    mismatches: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The outcome of `compare`: agreement layer by layer and the first difference, if any."""

    layers: tuple[LayerAgreement, ...]
    first: Difference | None

    @property
    def identical(self) -> bool:
        """Whether no element differs."""
        return self.first is None


def compare(network: Network, expected: Trace, got: Trace) -> Comparison:
    """Compare two traces of `network`, layer by layer, the raw result included.

    Raises
    ------
    ValueError
        A trace lacks a layer of the network or holds one in another shape.
    """
    layers = []
    first = None
    for layer in network.layers:
        want, have = (
            trace.raw[:, None, None]
            if layer is network.layers[-1]
            else trace.outputs.get(layer.name)
            for trace in (expected, got)
        )
        if want is None or have is None:
            raise ValueError(f"both traces must hold layer {layer.name}")
        if want.shape != have.shape:
            raise ValueError(f"layer {layer.name} must be {want.shape}, not {have.shape}")
        differs = want != have
        layers.append(
            LayerAgreement(
                name=layer.name, elements=differs.size, mismatches=int(differs.sum()),
            ),
        )
        if first is None and differs.any():
            frame, band, channel = map(int, np.argwhere(differs.transpose(2, 1, 0))[0])
            at = (channel, band, frame)
            first = Difference(
                layer=layer.name,
                channel=channel,
                band=band,
                frame=frame,
                expected=int(want[at]),
                got=int(have[at]),
            )
    return Comparison(layers=tuple(layers), first=first)
