"""Which jobs a call measures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from boards.compare.job import BINARY, WITHOUT_DSP, Job, Level, Target

CELL_LANES = 32
"""The cell that is measured stands in the middle of so many lanes."""

ARRAY_SEEDS, MACHINE_SEEDS = 5, 3
MATRICES = ("quick", "default", "full")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A design and how often it is placed and routed.

    Parameters
    ----------
    job
        The design.
    seeds
        Number of seeds, 0 for synthesis only.
    """

    job: Job
    seeds: int = 0


def entries(matrix: str, targets: Sequence[Target]) -> list[Entry]:
    """Return the designs of `matrix`; of the MACs without DSP, all that compete."""
    if matrix not in MATRICES:
        raise ValueError(f"matrix must be one of {', '.join(MATRICES)}, not {matrix!r}")
    make = {"ecp5": _ecp5, "ice40": _ice40}
    found = [entry for target in targets for entry in make[target](matrix)]
    by_design: dict[Job, Entry] = {}
    for entry in found:
        before = by_design.get(entry.job)
        if before is None or before.seeds < entry.seeds:
            by_design[entry.job] = entry
    return list(by_design.values())


def seeded(entries: Iterable[Entry], best: Mapping[Target, str]) -> list[Job]:
    """Return what is placed and routed; of the MACs without DSP only the `best` of each target."""
    return [
        replace(entry.job, seed=seed)
        for entry in entries
        for seed in range(1, entry.seeds + 1)
        if entry.job.kind not in WITHOUT_DSP or entry.job.kind == best.get(entry.job.target)
    ]


def _ecp5(matrix: str) -> list[Entry]:
    kinds = (*BINARY, "mac-dsp", *WITHOUT_DSP)
    if matrix == "quick":
        return [*_cells("ecp5", kinds, 0), *_shape("ecp5", "array", kinds, 8, 8, 0)]
    found = [
        *_cells("ecp5", kinds, ARRAY_SEEDS),
        *_shape("ecp5", "array", kinds, 16, 16, ARRAY_SEEDS),  # 256 DSPs: no part has them, so
        *_shape("ecp5", "array", ("mac-dsp",), 12, 12, ARRAY_SEEDS),  # its clock comes from here
        *_shape("ecp5", "accelerator", kinds, 16, 16, MACHINE_SEEDS),
        *_shape("ecp5", "accelerator", ("mac-dsp",), 12, 12, MACHINE_SEEDS),
    ]
    if matrix == "full":
        found += [
            *_shape("ecp5", "array", kinds, 32, 32, MACHINE_SEEDS),
            *_shape("ecp5", "array", ("mac-dsp",), 12, 13, ARRAY_SEEDS),
            *_shape("ecp5", "array", ("table",), 80, 80, 1),
            *_shape("ecp5", "accelerator", ("table",), 32, 32, MACHINE_SEEDS),
            *_shape("ecp5", "accelerator", ("gated", "folded", "mac-dsp"), 32, 32, 0),
        ]
    return found


def _ice40(matrix: str) -> list[Entry]:
    logic = (*BINARY, *WITHOUT_DSP)
    if matrix == "quick":
        return [
            *_cells("ice40", logic, 0),
            *_cells("ice40", ("mac-dsp",), 0, "up5k"),
            *_shape("ice40", "array", logic, 8, 8, 0),
            *_shape("ice40", "array", ("mac-dsp",), 8, 8, 0, "up5k"),
        ]
    found = [
        *_cells("ice40", logic, ARRAY_SEEDS),
        *_cells("ice40", ("mac-dsp",), ARRAY_SEEDS, "up5k"),
        *_shape("ice40", "array", logic, 8, 8, ARRAY_SEEDS),  # more than the part, without DSP
        *_shape("ice40", "array", WITHOUT_DSP, 8, 4, ARRAY_SEEDS),
        *_shape("ice40", "array", ("mac-dsp",), 4, 2, ARRAY_SEEDS, "up5k"),  # its 8 DSPs
        *_shape("ice40", "array", ("table",), 32, 4, ARRAY_SEEDS),
        *_shape("ice40", "accelerator", ("gated", "folded"), 16, 4, MACHINE_SEEDS, "up5k"),
        *_shape("ice40", "accelerator", ("table",), 32, 4, MACHINE_SEEDS, "up5k"),
        *_shape("ice40", "accelerator", WITHOUT_DSP, 4, 4, MACHINE_SEEDS, "up5k"),
        *_shape("ice40", "accelerator", ("mac-dsp",), 4, 2, MACHINE_SEEDS, "up5k"),
    ]
    if matrix == "full":
        found += [*_shape("ice40", "array", ("table",), 32, 8, ARRAY_SEEDS)]
    return found


def _cells(target: Target, kinds: Iterable[str], seeds: int, part: str = "") -> list[Entry]:
    return _shape(target, "cell", kinds, CELL_LANES, 1, seeds, part)


def _shape(
    target: Target, level: Level, kinds: Iterable[str], lanes: int, columns: int, seeds: int,
    part: str = "",
) -> list[Entry]:
    return [
        Entry(
            job=Job(
                target=target, level=level, kind=kind, lanes=lanes, columns=columns, part=part,
            ),
            seeds=seeds,
        )
        for kind in kinds
    ]
