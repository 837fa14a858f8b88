"""`bambino compare`: measure a matrix of jobs, derive the figures, write table and pictures.

Usage: ``bambino compare [--quick|--full] [--known] [--targets ecp5,ice40] [--out DIR] [--json]
[--jobs N]``. Without an option it runs the default matrix. What was measured before comes from the
cache, so a call that was interrupted goes on where it stopped, and a second one is instant; with
`--known` what is not there is left for later. What `--fit` does instead is in
`boards.compare.fitting`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.compare import activations
from boards.compare import matrix as matrices
from boards.compare.derive import Figures, best_without_dsp
from boards.compare.job import TARGETS, Job, Target
from boards.compare.results import Result, Results, merged, write
from boards.compare.runs import Measured, run
from boards.compare.store import KnownStore, NotMeasured, Store
from boards.compare.tools import Runner, Tool, ended_by_signals, find


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line chooses.

    Parameters
    ----------
    matrix
        quick, default or full; fit for none of them, see `boards.compare.fitting`.
    targets
        Families.
    workers
        Tools that run at once.
    known
        Measure nothing: show what the cache holds.
    """

    matrix: str = "default"
    targets: Sequence[Target] = TARGETS
    workers: int = 1
    known: bool = False

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"jobs must be at least 1, not {self.workers}")


def measure(options: Options) -> Results:
    """Measure the matrix: all designs synthesised, then placed and routed with their seeds.

    Of the multiplier arrays without DSP all are synthesised, and the best one goes on.
    """
    with ended_by_signals():
        return _measure(options)


def _measure(options: Options) -> Results:
    from boards.compare.machines import left_out

    tools = _tools(options.targets)
    runner = Runner()
    store = (KnownStore if options.known else Store)(tools, runner)
    missing: list[Job] = []

    def measured(jobs: Sequence[Job], title: str) -> Measured:
        if options.known:
            found, absent = known(jobs, store)
            missing.extend(absent)
            return found, []
        return run(jobs, store, runner, workers=options.workers, title=title)

    listed = matrices.entries(options.matrix, options.targets)
    why = {entry.job: left_out(entry.job) for entry in listed}
    entries = [entry for entry in listed if not why[entry.job]]
    mapped, failures = measured([entry.job for entry in entries], "synthesis")
    best = best_without_dsp(mapped)
    failed = {failure.job for failure in failures} | {job.label for job in missing}
    jobs = [j for j in matrices.seeded(entries, best) if j.design.label not in failed]
    routed, more = measured(jobs, "place and route")
    return Results(
        matrix=options.matrix,
        versions={name: tool.version for name, tool in tools.items()},
        results=merged([*mapped, *routed]),
        failures=(*failures, *more),
        left_out=_left_out(why),
        missing=tuple(
            f"{label}: {number}"
            for label, number in Counter(job.design.label for job in missing).items()
        ),
    )


def known(jobs: Iterable[Job], store: Store) -> tuple[list[Result], list[Job]]:
    """Return what `store` knows of `jobs`, and the jobs that it does not know."""
    found, missing = [], []
    for job in jobs:
        try:
            found.append(store.measure(job))
        except NotMeasured:
            missing.append(job)
    return found, missing


def _left_out(why: Mapping[Job, str]) -> tuple[str, ...]:
    """Name each reason once, with the jobs that it holds for."""
    jobs: dict[str, list[str]] = {}
    for job, reason in why.items():
        if reason:
            jobs.setdefault(reason, []).append(job.label)
    return tuple(f"{reason}: {', '.join(labels)}" for reason, labels in jobs.items())


def save(results: Results, figures: Figures, out: Path) -> None:
    """Write results.json, table.md and the pictures into the folder `out`."""
    from boards.compare.pictures import draw
    from boards.compare.tables import markdown

    write(out / "results.json", json.dumps(as_dict(results, figures), indent=1) + "\n")
    write(out / "table.md", markdown(results, figures))
    draw(results, figures, out)


def as_dict(results: Results, figures: Figures) -> dict[str, Any]:
    """Return all that is known as plain data."""
    return results.as_dict() | {
        "derived": figures.as_dict(), "activations": activations.as_dict(),
    }


def _tools(targets: Sequence[Target]) -> dict[str, Tool]:
    return {name: find(name) for name in ("yosys", *(f"nextpnr-{t}" for t in targets))}
