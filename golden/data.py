"""The recordings that training mixes: a folder with `manifest.csv`, split so that none leaks.

The manifest has a row per file with at least the columns path, kind (speech, noise, rir), set,
speaker and licence. The project holds no audio; it is given the folder (``--data DIR``).
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

CLEAN_SETS = ("librispeech_", "vctk_", "azure_samples", "picovoice_", "speechbrain")
SPLITS = ("train", "valid", "test")
SPLIT_SEED = 2407
TEST_SHARE, VALID_SHARE = 0.22, 0.06

Split = Literal["train", "valid", "test"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """One file of the manifest.

    Parameters
    ----------
    path
        Relative to the data folder, with forward slashes.
    kind
        speech, noise or rir.
    group
        What must not stand on both sides of a split: the speaker (the whole set where it has no
        names), or the noise recording with all its parts.
    set, licence, seconds
        As the manifest says.
    """

    path: str
    kind: str
    group: str
    set: str
    licence: str
    seconds: float


def read_manifest(data: Path) -> tuple[Recording, ...]:
    """List what may be used of the folder `data`: rows with a licence, speech only if clean.

    Raises
    ------
    ValueError
        There is no manifest, it lacks a column, or it lists no usable speech or noise.
    """
    path = data / "manifest.csv"
    if not path.is_file():
        raise ValueError(f"{data}: the data folder must hold a manifest.csv, not none")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    needed = {"path", "kind", "set", "speaker", "licence", "seconds"}
    missing = needed - set(rows[0] if rows else ())
    if missing:
        raise ValueError(f"{path}: the manifest must have columns {', '.join(sorted(missing))}")
    found = tuple(
        Recording(
            path=row["path"],
            kind=row["kind"],
            group=_group(row),
            set=row["set"],
            licence=row["licence"],
            seconds=float(row["seconds"]),
        )
        for row in rows
        if row["licence"] and (row["kind"] != "speech" or row["set"].startswith(CLEAN_SETS))
    )
    for kind in ("speech", "noise"):
        if not any(r.kind == kind for r in found):
            raise ValueError(f"{path}: the manifest must list {kind} with a licence, not none")
    return found


def _group(row: dict[str, str]) -> str:
    if row["kind"] == "speech":
        family = row["set"].split("_")[0]
        return f"{family}/{row['speaker']}" if row["speaker"] else row["set"]
    # rain_00 .. rain_04 are parts of one recording or one author's takes of one place.
    return re.sub(r"_\d\d$", "", row["path"].rsplit(".", 1)[0])


def split(recordings: tuple[Recording, ...]) -> dict[Split, tuple[Recording, ...]]:
    """Part `recordings` by group: no speaker and no noise recording stands on two sides.

    Within each set the groups are shuffled by a fixed seed; `TEST_SHARE` of them go to the test,
    `VALID_SHARE` of the speakers and twice that of the noises to validation, the rest trains.
    Sets of fewer than three groups (those without speakers' names) and room responses train only.
    """
    sides: dict[Split, set[str]] = {"train": set(), "valid": set(), "test": set()}
    by_set: dict[str, set[str]] = {}
    for r in recordings:
        family = f"{r.kind}:{r.group.split('/')[0] if r.kind == 'speech' else r.set}"
        by_set.setdefault(family, set()).add(r.group)
    rng = np.random.default_rng(SPLIT_SEED)
    for family in sorted(by_set):
        groups = sorted(by_set[family])
        rng.shuffle(groups)
        if family.startswith("rir:") or len(groups) < 3:
            sides["train"].update(groups)
            continue
        test = max(1, round(TEST_SHARE * len(groups)))
        share = VALID_SHARE if family.startswith("speech:") else VALID_SHARE * 2
        valid = round(share * len(groups))
        sides["test"].update(groups[:test])
        sides["valid"].update(groups[test : test + valid])
        sides["train"].update(groups[test + valid :])
    return {
        side: tuple(r for r in recordings if r.group in groups) for side, groups in sides.items()
    }
