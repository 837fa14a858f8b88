"""Labels and features of all clips: made once, in parallel, by seed and number; goes on where left.

Clip `i` of a split depends on the recordings, the seed, the split and `i` alone. So any number of
processes, killed and started again, makes the same clips, and a larger number of clips holds the
smaller one.
"""

import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np

from golden import dnsmos, labels, teacher
from golden.data import Recording
from golden.data import Split as Side
from golden.experiment import manifests, store
from golden.experiment import scene as scenes
from golden.experiment.distort import UNSEEN
from golden.experiment.lists import Listed
from golden.experiment.render import render
from golden.experiment.scene import Scene
from golden.experiment.sources import Sources
from golden.experiment.store import SHARD, Row, Split, Store
from golden.front_end import log_mel
from golden.heads import PESQ
from golden.mixing import Samples, SilentMixError

ATTEMPTS = 50

SIDES: dict[Split, Side] = {
    "train": "train", "valid": "valid", "known": "test", "unseen_kinds": "test",
}

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One shard to make; all that a process needs to know.

    Parameters
    ----------
    folder, cache
        The data folder, and where shards go.
    split, number, count, seed
        Which shard, and how many clips it has.
    recordings
        The split's side.
    listed
        Scenes and labels, where a test list gives them; otherwise None.
    outputs
        Labels that every clip must have, by their names in `golden.heads`.
    """

    folder: Path
    cache: Path
    split: Split
    number: int
    count: int
    seed: int
    recordings: tuple[Recording, ...]
    listed: tuple[tuple[Scene, float], ...] | None = None
    outputs: tuple[str, ...] = (PESQ,)

    @property
    def rows(self) -> list[Row] | None:
        """What is there already, if it is as many rows as it must be."""
        rows = Store(self.cache, self.split).shard(self.number)
        return rows if rows is not None and len(rows) == self.count else None

    @property
    def teaches(self) -> bool:
        """Whether the teacher is asked."""
        return dnsmos.OUTPUT in self.outputs


def make_shard(job: Job) -> list[Row]:
    """Make what is missing of one shard: scenes, labels and features, or some of them.

    Raises
    ------
    ValueError
        `ATTEMPTS` scenes in a row could not be labelled, or a package for labels is missing.
    OSError
        The disk is full.
    """
    rows = job.rows
    made = [
        _make(job, i) if rows is None else _again(job, rows[i]) for i in range(job.count)
    ]
    rows, features = [row for row, _ in made], [one for _, one in made]
    Store(job.cache, job.split).write(job.number, rows, cast("store.Features", np.stack(features)))
    return rows


def _again(job: Job, row: Row) -> tuple[Row, store.Features]:
    """Make features, and what is missing of the labels, of a row that is there."""
    clip = render(job.folder, row.scene)[1]
    return _completed(job, row, clip)


def _completed(job: Job, row: Row, clip: Samples) -> tuple[Row, store.Features]:
    one = _features(clip, row.scene, job)
    asked = job.teaches and row.dnsmos is None
    score = round(teacher.mos(clip), 4) if asked else row.dnsmos
    return replace(row, crc=store.checksum(one), dnsmos=score), one


def _make(job: Job, i: int) -> tuple[Row, store.Features]:
    """Draw until a scene can be labelled."""
    index = job.number * SHARD + i
    rng = np.random.default_rng([job.seed, store.SPLITS.index(job.split), index])
    failed: list[str] = []
    while len(failed) < ATTEMPTS:
        if job.listed is not None:
            scene, pesq = job.listed[i]
            clip = render(job.folder, scene)[1]
        else:
            if job.split == "unseen_kinds":
                scene = scenes.draw(job.recordings, rng, UNSEEN, (0.0, 1.0))
            else:
                scene = scenes.draw(job.recordings, rng)
            try:
                clean, clip = render(job.folder, scene)
                pesq = round(labels.label(clean, clip), 4)
                if not 0.9 < pesq < 5.0:
                    raise SilentMixError("PESQ must be from 1 to 4.7")
            except SilentMixError as error:
                failed.append(str(error).split(":")[0])
                continue
            except RuntimeError as error:  # what the package raises for its other failures
                failed.append(f"PESQ failed ({type(error).__name__})")
                continue
        row = Row(
            id=f"{job.split}-{index:06d}", scene=scene, pesq=pesq, crc=0, failed=tuple(failed),
        )
        return _completed(job, row, clip)
    raise ValueError(
        f"{job.folder}: the recordings must give clips that can be labelled, not fail"
        f" {ATTEMPTS} times in a row ({failed[-1]})",
    )


def _features(clip: Samples, scene: Scene, job: Job) -> store.Features:
    """Log-mel of a clip: in training as codes and at one level, otherwise as it is heard."""
    if job.split != "train":
        return log_mel(clip, labels.unstandardised())
    level = np.float32(10 ** ((store.STORED_LEVEL_DB - scene.level_db) / 20))
    return store.compress(log_mel(clip * level, labels.unstandardised()))


def jobs(
    sources: Sources, cache: Path, counts: dict[Split, int], seed: int,
    lists: dict[Split, Listed], outputs: tuple[str, ...] = (PESQ,),
) -> Iterator[Job]:
    """Give the shards that are missing, or whose features or some of `outputs` are."""
    for split, count in counts.items():
        at_hand = Store(cache, split)
        for number in range(-(-count // SHARD)):
            size = SHARD if split == "train" else min(SHARD, count - number * SHARD)
            rows = at_hand.shard(number)
            if rows is not None and len(rows) >= size:
                said = [row.label(name) for row in rows[:size] for name in outputs]
                if at_hand.whole(number, rows) and not any(map(math.isnan, said)):
                    continue
                size = len(rows)  # what is there stays there
            given = lists.get(split)
            yield Job(
                folder=sources.folder, cache=cache, split=split, number=number, count=size,
                seed=seed, recordings=sources.sides[SIDES[split]],
                listed=tuple(given[number * SHARD :][:size]) if given else None,
                outputs=outputs,
            )


def label_all(
    sources: Sources,
    cache: Path,
    counts: dict[Split, int],
    *,
    seed: int = 1,
    processes: int = 1,
    lists: dict[Split, Listed] | None = None,
    outputs: tuple[str, ...] = (PESQ,),
    report: Report = lambda text: None,
    limit: float | None = None,
) -> dict[str, Any]:
    """Label what the cache lacks and return its manifest.

    Parameters
    ----------
    sources
        The recordings.
    cache
        The cache folder; one that was made of other recordings or by another seed is refused.
    counts
        Clips of each split.
    seed
        Of all scenes.
    processes
        How many label at a time; 1 labels in this one.
    lists
        Scenes and labels of splits that are not to be drawn.
    outputs
        Labels that are needed, by their names in `golden.heads`; PESQ is always made.
    report
        Told how far it has come, about every ten seconds.
    limit
        Stop after so many seconds, None: when all is done.

    Raises
    ------
    ValueError
        The cache is another's, a package for labels is missing, or no clip can be labelled.
    OSError
        The disk is full. All shards made until then stay.
    """
    manifests.claim(sources, cache, seed)
    missing = list(jobs(sources, cache, counts, seed, lists or {}, outputs))
    total, done, began, told = sum(job.count for job in missing), 0, time.monotonic(), 0.0
    if any(job.listed is None and job.rows is None for job in missing):
        labels.label(*labels.probe())
    if any(job.teaches for job in missing):
        teacher.require()
    for rows in _made(missing, processes):
        done += len(rows)
        seconds = time.monotonic() - began
        if seconds - told > 10 or done == total:
            told = seconds
            report(f"labelled {done} of {total} clips, {done / seconds:.1f} a second")
        if limit is not None and seconds > limit:
            break
    return manifests.write(sources, cache, counts, seed)


def _made(missing: list[Job], processes: int) -> Iterator[list[Row]]:
    if processes == 1 or len(missing) < 2:
        yield from map(make_shard, missing)
        return
    rest, waiting = iter(missing), set[Future[list[Row]]]()
    pool = ProcessPoolExecutor(processes, initializer=_ignore_interrupts)
    try:
        while True:
            next_ones = islice(rest, processes - len(waiting))
            waiting |= {pool.submit(make_shard, job) for job in next_ones}
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _ignore_interrupts() -> None:
    """Leave it to the process that the user interrupts to end this one; stay on one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
