"""What was measured, as data: written as JSON, read back the same."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from boards.compare.job import Job

VERSION = 1

Resources = dict[str, int]
"""lut, ff, bram, dsp, spram."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Synthesis:
    """What yosys made of a design.

    Parameters
    ----------
    counts
        Resources as nextpnr will count them, but for 2 LUTs or logic cells that it adds for
        constants.
    parts
        Of a whole accelerator, resources by part; mapped, but before optimisation across parts.
    trimmed
        Carry-outs that nothing reads, cut from the netlist.
    harness
        Logic cells and registers of the harness around the design, subtracted everywhere.
    """

    counts: Resources
    parts: dict[str, Resources] = field(default_factory=dict)
    trimmed: int = 0
    harness: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Routed:
    """What nextpnr made of a design with one seed.

    Parameters
    ----------
    seed
        The seed.
    used
        Resources.
    fmax_mhz
        The clock that its slowest path allows.
    slowest
        Where that path begins and ends.
    """

    seed: int
    used: Resources
    fmax_mhz: float
    slowest: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """What the whole clip takes on a machine, as `hw.estimate` predicts it exactly.

    Parameters
    ----------
    cycles
        Clock cycles.
    utilisation
        Accumulates / (lanes x columns x cycles).
    accumulates
        Of the machine's own kind: a bit times a weight, or a code times a weight.
    memory_bits
        Bits that the network takes of each memory.
    """

    cycles: int
    utilisation: float
    accumulates: int
    memory_bits: dict[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One design, measured.

    Parameters
    ----------
    job
        The design.
    synthesis
        After mapping.
    device
        Name of the part; None if none holds it, and then the area is that of synthesis.
    routed
        One entry a seed; empty where only synthesis was asked for or can be.
    clip
        Of a whole machine.
    """

    job: Job
    synthesis: Synthesis
    device: str | None
    routed: tuple[Routed, ...] = ()
    clip: Clip | None = None

    @property
    def used(self) -> Resources:
        """Resources: the median over the seeds, or those of synthesis."""
        if not self.routed:
            return self.synthesis.counts
        return {
            name: round(median(each.used.get(name, 0) for each in self.routed))
            for name in {**self.synthesis.counts, **self.routed[0].used}
        }

    @property
    def fmax_mhz(self) -> float | None:
        """The median over the seeds."""
        return median(each.fmax_mhz for each in self.routed) if self.routed else None

    @property
    def fmax_range(self) -> tuple[float, float] | None:
        """The least and the greatest over the seeds."""
        speeds = [each.fmax_mhz for each in self.routed]
        return (min(speeds), max(speeds)) if speeds else None

    @property
    def lut_per_cell(self) -> float:
        """LUT4 (or logic cells) per lane x column."""
        return self.used["lut"] / self.job.cells


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A job that failed.

    Parameters
    ----------
    job
        Its label.
    why
        One line, the log's place included.
    """

    job: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Results:
    """All that one call of `bambino compare` measured.

    Parameters
    ----------
    matrix
        Which list of jobs.
    versions
        Of every tool.
    results
        In the order of the list.
    failures
        What failed.
    left_out
        What was not tried, and why.
    missing
        What is not measured yet, where only the cache was asked.
    """

    matrix: str
    versions: dict[str, str]
    results: tuple[Result, ...]
    failures: tuple[Failure, ...] = ()
    left_out: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def of(self, **fields: object) -> list[Result]:
        """Return the results whose job has these fields."""
        return [
            each
            for each in self.results
            if all(getattr(each.job, name) == value for name, value in fields.items())
        ]

    def as_dict(self) -> dict[str, Any]:
        """Return the results as plain data."""
        return {"version": VERSION, **asdict(self)}


def merged(results: Iterable[Result]) -> tuple[Result, ...]:
    """Join results of one design: its seeds together, in order."""
    found: dict[Job, Result] = {}
    for each in results:
        before = found.get(each.job)
        routed = each.routed if before is None else before.routed + each.routed
        by_seed = {one.seed: one for one in routed}
        device = each.device if each.routed or before is None else before.device
        found[each.job] = replace(
            each, device=device, routed=tuple(by_seed[seed] for seed in sorted(by_seed)),
        )
    return tuple(found.values())


def load(path: Path) -> Results:
    """Read results back."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict) or data.get("version") != VERSION:
        raise ValueError(f"{path}: results must be of version {VERSION}")
    return Results(
        matrix=data["matrix"],
        versions=data["versions"],
        results=tuple(
            Result(
                job=Job(**each["job"]),
                synthesis=Synthesis(**each["synthesis"]),
                device=each["device"],
                routed=tuple(Routed(**one) for one in each["routed"]),
                clip=None if each["clip"] is None else Clip(**each["clip"]),
            )
            for each in data["results"]
        ),
        failures=tuple(Failure(**each) for each in data["failures"]),
        left_out=tuple(data["left_out"]),
        missing=tuple(data.get("missing", ())),
    )


def write(path: Path, text: str) -> None:
    """Write `text` beside `path` and rename it, so that it is never there by half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
