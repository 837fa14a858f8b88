"""The runs of a variant taken together: means, deviations, and what has not been run yet."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from golden.experiment.reading import ABLATIONS, SETS, VARIANTS
from golden.experiment.records import Metrics, Results, Run

SEEDS = 4
"""Trainings that are asked of each of the four variants; of an ablation it is one."""

WHO = ("variant", "seed")
"""Settings of a recipe that the run's name tells already."""

Read = Callable[[Metrics], float]
MEASURES: dict[str, Read] = {
    "MSE": lambda m: m.mse,
    "PCC": lambda m: m.pcc,
    "SRCC": lambda m: m.srcc,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Mean of `n` values, and their sample deviation where there are two or more."""

    n: int
    mean: float
    deviation: float | None


def spread(values: Iterable[float]) -> Spread | None:
    """Take `values` together; None of none."""
    found = np.array(list(values), np.float64)
    if not found.size:
        return None
    deviation = float(found.std(ddof=1)) if found.size > 1 else None
    return Spread(n=found.size, mean=float(found.mean()), deviation=deviation)


def across(
    runs: Iterable[Run], name: str, read: Read, *, integer: bool = False,
) -> Spread | None:
    """Take one figure of `runs` on the set `name` together, as trained or of the integers."""
    owners = (run.integer if integer else run for run in runs)
    tables = [owner.metrics for owner in owners if owner is not None]
    return spread(read(table[name]) for table in tables if name in table)


def wanted(results: Results) -> dict[str, int]:
    """Number of runs that the experiment asks for, by variant; betas as far as there are any."""
    betas = sorted({run.variant for run in results.runs} - {*VARIANTS, *ABLATIONS}) or ["beta-*"]
    return dict.fromkeys(VARIANTS, SEEDS) | dict.fromkeys((*ABLATIONS, *betas), 1)


def missing(results: Results) -> dict[str, int]:
    """Number of runs that have not been made, by variant."""
    lacking = {name: number - len(results.of(name)) for name, number in wanted(results).items()}
    return {name: number for name, number in lacking.items() if number > 0}


def by_kind(results: Results, variant: str) -> dict[str, dict[str, Spread]]:
    """Mean squared error of `variant` by set and kind of distortion, over its runs."""
    found: dict[str, dict[str, Spread]] = {}
    for name in (each for each in SETS if each in results.sets):
        clips = results.sets[name]
        kinds = np.array(clips.kinds)
        errors = [
            (run.predictions[name] - clips.labels) ** 2
            for run in results.of(variant)
            if name in run.predictions
        ]
        means = {
            kind: spread(float(error[kinds == kind].mean()) for error in errors)
            for kind in dict.fromkeys(clips.kinds)
        }
        found[name] = {kind: mean for kind, mean in means.items() if mean is not None}
    return found


def ones(runs: Iterable[Run]) -> dict[str, Spread]:
    """Share of bits that are 1 by layer, over the runs that have counted it."""
    names: dict[str, list[float]] = {}
    for run in runs:
        for layer, share in run.ones.items():
            names.setdefault(layer, []).append(share)
    taken = {layer: spread(shares) for layer, shares in names.items()}
    return {layer: one for layer, one in taken.items() if one is not None}


def settings(results: Results) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Settings of the recipe that all runs share, and those of every run that are not shared."""
    recipes = {
        run.name: {key: value for key, value in run.recipe.items() if key not in WHO}
        for run in results.runs
    }
    if not recipes:
        return {}, {}
    first = next(iter(recipes.values()))
    shared = {
        key: value
        for key, value in first.items()
        if all(recipe.get(key) == value for recipe in recipes.values())
    }
    return shared, {
        name: {key: value for key, value in recipe.items() if key not in shared}
        for name, recipe in recipes.items()
    }
