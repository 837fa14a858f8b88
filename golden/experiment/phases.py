"""The phases of a training: all layers learn, then only those behind maps that stay as they are.

Bits of maps flip while the layers before them learn, and a norm in training, which sees the few
clips of a step, puts their thresholds where the exported network does not have them. In the second
phase the layers before `LEARNS` give the bits that they will give for good, and those behind settle
on them. Of integer networks they are exactly the exported one's; the norms of float ones are folded
into weights afterwards, which may round a sum across its threshold.
"""

from dataclasses import dataclass

from torch import nn

from golden.experiment.recipe import Recipe
from golden.experiment.variants import FLOAT, Variant

LEARNS = "conv4"
"""The first layer that learns in the second phase."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """Epochs over which the learning rate rises and falls once.

    Parameters
    ----------
    first, epochs
        The first one, counted from 0; how many.
    distil
        Weight of the float network's predictions in the target.
    settles
        Whether the layers before `LEARNS` stay as they are.
    """

    first: int
    epochs: int
    distil: float
    settles: bool = False

    @property
    def end(self) -> int:
        """The epoch behind the last one."""
        return self.first + self.epochs

    def parts(self, network: nn.Sequential) -> tuple[nn.Sequential, nn.Sequential]:
        """What of `network` stays as it is, and what learns."""
        names, children = zip(*network.named_children(), strict=True)
        at = names.index(LEARNS) if self.settles else 0
        still, learning = (nn.Sequential(*each) for each in (children[:at], children[at:]))
        return still, learning


def phases(recipe: Recipe, one: Variant) -> list[Phase]:
    """The phases of a variant.

    Networks whose maps are bits settle, if there are epochs for it; those that start from a network
    of such bits do nothing else.
    """
    learn = Phase(first=0, epochs=recipe.epochs, distil=recipe.distil)
    if one.maps != "bits" or not recipe.settle:
        return [learn]
    there = recipe.warm and one.source not in (None, FLOAT)
    settle = Phase(
        first=0 if there else learn.end, epochs=recipe.settle, distil=recipe.settle_distil,
        settles=True,
    )
    return [settle] if there else [learn, settle]
