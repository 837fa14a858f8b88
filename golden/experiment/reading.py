"""The results folder of the experiment: what it holds, read and checked.

``test.json`` holds the labels of the test clips, ``runs/VARIANT-SEED.json`` what one training came
to. Nothing in it is believed: the figures of every run are computed anew from its predictions and
the labels, and a stored figure that says otherwise is an error (`DisagreementError`).
`docs/experiment/results/README.md` describes every field.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from golden.experiment.fields import Fields, ResultsError, read
from golden.experiment.records import Epoch, Integer, Metrics, Results, Run, TestSet, measure
from golden.figures import Floats

SCHEMA = 1
SETS = ("known", "unseen_kinds")
TEACHER = ":teacher"
"""Behind a set's name: the same clips with the teacher's MOS as their label."""
TOLERANCE = 1e-4
"""By how much a stored figure may miss the one computed anew: predictions are stored rounded."""

VARIANTS = ("float", "bam", "bam-w8", "a8w8")
ABLATIONS = (
    "codes-8", "codes-4", "codes-3", "dense-binary", "maxima-codes", "maxima-2bit", "pow2-scales",
)
BETA = re.compile(r"beta-\d+(\.\d+)?")


class DisagreementError(RuntimeError):
    """A stored figure is not the one that predictions and labels give."""


def load(folder: Path) -> Results:
    """Read and check a results folder; one without runs and test list is good, and empty.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ResultsError
        A file is broken, missing, of another schema, variant or data.
    DisagreementError
        A stored figure is not what its predictions and labels give.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: the results must be an existing folder")
    paths = sorted((folder / "runs").glob("*.json"))
    test = folder / "test.json"
    if not paths and not test.exists():
        return Results(data=None, sets={}, runs=())
    head = read(test, "test.json")
    _schema(head)
    data, sets = head.text("data"), _sets(head)
    runs = [_run(read(path, f"runs/{path.name}"), path.stem, data, sets) for path in paths]
    order = {name: i for i, name in enumerate((*VARIANTS, *ABLATIONS))}
    runs.sort(key=lambda run: (order.get(run.variant, len(order)), run.variant, run.seed))
    return Results(data=data, sets=sets, runs=tuple(runs))


def _schema(fields: Fields) -> None:
    if fields.whole("schema") != SCHEMA:
        raise fields.refuse("schema", str(SCHEMA))


def _sets(head: Fields) -> dict[str, TestSet]:
    named = head.object("sets")
    if set(named.values) != set(SETS):
        raise head.refuse("sets", f"the sets {' and '.join(SETS)}")
    sets: dict[str, TestSet] = {}
    for name in SETS:
        clips = named.each(name)
        ids = [clip.text("id") for clip in clips]
        if not clips or len(set(ids)) != len(ids):
            raise ResultsError(f"{named.where} {name} must hold clips of different ids")
        kinds = tuple(clip.text("kind") for clip in clips)
        for clip in clips:
            clip.text("recipe")
        sets[name] = TestSet(kinds=kinds, labels=np.array([clip.number("pesq") for clip in clips]))
        if all(clip.has("teacher") for clip in clips):
            teacher = np.array([clip.number("teacher") for clip in clips])
            sets[name + TEACHER] = TestSet(kinds=kinds, labels=teacher)
    return sets


def _run(fields: Fields, stem: str, data: str, sets: Mapping[str, TestSet]) -> Run:
    _schema(fields)
    variant, seed = fields.text("variant"), fields.whole("seed")
    if variant not in (*VARIANTS, *ABLATIONS) and not BETA.fullmatch(variant):
        known = ", ".join((*VARIANTS, *ABLATIONS))
        raise fields.refuse("variant", f"one of {known}, beta-NUMBER")
    if stem != f"{variant}-{seed}":
        raise ResultsError(f"{fields.where} must be called {variant}-{seed}.json")
    if fields.text("data") != data:
        raise fields.refuse("data", f"{data} as in test.json")
    predictions = _predictions(fields.object("predictions"), sets)
    if not predictions:
        raise ResultsError(f"{fields.where} predictions must be of {', '.join(sets)}, not of none")
    computed = {name: measure(sets[name].labels, each) for name, each in predictions.items()}
    _agree(fields.object("sets"), computed)
    ones = fields.object("ones")
    return Run(
        variant=variant,
        seed=seed,
        source=_source(fields, variant),
        recipe=fields.texts("recipe"),
        tools=fields.texts("tools"),
        epochs=fields.whole("epochs"),
        seconds=fields.number("seconds", 0),
        device=fields.text("device"),
        threads=fields.whole("threads", 1),
        history=_history(fields.each("history")),
        predictions=predictions,
        metrics=computed,
        ones={name: ones.number(name, 0, 1) for name in ones.values},
        integer=_integer(fields.object("integer"), sets) if fields.has("integer") else None,
    )


def _source(fields: Fields, variant: str) -> str | None:
    """Return what a run starts from: the float network, or `bam` that starts from it."""
    if not fields.has("source"):
        return None
    source, before = fields.text("source"), VARIANTS[:2]
    may = before[: before.index(variant)] if variant in before else before
    if source not in may:
        raise fields.refuse("source", " or ".join(may) or "null")
    return source


def _predictions(fields: Fields, sets: Mapping[str, TestSet]) -> dict[str, Floats]:
    found = {}
    for name in fields.values:
        values = np.array(fields.numbers(name))
        if name not in sets:
            raise ResultsError(f"{fields.where} must be of {', '.join(sets)}, not {name}")
        clips = sets[name].labels.size
        if values.size != clips:
            rule = f"{fields.where} {name} must hold {clips} numbers as test.json has clips"
            raise ResultsError(f"{rule}, not {values.size}")
        found[name] = values
    return found


def _history(lines: Sequence[Fields]) -> tuple[Epoch, ...]:
    return tuple(
        Epoch(
            epoch=line.whole("epoch"),
            train_loss=line.number("train_loss"),
            valid_mse=line.number("valid_mse", 0),
            valid_pcc=line.number("valid_pcc", -1, 1),
        )
        for line in lines
    )


def _metrics(fields: Fields) -> Metrics:
    return Metrics(
        n=fields.whole("n", 1),
        mse=fields.number("mse", 0),
        pcc=fields.number("pcc", -1, 1),
        srcc=fields.number("srcc", -1, 1),
    )


def _agree(stored: Fields, computed: Mapping[str, Metrics]) -> None:
    """Refuse stored figures of other sets than were predicted, or of other values."""
    if set(stored.values) != set(computed):
        raise ResultsError(f"{stored.where} must be of {', '.join(computed)} as the predictions")
    for name, want in computed.items():
        got = _metrics(stored.object(name))
        for what in ("n", "mse", "pcc", "srcc"):
            right, said = getattr(want, what), getattr(got, what)
            if abs(right - said) > TOLERANCE:
                raise DisagreementError(
                    f"{stored.where} {name} {what} must be {right:.6g} as predictions and labels"
                    f" give it, not {said:.6g}",
                )


def _integer(fields: Fields, sets: Mapping[str, TestSet]) -> Integer:
    metrics = {}
    if fields.has("predictions"):
        predictions = _predictions(fields.object("predictions"), sets)
        metrics = {name: measure(sets[name].labels, each) for name, each in predictions.items()}
        stored = {key: fields.values[key] for key in sets if key in fields.values}
        _agree(Fields(fields.where, stored), metrics)
    else:
        for name in (key for key in sets if key in fields.values):
            metrics[name] = _metrics(fields.object(name))
            if metrics[name].n != sets[name].labels.size:
                raise fields.object(name).refuse("n", f"{sets[name].labels.size} as in test.json")
    if not metrics:
        raise ResultsError(f"{fields.where} must hold figures of {', '.join(sets)}")
    differing = fields.object("differing")
    elements, mismatches = differing.whole("elements", 1), differing.whole("mismatches")
    if mismatches > elements:
        raise differing.refuse("mismatches", f"at most {elements}")
    return Integer(
        metrics=metrics,
        elements=elements,
        mismatches=mismatches,
        as_stored=not fields.has("predictions"),
    )
