"""What activations take in memory, and what bit-planes cost in work: from the network's shapes."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from golden import netfile
from golden.clip import SHIPPED
from golden.network import Network

CODE_BITS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Map:
    """What one convolution leaves, pooling done.

    Parameters
    ----------
    name
        The layer.
    shape
        ``[channel, band, frame]``.
    elements
        Their number: bits of a binary map.
    before_pooling
        Elements that were computed for them.
    """

    name: str
    shape: tuple[int, int, int]
    elements: int
    before_pooling: int


@cache
def shipped() -> Network:
    """Return the shipped network; the one with 8-bit activations has its shapes."""
    return netfile.load(SHIPPED)


def maps(network: Network) -> list[Map]:
    """Return the maps of the convolutions; a dense layer's vector is no map."""
    found = []
    for layer, before, after in zip(
        network.layers, network.shapes, network.shapes[1:], strict=False,
    ):
        channels, bands, frames = layer.map_shape(before)
        if bands * frames > 1:
            found.append(
                Map(
                    name=layer.name,
                    shape=after,
                    elements=after[0] * after[1] * after[2],
                    before_pooling=channels * bands * frames,
                ),
            )
    return found


def work(network: Network) -> tuple[int, int]:
    """Count multiply-accumulates, and the accumulates that bit-planes make of them."""
    pairs = list(zip(network.layers, network.shapes, strict=False))
    accumulates = sum(layer.accumulates(shape) for layer, shape in pairs)
    return sum(layer.accumulates(shape) // layer.input_bits for layer, shape in pairs), accumulates


def as_dict() -> dict[str, Any]:
    """Return all of this as plain data."""
    multiplies, accumulates = work(shipped())
    return {
        "multiplies": multiplies,
        "accumulates": accumulates,
        "maps": [
            {
                "layer": each.name,
                "shape": list(each.shape),
                "binary_bits": each.elements,
                "code_bits": each.elements * CODE_BITS,
                "binary_bits_before_pooling": each.before_pooling,
                "code_bits_before_pooling": each.before_pooling * CODE_BITS,
            }
            for each in maps(shipped())
        ],
    }


def rows() -> list[tuple[str, ...]]:
    """Return name, shape and bits of every map as text, and their sum."""
    found = maps(shipped())
    lines = [
        (
            each.name,
            " x ".join(map(str, each.shape)),
            *_bits(each.elements),
            *_bits(each.before_pooling),
        )
        for each in found
    ]
    kept, computed = sum(m.elements for m in found), sum(m.before_pooling for m in found)
    return [*lines, ("all", "", *_bits(kept), *_bits(computed))]


def planes_note() -> str:
    """Say how the accumulates of one side compare with the multiplies of the other."""
    multiplies, accumulates = work(shipped())
    return (
        "One accumulate is a bit times an 8-bit weight on the binary side, and a byte times an"
        f" 8-bit weight on the MAC's; the clip's {multiplies / 1e6:.0f} M MACs are"
        f" {accumulates / 1e6:.0f} M accumulates, for bits take the first layer plane by plane."
    )


def _bits(elements: int) -> tuple[str, str]:
    return f"{elements:,}", f"{elements * CODE_BITS:,}"
