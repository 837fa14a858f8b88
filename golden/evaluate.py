"""How well a network predicts a label on a test list, and how far integers are from the floats."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from golden import audio, cache, heads, mixing, teacher
from golden import front_end as ears
from golden.adds.engine import AddsEngine
from golden.checkpoint import load_best
from golden.figures import Floats, correlation, interval, ranks
from golden.front_end import FrontEnd
from golden.network import Network
from golden.trace import LayerAgreement

FLOAT_CLIPS = 100


class Labelled(Protocol):
    """A clip of a test list, as `golden.testlist` and `golden.experiment.lists` have them."""

    @property
    def pesq(self) -> float:
        """Its label."""

    def clip(self, data: Path) -> mixing.Samples:
        """Make it from the recordings in `data`."""


Ticker = Callable[[Iterable[Labelled]], Iterable[Labelled]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Figures of one network on one test list.

    Parameters
    ----------
    n
        Number of mixes.
    pcc, pcc_low, pcc_high
        Pearson's correlation of prediction and label, and its 95 % interval: percentiles of
        seeded bootstrap resamplings of the mixes. Mixes share speakers and noises,
        so the interval speaks of this list's voices and noises, not of all.
    srcc
        Spearman's rank correlation.
    mse
        Mean squared error, the label's unit squared.
    layers
        Per layer, in how many outputs the integers differ from the float network they were
        exported from, over the first `FLOAT_CLIPS` mixes; empty where that was not given.
    """

    n: int
    pcc: float
    pcc_low: float
    pcc_high: float
    srcc: float
    mse: float
    layers: tuple[LayerAgreement, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def measure(
    labels: Floats, predictions: Floats, layers: Sequence[LayerAgreement] = (),
) -> Evaluation:
    """Compare `predictions` with `labels`, both ``[mix]``, at least two."""
    if labels.shape != predictions.shape or labels.ndim != 1 or labels.size < 2:
        raise ValueError(
            "labels and predictions must be two vectors of one length of at least 2,"
            f" not {labels.shape} and {predictions.shape}",
        )
    low, high = interval(labels, predictions)
    return Evaluation(
        n=labels.size,
        pcc=correlation(labels, predictions),
        pcc_low=low,
        pcc_high=high,
        srcc=correlation(ranks(labels), ranks(predictions)),
        mse=float(np.mean((labels - predictions) ** 2)),
        layers=tuple(layers),
    )


def _codes(data: Path, one: Labelled, front_end: FrontEnd, bits: int = 8) -> NDArray[np.uint8]:
    (_, samples), *_ = audio.cut([one.clip(data)], front_end)
    return ears.codes(samples[: front_end.clip_samples], front_end, bits)


def _labels(mixes: Sequence[Labelled], data: Path, label: str, processes: int) -> Floats:
    if label == heads.PESQ:
        return np.array([one.pesq for one in mixes])
    clips = (one.clip(data) for one in mixes)
    kept = cache.folder() / "teacher"
    return teacher.labels(clips, cache=kept, processes=processes).astype(np.float64)


def _output(names: Sequence[str], label: str) -> int:
    """Which output predicts `label`: the one of that name, or one that has none of a label."""
    heads.check([label])
    if label in names:
        return names.index(label)
    if len(names) == 1 and names[0] not in heads.LABELS:
        return 0
    raise ValueError(f"the network must have an output {label}, not only {', '.join(names)}")


def evaluate(
    network: Network,
    mixes: Sequence[Labelled],
    data: Path,
    *,
    label: str = heads.PESQ,
    checkpoint: Path | None = None,
    ticker: Ticker = iter,
    processes: int = 1,
) -> Evaluation:
    """Evaluate the integers of `network` on `mixes` of the recordings in `data`.

    Parameters
    ----------
    network
        An integer network with a front-end and an output called like the label, or one only.
    mixes
        Of `golden.testlist.read`, or scenes of `golden.experiment.lists`.
    data
        Folder of the recordings that the list names.
    label
        One of `golden.heads.LABELS`: PESQ stands in the list, DNSMOS P.808 is asked (once, the
        answers are kept in the cache).
    checkpoint
        `best.pt` that the network was exported from: its float forward is compared with the
        integers bit by bit.
    ticker
        Wraps the mixes, to show progress (``rich.progress.track``).
    processes
        How many ask DNSMOS P.808 at a time.

    Raises
    ------
    FileNotFoundError
        A recording of the list is missing.
    ValueError
        The network does not hear or predicts another label, a package for the label is missing,
        or the checkpoint is none.
    """
    front_end = network.front_end
    if front_end is None:
        raise ValueError("the network must have a front-end to be evaluated on audio, not none")
    output = _output(network.raw.names, label)
    targets = _labels(mixes, data, label, processes)
    module = None if checkpoint is None else load_best(checkpoint)[0]
    engine = AddsEngine()  # the same bits as torch's exact integers, many times as fast
    predictions: list[float] = []
    mismatches: dict[str, list[int]] = {}
    for one in ticker(mixes):
        codes = _codes(data, one, front_end, network.input_bits)
        scores = network.scores(engine.predict(network, codes, maps=False).raw)
        predictions.append(list(scores.values())[output])
        if module is not None and len(predictions) <= FLOAT_CLIPS:
            from golden.export import compare_float

            for layer in compare_float(module, network, codes):
                seen = mismatches.setdefault(layer.name, [0, 0])
                seen[0] += layer.elements
                seen[1] += layer.mismatches
    layers = [
        LayerAgreement(name=name, elements=seen[0], mismatches=seen[1])
        for name, seen in mismatches.items()
    ]
    return measure(targets, np.array(predictions), layers)


@torch.no_grad()
def evaluate_checkpoint(
    checkpoint: Path, mixes: Sequence[Labelled], data: Path, *, ticker: Ticker = iter,
) -> Evaluation:
    """Evaluate a `best.pt` with one output, PESQ, as floats: the ReLU baseline; see `evaluate`."""
    module, front_end = load_best(checkpoint)
    outputs = len(module.get_submodule("dense3").get_parameter("bias"))
    if outputs != 1:
        raise ValueError(f"{checkpoint}: the checkpoint must have one output, not {outputs}")
    predictions = [
        float(module(torch.from_numpy(_codes(data, one, front_end))[None]))
        for one in ticker(mixes)
    ]
    return measure(_labels(mixes, data, heads.PESQ, 1), np.array(predictions))
