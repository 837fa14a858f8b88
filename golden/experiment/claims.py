"""What is asked of the experiment in numbers, beside what was measured."""

from dataclasses import dataclass

from golden.experiment.reading import SETS, TEACHER
from golden.experiment.records import Metrics, Results, Run
from golden.experiment.summary import SEEDS, across

MARGIN = 0.01
"""By how much the binary network's PCC may stay below the float baseline's."""
HOURS_CPU, SECONDS_GPU = 2.0, 90.0
GPUS = ("cuda", "nvidia", "geforce", "tesla", "radeon", "instinct")
"""What the names of devices hold that are no processors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One number that is asked for.

    Parameters
    ----------
    what, asked
        In words.
    measured
        In words; None where nobody measured it.
    met
        Whether it is reached; None where nobody measured it.
    runs_missing
        Whether runs that it speaks of are still to come.
    """

    what: str
    asked: str
    measured: str | None = None
    met: bool | None = None
    runs_missing: bool = False


def claims(results: Results, *, factor: float, products: int) -> list[Claim]:
    """Hold the results against what is asked.

    Parameters
    ----------
    results
        Of the experiment.
    factor
        How many times less memory than the float baseline the network takes.
    products
        Multiplications in the network.
    """
    known = SETS[0]
    return [
        _pcc(results, known, "PESQ", 0.88),
        _pcc(results, known + TEACHER, "the teacher's MOS", 0.90),
        Claim(
            what="memory, all conv outputs + weights, against the float baseline",
            asked="at least 25 times less",
            measured=f"{factor:.1f} times less",
            met=factor >= 25,
        ),
        Claim(
            what="multiplications in the network",
            asked="0",
            measured=f"{products:,}",
            met=products == 0,
        ),
        _time(results, "two CPU cores", HOURS_CPU * 3600, gpu=False),
        _time(results, "one data-centre GPU", SECONDS_GPU, gpu=True),
    ]


def _pcc(results: Results, name: str, label: str, floor: float) -> Claim:
    what = f"PCC to {label}, BAM + 8-bit weights, integer network, mean over seeds"
    asked = f"within {MARGIN} of the float baseline, and at least {floor:.2f}"
    binary = across(results.of("bam-w8"), name, _read, integer=True)
    baseline = across(results.of("float"), name, _read)
    if binary is None:
        return Claim(what=what, asked=asked)
    text = f"{binary.mean:.4f} (n = {binary.n})"
    if baseline is None:
        return Claim(what=what, asked=asked, measured=f"{text}, the baseline not yet")
    return Claim(
        what=what,
        asked=asked,
        measured=f"{text}; float {baseline.mean:.4f} (n = {baseline.n})",
        met=binary.mean >= max(floor, baseline.mean - MARGIN),
        runs_missing=min(binary.n, baseline.n) < SEEDS,
    )


def _read(metrics: Metrics) -> float:
    return metrics.pcc


def _time(results: Results, place: str, limit: float, *, gpu: bool) -> Claim:
    what, asked = f"one variant, one seed, on {place}", f"at most {limit:,.0f} s"
    runs = [run for run in results.runs if _on_gpu(run) == gpu and (gpu or run.threads <= 2)]
    times = {run.name: _seconds(results, run) for run in runs}
    seconds = {name: time for name, time in times.items() if time is not None}
    if not seconds:
        return Claim(what=what, asked=asked)
    slowest = max(seconds, key=seconds.__getitem__)
    said = f"{seconds[slowest]:,.0f} s at most with what it starts from, {len(seconds)} runs"
    return Claim(
        what=what,
        asked=asked,
        measured=f"{said} ({slowest})",
        met=seconds[slowest] <= limit,
        runs_missing=len(seconds) < len(runs),
    )


def _seconds(results: Results, run: Run) -> float | None:
    """What a training took, and all that it starts from; None where the results lack a part."""
    if run.source is None:
        return run.seconds
    for each in results.of(run.source):
        if each.seed == run.seed and (before := _seconds(results, each)) is not None:
            return run.seconds + before
    return None


def _on_gpu(run: Run) -> bool:
    return any(word in run.device.lower() for word in GPUS)
