"""Labelled mixes on disk: made once, in parallel, by seed and number; read while they grow.

A shard holds `SHARD` successive mixes. Mix `i` of a split depends on the seed, the split and `i`
alone, so that any number of processes, killed and started again, makes the same files.
"""

import json
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import data, extras, mixing
from golden.audio import SAMPLE_RATE
from golden.front_end import FrontEnd, log_mel, standardised

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
        raise extras.lacks("labels need", "pesq", "train") from None
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


class Labeller:
    """Labels mixes in processes of its own while something else reads what is there.

    Parameters
    ----------
    folder
        The data folder.
    cache
        Where shards live.
    mixes
        How many of each split, in this order.
    seed
        Of the mixes.
    processes
        How many at a time.
    """

    def __init__(
        self, folder: Path, cache: Path, mixes: dict[data.Split, int], seed: int, processes: int,
    ) -> None:
        self._folder, self._cache, self._seed, self._processes = folder, cache, seed, processes
        self._missing = [
            (split, number)
            for split, count in mixes.items()
            for number in range(-(-count // SHARD))
            if not shard_path(cache, split, seed, number).exists()
        ]
        self._failure: Exception | None = None
        self._stop = threading.Event()

    def start(self) -> None:
        """Begin, if anything is missing.

        Raises
        ------
        ValueError
            The data folder is not one, or the package `pesq` is missing.
        """
        if not self._missing:
            return
        label(*probe())
        sides = data.split(data.read_manifest(self._folder))
        work = threading.Thread(target=self._work, args=(sides,), name="labeller", daemon=True)
        work.start()

    def check(self) -> None:
        """Raise what has gone wrong since."""
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """End after the shards in hand, one a process."""
        self._stop.set()

    def _work(self, sides: dict[data.Split, tuple[data.Recording, ...]]) -> None:
        missing, waiting = iter(self._missing), set[Future[Path]]()
        try:
            with ProcessPoolExecutor(self._processes, initializer=_ignore_interrupts) as pool:
                while not self._stop.is_set():
                    for split, number in islice(missing, self._processes - len(waiting)):
                        waiting.add(pool.submit(
                            make_shard,
                            self._folder, self._cache, sides[split], split, self._seed, number,
                        ))
                    if not waiting:
                        return
                    done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
                    for future in done:
                        future.result()
                pool.shutdown(cancel_futures=True)
        except Exception as error:
            self._failure = error


def _ignore_interrupts() -> None:
    """Leave it to the process that the user interrupts to end this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def probe() -> tuple[mixing.Samples, mixing.Samples]:
    """Give a reference and a mix that PESQ can label: bursts of a chord, and noise."""
    rng = np.random.default_rng(0)
    time = np.arange(mixing.SAMPLES) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * hertz * time) for hertz in (220, 440, 880, 1760))
    clean = (0.05 * chord * (np.sin(2 * np.pi * 2 * time) > 0)).astype(np.float32)
    noise = 0.01 * rng.standard_normal(mixing.SAMPLES).astype(np.float32)
    return clean, clean + noise


def read_shard(path: Path) -> Shard:
    """Log-mel spectrograms float16 ``[mix, band, frame]`` and labels float32 ``[mix]``."""
    with np.load(path, allow_pickle=False) as shard:
        return shard["log_mel"], shard["label"]
