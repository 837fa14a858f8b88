"""Labelled mixes on disk: made once, in parallel, by seed and number; read while they grow.

A shard holds `SHARD` successive mixes. Mix `i` of a split depends on the seed, the split and `i`
alone, so that any number of processes, killed and started again, makes the same files.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import data, mixing
from golden.audio import SAMPLE_RATE
from golden.front_end import log_mel, standardised
from golden.network import FrontEnd

SHARD = 64
STORED_LEVEL_DB = -25.0

Shard = tuple[NDArray[np.float16], NDArray[np.float32]]


def unstandardised() -> FrontEnd:
    """Give the front-end's spectrogram settings, before anything is known of the data."""
    bands = 120
    return standardised(np.zeros(bands, np.float32), np.ones(bands, np.float32))


def label(clean: mixing.Samples, noisy: mixing.Samples) -> float:
    """Wide-band PESQ (ITU-T P.862.2) of `noisy` against `clean`, about 1.0 to 4.6.

    Raises
    ------
    ValueError
        The package `pesq` is missing (install the extra `train`).
    golden.mixing.SilentMixError
        PESQ finds no speech in the reference.
    """
    try:
        import pesq
    except ImportError:
        raise ValueError(
            "labels need the package pesq: install the extra with pip install '.[train]'",
        ) from None
    try:
        return float(pesq.pesq(SAMPLE_RATE, clean, noisy, "wb"))
    except pesq.NoUtterancesError:
        raise mixing.SilentMixError("PESQ must find speech in the reference, not none") from None


def shard_path(cache: Path, split: data.Split, seed: int, number: int) -> Path:
    """Where shard `number` of a split lies below `cache`."""
    return cache / f"{split}-{seed}" / f"{number:05d}.npz"


def make_shard(
    folder: Path,
    cache: Path,
    recordings: tuple[data.Recording, ...],
    split: data.Split,
    seed: int,
    number: int,
) -> Path:
    """Make and label the mixes of one shard, unless it is there; written beside, then renamed.

    Parameters
    ----------
    folder
        The data folder.
    cache
        Where shards live.
    recordings
        The split's side.
    split, seed, number
        Which shard.

    Returns
    -------
    Path
        npz with log_mel float16 ``[mix, band, frame]`` (the mix at `STORED_LEVEL_DB`), label
        float32 ``[mix]`` and recipes (JSON lines as uint8).
    """
    path = shard_path(cache, split, seed, number)
    if path.exists():
        return path
    front_end = unstandardised()
    mels, labels, recipes = [], [], []
    for i in range(number * SHARD, (number + 1) * SHARD):
        rng = np.random.default_rng([seed, data.SPLITS.index(split), i])
        while True:
            recipe = mixing.draw(recordings, rng)
            try:
                clean, noisy = mixing.mix(folder, recipe)
                labels.append(label(clean, noisy))
            except mixing.SilentMixError:
                continue
            break
        noisy = noisy * np.float32(10 ** ((STORED_LEVEL_DB - recipe.level_db) / 20))
        mels.append(log_mel(noisy, front_end).astype(np.float16))
        recipes.append(json.dumps(asdict(recipe)))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    with beside.open("wb") as file:
        np.savez(
            file,
            log_mel=np.stack(mels),
            label=np.array(labels, np.float32),
            recipes=np.frombuffer("\n".join(recipes).encode(), np.uint8),
        )
    beside.rename(path)
    return path


def make(
    folder: Path, cache: Path, split: data.Split, seed: int, mixes: int, processes: int,
) -> Iterator[Path]:
    """Make at least `mixes` labelled mixes of a split; yield each shard as it is ready."""
    recordings = data.split(data.read_manifest(folder))[split]
    shards = range(-(-mixes // SHARD))
    work = partial(make_shard, folder, cache, recordings, split, seed)
    with ProcessPoolExecutor(processes) as pool:
        for future in as_completed([pool.submit(work, number) for number in shards]):
            yield future.result()


def read_shard(path: Path) -> Shard:
    """Log-mel spectrograms float16 ``[mix, band, frame]`` and labels float32 ``[mix]``."""
    with np.load(path, allow_pickle=False) as shard:
        return shard["log_mel"], shard["label"]
