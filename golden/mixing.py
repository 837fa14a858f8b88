"""Noisy speech from recordings: a recipe says what is mixed, `mix` makes the samples."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import audio
from golden.data import Recording

SAMPLES = 5 * audio.SAMPLE_RATE
SNR_DB = (-5.0, 25.0)
LEVEL_DB = (-35.0, -15.0)
BABBLE_SHARE, ROOM_SHARE = 0.15, 0.1
QUIETEST_DB = -55.0
LEAST_ACTIVE = 0.5

Samples = NDArray[np.float32]


class SilentMixError(ValueError):
    """A recipe whose speech or noise holds too little sound to be mixed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """One 5-s mix of speech and noise.

    Parameters
    ----------
    speech
        Path below the data folder and offset, samples; the file is taken as endless repetition.
    noises
        Likewise; several are summed at equal power (babble).
    room
        Path of a room response that the speech passes, or None.
    snr_db
        Power of the speech over the power of the noise, both over the whole window, decibels.
    level_db
        Root mean square of the mix, decibels relative to 1.
    """

    speech: tuple[str, int]
    noises: tuple[tuple[str, int], ...]
    room: str | None
    snr_db: float
    level_db: float


def draw(
    recordings: tuple[Recording, ...],
    rng: np.random.Generator,
    *,
    babble: float = BABBLE_SHARE,
    room: float = ROOM_SHARE,
) -> Recipe:
    """Draw a recipe from `recordings`, SNR and level uniform within `SNR_DB` and `LEVEL_DB`.

    Every second of speech is equally probable. A noise is drawn by set, then by file, the sets
    weighted by the square root of their files, so that one large set does not rule.

    Parameters
    ----------
    recordings
        One side of a split.
    rng
        Source of all chance.
    babble, room
        Shares of mixes whose noise is 3 to 8 other speakers, and whose speech passes a room.
    """
    speech = [r for r in recordings if r.kind == "speech"]
    seconds = np.array([max(r.seconds, 5.0) for r in speech])
    one = speech[int(rng.choice(len(speech), p=seconds / seconds.sum()))]
    others = [r for r in speech if r.group != one.group]
    if rng.random() < babble and others:
        count = int(rng.integers(3, 9))
        noises = tuple(_place(others[int(i)], rng) for i in rng.integers(len(others), size=count))
    else:
        noise = [r for r in recordings if r.kind == "noise"]
        in_set = {r.set: sum(q.set == r.set for q in noise) for r in noise}
        weights = np.array([in_set[r.set] ** -0.5 for r in noise])
        noises = (_place(noise[int(rng.choice(len(noise), p=weights / weights.sum()))], rng),)
    rooms = [r for r in recordings if r.kind == "rir"]
    in_room = bool(rooms) and rng.random() < room
    return Recipe(
        speech=_place(one, rng),
        noises=noises,
        room=rooms[int(rng.integers(len(rooms)))].path if in_room else None,
        snr_db=round(float(rng.uniform(*SNR_DB)), 3),
        level_db=round(float(rng.uniform(*LEVEL_DB)), 3),
    )


def _place(recording: Recording, rng: np.random.Generator) -> tuple[str, int]:
    """Pick an offset whose window needs no repetition, or any where the file is too short."""
    spare = round(recording.seconds * audio.SAMPLE_RATE) - SAMPLES
    return recording.path, int(rng.integers(spare if spare > 0 else spare + SAMPLES))


@lru_cache(maxsize=2000)
def read(data: Path, path: str) -> Samples:
    """Read a recording, or give it from memory; not to be written to."""
    return audio.load(data / path)


def cut(data: Path, place: tuple[str, int], size: int = SAMPLES) -> Samples:
    """Cut `size` samples at a path and an offset out of the endlessly repeated file."""
    samples = read(data, place[0])
    part: Samples = np.take(samples, np.arange(place[1], place[1] + size), mode="wrap")
    return part


def power(samples: Samples) -> float:
    """Mean square."""
    return float(np.mean(np.square(samples, dtype=np.float64)))


def active_share(samples: Samples) -> float:
    """Share of 20-ms frames within 35 dB of the loudest tenth."""
    frames = np.square(samples.reshape(-1, 320), dtype=np.float64).mean(axis=1)
    return float(np.mean(frames > np.quantile(frames, 0.9) * 10**-3.5))


def mix(data: Path, recipe: Recipe) -> tuple[Samples, Samples]:
    """Clean reference and noisy mix of `recipe`.

    The reference is the dry speech; both carry the gain that brings the mix to its level, and
    nothing is clipped.

    Parameters
    ----------
    data
        Folder of the recordings.
    recipe
        What to mix.

    Returns
    -------
    tuple of NDArray[np.float32]
        Reference and mix, each ``[SAMPLES]`` at 16 kHz.

    Raises
    ------
    SilentMixError
        Speech or noise is silent, or less than half of the speech window is active.
    """
    clean = cut(data, recipe.speech)
    if power(clean) < 10 ** (QUIETEST_DB / 10) or active_share(clean) < LEAST_ACTIVE:
        raise SilentMixError(f"speech must be active, not silent: {recipe.speech}")
    spoken = clean
    if recipe.room is not None:
        response = read(data, recipe.room)
        response = response[int(np.abs(response).argmax()) :]
        size = 1 << int(np.ceil(np.log2(SAMPLES + response.size)))
        wet = np.fft.irfft(np.fft.rfft(clean, size) * np.fft.rfft(response, size), size)[:SAMPLES]
        spoken = wet.astype(np.float32)
    parts = [cut(data, place) for place in recipe.noises]
    if min(map(power, parts)) < 1e-9:
        raise SilentMixError(f"noise must not be silent: {recipe.noises}")
    level = [part / np.sqrt(power(part)) for part in parts]
    noise: Samples = np.sum(level, axis=0, dtype=np.float32)
    gain = np.sqrt(power(spoken) / power(noise) / 10 ** (recipe.snr_db / 10))
    noisy = spoken + gain * noise
    loud = 10 ** (recipe.level_db / 20) / np.sqrt(power(noisy))
    return (clean * loud).astype(np.float32), (noisy * loud).astype(np.float32)
