"""What the experiment's results say, once they are read: test sets, runs and their figures."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from golden.figures import Floats, correlation, ranks

CODES = "codes"
"""The input, where layers go by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """How well predictions match labels: mean squared error, Pearson, Spearman, over `n` clips."""

    n: int
    mse: float
    pcc: float
    srcc: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TestSet:
    """Labels of one set of clips.

    Parameters
    ----------
    kinds
        Kind of distortion of every clip.
    labels
        float64 ``[clip]``: wide-band PESQ, or the teacher's MOS.
    """

    __test__ = False  # not a class of tests, whatever pytest makes of its name

    kinds: tuple[str, ...]
    labels: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    """One line of a training's history."""

    epoch: int
    train_loss: float
    valid_mse: float
    valid_pcc: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Integer:
    """What the exported integers came to.

    Parameters
    ----------
    metrics
        By set.
    elements, mismatches
        Outputs of all layers that were compared with the float forward, and those that differ.
    as_stored
        Whether the figures came without predictions, so that nobody could compute them anew.
    """

    metrics: Mapping[str, Metrics]
    elements: int
    mismatches: int
    as_stored: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training: who, how, and what came of it.

    Parameters
    ----------
    variant, seed
        Which.
    source
        Variant of the seed that it starts from; None where it starts from none, or says nothing.
    recipe, tools
        Settings and versions, as text by name.
    epochs, seconds, device, threads
        Length and place of the training.
    history
        Epoch by epoch.
    predictions
        By set, float64 ``[clip]`` in the order of the set.
    metrics
        By set, computed from the predictions.
    ones
        Share of the bits that are 1, by the layer whose output they are, `CODES` for the input;
        of codes all bits count, of floats it is the share above 0.
    integer
        Of the exported network, where the variant has one.
    """

    variant: str
    seed: int
    source: str | None
    recipe: Mapping[str, str]
    tools: Mapping[str, str]
    epochs: int
    seconds: float
    device: str
    threads: int
    history: tuple[Epoch, ...]
    predictions: Mapping[str, Floats]
    metrics: Mapping[str, Metrics]
    ones: Mapping[str, float]
    integer: Integer | None

    @property
    def name(self) -> str:
        """Variant and seed, as the file is called."""
        return f"{self.variant}-{self.seed}"

    @property
    def chosen(self) -> tuple[Epoch, ...]:
        """Epochs whose best in validation is the network: where it settled, those alone."""
        learn, settle = (int(self.recipe.get(name, "0")) for name in ("epochs", "settle"))
        return self.history[learn if settle and self.epochs == learn + settle else 0 :]


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """All of the folder: test sets by name, those of the teacher included, and runs in order."""

    data: str | None
    sets: Mapping[str, TestSet]
    runs: tuple[Run, ...]

    def of(self, variant: str) -> tuple[Run, ...]:
        """Return the runs of `variant`, by seed."""
        return tuple(run for run in self.runs if run.variant == variant)


def measure(labels: Floats, predictions: Floats) -> Metrics:
    """Compare two vectors ``[clip]`` of one length, at least one clip."""
    return Metrics(
        n=labels.size,
        mse=float(np.mean((labels - predictions) ** 2)),
        pcc=correlation(labels, predictions),
        srcc=correlation(ranks(labels), ranks(predictions)),
    )
