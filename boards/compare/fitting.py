"""`bambino compare --fit`: synthesise machines and fit the resource model to what they take.

What was synthesised before comes from the cache, so a call that was interrupted goes on where it
stopped. The clocks are those of machines of the full matrix that `bambino compare` has placed and
routed before; none is routed here.
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
from boards.compare.job import Job, Target
from boards.compare.results import Failure, Result, write
from boards.compare.runs import run
from boards.compare.shapes import HELD_BACK, shapes
from boards.compare.store import KnownStore, Store
from boards.compare.tools import JobError, Runner, find
from boards.console import note
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
    note("clocks: looking for machines that were placed and routed before")
    measured = [_shape(result, listed[result.job]) for result in found]
    before = resources.saved()["targets"] if resources.PATH.is_file() else {}
    model = {
        "version": resources.VERSION,
        "held_back": HELD_BACK,
        "targets": before | {
            target: _model(target, [s for s in measured if s["target"] == target])
            | {
                "tools": {name: tools[name].version for name in ("yosys", f"nextpnr-{target}")},
                "clock": clock(target, KnownStore(tools, runner)),
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
        "counts": {name: result.synthesis.counts.get(name, 0) for name in resources.QUANTITIES},
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
    return {name: _summary(each) for name, each in off.items()}


def coefficients(target: Target, seen: Sequence[Shape], quantity: str) -> dict[str, float]:
    """Fit what each feature takes, so that the squares of the relative errors are least.

    Every feature that some machine has gets a coefficient, and no other: it would be a guess.
    """
    rows = [features(resources.config_of(shape), target, quantity) for shape in seen]
    taken = np.array([shape["counts"][quantity] for shape in seen], np.float64)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = np.array([[row.get(name, 0.0) for name in names] for row in rows])
    solved = non_negative(table / taken[:, None], np.ones(len(seen)))
    return {
        name: round(float(value), 4)
        for name, value, column in zip(names, solved, table.T, strict=True)
        if column.any()
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


def clock(target: Target, store: KnownStore) -> dict[str, Any]:
    """Return the machines of the full matrix whose clocks are known, and how like they are."""
    found = []
    for entry in matrices.entries("full", (target,)):
        job = entry.job
        if job.level != "accelerator" or not entry.seeds or machines.left_out(job):
            continue
        if machines.primitives(job) is None:  # a multiplier left to the tools: nobody builds that
            continue
        config = machines.config(job)
        known = [r for seed in range(1, entry.seeds + 1) if (r := _known(job, seed, store))]
        if known:
            found.append({
                "cell": config.cell,
                "lanes": config.lanes,
                "columns": config.columns,
                "cells": config.cells * config.columns,
                "device": known[0].device,
                "fmax_mhz": [each.fmax_mhz for each in known],
            })
    return {"machines": found, "error": clock_error(found)}


def _known(job: Job, seed: int, store: KnownStore) -> Result | None:
    """Return what was routed before."""
    try:
        result = store.measure(replace(job, seed=seed))
    except JobError:
        return None
    return result if result.routed else None  # else no part holds it


def clock_error(routed: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """Predict every machine's median clock from the others; None where there are none."""
    off = []
    for i, each in enumerate(routed):
        near = resources.likest(each["cell"], each["cells"], [*routed[:i], *routed[i + 1 :]])
        if near is not None:
            taken = median(each["fmax_mhz"])
            off.append(abs(median(near["fmax_mhz"]) - taken) / taken)
    return _summary(off) if off else None


def _summary(off: Sequence[float]) -> dict[str, float]:
    """Sum up relative errors."""
    return {"median": round(median(off), 4), "worst": round(max(off), 4), "shapes": len(off)}
