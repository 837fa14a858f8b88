"""`bambino compare --fit`: synthesise machines and fit the resource model to what they take.

What was synthesised before comes from the cache, so a call that was interrupted goes on where it
stopped. The clocks are those of machines of the full matrix that have been placed and routed
before; none is routed here.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from boards import resources
from boards.compare import machines
from boards.compare import matrix as matrices
from boards.compare.job import KINDS, Job, Target
from boards.compare.results import Failure, Result, write
from boards.compare.runs import run
from boards.compare.shapes import HELD_BACK, shapes
from boards.compare.store import KnownStore, Store
from boards.compare.tools import JobError, Runner, find
from boards.features import features

Shape = dict[str, Any]
"""A machine, what it takes, and whether the fit may see it."""


def fit(targets: Sequence[Target], workers: int) -> tuple[Failure, ...]:
    """Measure, fit and write resources.json, where other targets stay; return what failed.

    Nothing is written if anything failed.
    """
    tools = {name: find(name) for name in ("yosys", *(f"nextpnr-{t}" for t in targets))}
    runner = Runner()
    store = Store(tools, runner)
    listed = {job: held for target in targets for job, held in shapes(target)}
    found, failures = run(list(listed), store, runner, workers=workers, title="synthesis")
    if failures:
        return tuple(failures)
    measured = [_shape(result, listed[result.job]) for result in found]
    before = resources.saved()["targets"] if resources.PATH.is_file() else {}
    model = {
        "version": resources.VERSION,
        "held_back": HELD_BACK,
        "targets": before | {
            target: _model(target, [s for s in measured if s["target"] == target])
            | {
                "tools": {name: tools[name].version for name in ("yosys", f"nextpnr-{target}")},
                "clocks": clocks(target, KnownStore(tools, runner)),
            }
            for target in targets
        },
    }
    write(resources.PATH, json.dumps(model, indent=1) + "\n")
    resources.saved.cache_clear()
    return ()


def _shape(result: Result, held_back: bool) -> Shape:
    return {
        "target": result.job.target,
        "config": asdict(machines.config(result.job)),
        "counts": {name: result.synthesis.counts[name] for name in resources.QUANTITIES},
        "held_back": held_back,
    }


def _model(target: Target, measured: Sequence[Shape]) -> dict[str, Any]:
    """Fit one target's coefficients and tell how far off they are."""
    seen = [shape for shape in measured if not shape["held_back"]]
    model: dict[str, Any] = {
        "coefficients": {name: coefficients(target, seen, name) for name in resources.FITTED},
    }
    model["errors"] = {
        "fitted": errors(target, model, seen),
        "held_back": errors(target, model, [s for s in measured if s["held_back"]]),
    }
    kept = [{k: v for k, v in shape.items() if k != "target"} for shape in measured]
    return model | {"shapes": kept}


def errors(
    target: Target, model: Mapping[str, Any], measured: Iterable[Shape],
) -> dict[str, dict[str, float]]:
    """Return median and worst relative error of every quantity over `measured`."""
    off: dict[str, list[float]] = {name: [] for name in resources.QUANTITIES}
    for shape in measured:
        predicted = resources.values(resources.config_of(shape), target, model)
        for name, taken in shape["counts"].items():
            off[name].append(abs(predicted[name] - taken) / max(1, taken))
    return {
        name: {"median": round(median(each), 4), "worst": round(max(each), 4), "shapes": len(each)}
        for name, each in off.items()
    }


def coefficients(target: Target, seen: Sequence[Shape], quantity: str) -> dict[str, float]:
    """Fit what each feature takes, so that the squares of the relative errors are least."""
    rows = [features(resources.config_of(shape), target, quantity) for shape in seen]
    taken = np.array([shape["counts"][quantity] for shape in seen], np.float64)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    solved = non_negative(table / taken[:, None], np.ones(len(seen)))
    return {
        name: round(float(value), 4)
        for name, value in zip(names, solved, strict=True)
        if value or name.endswith(" cells")
    }


def non_negative(table: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ``table @ x = wanted`` in least squares with no negative x (Lawson and Hanson, 1974).

    What a part takes cannot be negative; a feature that the others explain better gets 0.
    """
    scale = np.maximum(np.abs(table).max(axis=0), 1e-300)
    table = table / scale
    x = np.zeros(table.shape[1])
    active = np.zeros(len(x), bool)
    while not active.all():
        gradient = table.T @ (wanted - table @ x)
        gradient[active] = -np.inf
        best = int(gradient.argmax())
        if gradient[best] <= 1e-10:
            break
        active[best] = True
        while True:
            trial = np.zeros(len(x))
            trial[active] = np.linalg.lstsq(table[:, active], wanted, rcond=None)[0]
            wrong = active & (trial <= 0)
            if not wrong.any():
                break
            step = min(x[wrong] / (x[wrong] - trial[wrong]))  # as far as the first that meets 0
            x += step * (trial - x)
            active &= x > 1e-12
        x = trial
    solved: NDArray[np.float64] = x / scale
    return solved


def clocks(target: Target, store: KnownStore) -> list[dict[str, Any]]:
    """Return the clocks of arrays and machines of the full matrix, where they are known."""
    found = []
    for entry in matrices.entries("full", (target,)):
        job = entry.job
        if job.level == "cell" or not entry.seeds or machines.left_out(job):
            continue
        speeds = [mhz for seed in range(1, entry.seeds + 1) if (mhz := _known(job, seed, store))]
        found.append({
            "level": job.level,
            "cell": KINDS[job.kind].cell_on(target),
            "lanes": job.lanes,
            "columns": job.columns,
            "fmax_mhz": speeds,
        })
    return [each for each in found if each["fmax_mhz"]]


def _known(job: Job, seed: int, store: KnownStore) -> float | None:
    try:
        return store.measure(replace(job, seed=seed)).fmax_mhz
    except JobError:
        return None
