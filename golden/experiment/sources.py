"""The recordings an experiment may use: what can be read, what its licence allows, which side."""

import csv
import hashlib
import json
import re
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import soundfile

from golden import audio, data
from golden.data import Recording, Split

LICENCES = (
    r"cc0(-1\.0)?", r"cc-by(-[1-4]\.0)?", r"public domain", r"mit", r"bsd-[23]-clause",
    r"apache-2\.0",
)
"""What a network may learn from that is given away under Apache-2.0; CC-BY is named on its card."""

KINDS = ("speech", "noise", "rir")
SIDES: tuple[Split, ...] = ("train", "valid", "test")
SUFFIXES = (".flac", ".wav", ".ogg", ".mp3", ".aiff", ".aif")

Sides = dict[Split, tuple[Recording, ...]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """What a data folder gives.

    Parameters
    ----------
    folder
        The data folder.
    sides
        Training, validation and test; no speaker and no noise recording stands on two of them.
    skipped
        Path and reason of each file that is not used.
    licensed
        Whether every file used has a licence in the manifest that `allowed` takes.
    """

    folder: Path
    sides: Sides
    skipped: tuple[tuple[str, str], ...]
    licensed: bool

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that stand for which recordings are on which side."""
        rows = [
            (side, r.path, r.group, round(r.seconds, 2))
            for side in SIDES
            for r in self.sides[side]
        ]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:12]


def allowed(licence: str) -> bool:
    """Whether the manifest's column allows training a network that is given away.

    The first part before a semicolon is the licence, without its remarks in brackets; no other
    part may forbid: ``MIT (repo); VCTK is CC-BY-4.0`` is good.
    """
    first = re.sub(r"\(.*?\)", "", licence.split(";")[0]).strip().lower()
    forbidding = re.search(r"-nc|-nd|-sa|non-?commercial|all rights", licence.lower())
    return forbidding is None and any(re.fullmatch(one, first) for one in LICENCES)


def sources(folder: Path, processes: int = 1) -> Sources:
    """Read what `folder` holds, every file once from its beginning to its end.

    With a `manifest.csv` its rows count (see `golden.data`), and rows whose licence does not
    allow training are skipped. Without one, the folders ``speech/SPEAKER/``, ``noise/`` and
    ``rir/`` are searched, and the result is not `licensed`.

    Parameters
    ----------
    folder
        The data folder.
    processes
        How many read at a time.

    Raises
    ------
    ValueError
        There is no audio, or too few speakers or noises for three sides.
    """
    manifest = (folder / "manifest.csv").is_file()
    rows = data.read_manifest(folder) if manifest else _search(folder)
    skipped = _unlicensed(folder) if manifest else []
    rows = tuple(r for r in rows if not manifest or allowed(r.licence))
    check = partial(_reason, folder)
    if processes > 1 and len(rows) > 50:
        with ProcessPoolExecutor(processes) as pool:
            reasons = list(pool.map(check, (r.path for r in rows), chunksize=32))
    else:
        reasons = [check(r.path) for r in rows]
    skipped += [(r.path, why) for r, why in zip(rows, reasons, strict=True) if why]
    good = tuple(r for r, why in zip(rows, reasons, strict=True) if not why)
    for kind in KINDS[:2]:
        if not any(r.kind == kind for r in good):
            raise ValueError(
                f"{folder}: the folder must hold {kind} that can be read, not none"
                f" (files skipped: {len(skipped)})",
            )
    return Sources(
        folder=folder, sides=split(good), skipped=tuple(skipped), licensed=manifest,
    )


def split(recordings: tuple[Recording, ...]) -> Sides:
    """Split as `golden.data.split` does, and rooms too, where there are at least three.

    Where too few groups leave validation without speech or noise, it gets one from training.

    Raises
    ------
    ValueError
        A side would be left without speech or noise.
    """
    sides = data.split(recordings)
    rooms = sorted((r for r in recordings if r.kind == "rir"), key=lambda r: r.path)
    order = [rooms[int(i)] for i in np.random.default_rng(data.SPLIT_SEED).permutation(len(rooms))]
    test = max(1, round(data.TEST_SHARE * len(order))) if len(order) >= 3 else 0
    valid = 1 if len(order) >= 5 else 0
    parts: dict[Split, list[Recording]] = {
        "test": order[:test], "valid": order[test : test + valid], "train": order[test + valid :],
    }
    for kind, what in (("speech", "speakers"), ("noise", "noise recordings")):
        groups = {r.group for r in recordings if r.kind == kind}
        trained = sorted({r.group for r in sides["train"] if r.kind == kind})
        if len(trained) > 1 and not any(r.kind == kind for r in sides["valid"]):
            sides["valid"] += tuple(r for r in sides["train"] if r.group == trained[-1])
            sides["train"] = tuple(r for r in sides["train"] if r.group != trained[-1])
        empty = [side for side in SIDES if not any(r.kind == kind for r in sides[side])]
        if empty:
            raise ValueError(
                f"{what} must be enough for training, validation and test, not {len(groups)}"
                f" ({', '.join(empty)} would have none)",
            )
    return {
        side: (*(r for r in sides[side] if r.kind != "rir"), *parts[side]) for side in SIDES
    }


def _search(folder: Path) -> tuple[Recording, ...]:
    """List the audio below ``speech``, ``noise`` and ``rir``; a folder in speech is a speaker."""
    if not folder.is_dir():
        raise ValueError(f"{folder}: the data folder must exist")
    found = []
    for kind in KINDS:
        below = (folder / kind).rglob("*")
        for path in sorted(p for p in below if p.suffix.lower() in SUFFIXES and p.is_file()):
            place = path.relative_to(folder)
            named = kind == "speech" and len(place.parts) > 2
            group = f"folder/{place.parts[1]}" if named else place.with_suffix("").as_posix()
            found.append(
                Recording(
                    path=place.as_posix(), kind=kind, group=group, set=kind, licence="",
                    seconds=0.0,
                ),
            )
    if not found:
        raise ValueError(
            f"{folder}: the folder must hold a manifest.csv, or audio in {', '.join(KINDS)}",
        )
    return tuple(map(partial(_timed, folder), found))


def _timed(folder: Path, recording: Recording) -> Recording:
    try:
        seconds = soundfile.info(folder / recording.path).duration
    except (soundfile.LibsndfileError, TypeError):
        return recording  # `sources` will say what is wrong with it
    return replace(recording, seconds=seconds)


def _reason(folder: Path, path: str) -> str:
    """Why a file cannot be used; empty where it can."""
    try:
        heard = sum(block.size for block in audio.stream(folder / path))
    except (ValueError, OSError) as error:
        return str(error).removeprefix(f"{folder / path}: ")
    return "" if heard >= audio.SAMPLE_RATE // 20 else "shorter than 50 ms"


def _unlicensed(folder: Path) -> list[tuple[str, str]]:
    """List the rows of the manifest whose licence does not allow training, and say which it is."""
    with (folder / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (row["path"], f"licence {row['licence']!r}") for row in rows if not allowed(row["licence"])
    ]
