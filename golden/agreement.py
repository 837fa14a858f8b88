"""Agreement of two engines over many predictions."""

from collections.abc import Sequence
from dataclasses import dataclass

from golden.network import Network
from golden.trace import Difference, LayerAgreement, Trace, compare


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """What many comparisons of `golden.trace.compare` come to.

    Parameters
    ----------
    layers
        Elements compared and mismatches of each layer, summed over the predictions.
    first
        The prediction that differs first, counted from 0, and its first difference; None where
        all is identical.
    """

    layers: tuple[LayerAgreement, ...]
    first: tuple[int, Difference] | None

    @property
    def identical(self) -> bool:
        """Whether no element of any prediction differs."""
        return self.first is None


def agreement(network: Network, expected: Sequence[Trace], got: Sequence[Trace]) -> Agreement:
    """Compare the traces of the same predictions, pair by pair.

    Raises
    ------
    ValueError
        There are none, or not as many on both sides, or a trace lacks a layer.
    """
    if not expected or len(expected) != len(got):
        raise ValueError(
            f"traces must come in pairs, at least one, not {len(expected)} and {len(got)}",
        )
    compared = [compare(network, *pair) for pair in zip(expected, got, strict=True)]
    layers = tuple(
        LayerAgreement(
            name=same[0].name,
            elements=sum(layer.elements for layer in same),
            mismatches=sum(layer.mismatches for layer in same),
        )
        for same in zip(*(one.layers for one in compared), strict=True)
    )
    first = next(
        ((i, one.first) for i, one in enumerate(compared) if one.first is not None), None,
    )
    return Agreement(layers=layers, first=first)
