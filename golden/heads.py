"""What a network's outputs predict, and how several are learned at once.

A network has one output per label: PESQ, the score of DNSMOS P.808 (`golden.teacher`), or both.
``paper_network(outputs=len(names))`` builds it, `golden.model.prepare` starts it, `loss` teaches
it, and ``golden.export.export(..., names=names)`` gives every output its name, scale and offset.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from golden.dnsmos import OUTPUT as DNSMOS

PESQ = "pesq"
LABELS = (PESQ, DNSMOS)
"""Names of the labels, and of the outputs that predict them."""


def check(names: Sequence[str]) -> tuple[str, ...]:
    """Give `names` of outputs as they are; refuse none, unknown ones and repetitions."""
    if not names or len(set(names)) != len(names) or not set(names) <= set(LABELS):
        known = ", ".join(LABELS)
        raise ValueError(f"outputs must be some of {known}, each once, not {', '.join(names)!r}")
    return tuple(names)


def spread(targets: Tensor) -> Tensor:
    """Standard deviation of each label, ``[output]``, of `targets` ``[clip, output]``.

    NaN, a label that is missing, does not count; a label that never changes has 1.
    """
    known = ~targets.isnan()
    count = known.sum(0).clamp_min(1)
    mean = targets.nan_to_num().sum(0) / count
    square = ((targets - mean).nan_to_num() ** 2).sum(0) / count
    found = square.sqrt()
    return torch.where(found > 1e-6, found, torch.ones_like(found))


def loss(guess: Tensor, targets: Tensor, deviation: Tensor) -> Tensor:
    """Squared error in deviations, averaged over the labels that are there.

    So each label weighs alike, whatever its unit; of a network with one output it is the mean
    squared error over the label's variance.

    Parameters
    ----------
    guess, targets
        ``[clip, output]``; NaN where a label is missing, not all of them.
    deviation
        ``[output]``, of `spread` over the training labels.
    """
    if guess.shape != targets.shape or targets.ndim != 2:
        rule = "guess and targets must both be [clip, output]"
        raise ValueError(f"{rule}, not {list(guess.shape)} and {list(targets.shape)}")
    known = ~targets.isnan()
    error = ((guess - targets.nan_to_num()) / deviation) ** 2 * known
    return error.sum() / known.sum()
