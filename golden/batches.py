"""Cached mixes as batches of codes and labels, augmented where the label allows it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from golden import labels
from golden.data import Split
from golden.front_end import FrontEnd, standardised
from golden.mixing import LEVEL_DB

STATISTICS_SHARDS = 16


class Mixes:
    """The labelled mixes of one split, as many as the cache holds so far.

    Parameters
    ----------
    cache
        Folder of `golden.labels`.
    split, seed
        Which shards.
    mixes
        How many to use at most.
    """

    def __init__(self, cache: Path, split: Split, seed: int, mixes: int) -> None:
        self._paths = [
            labels.shard_path(cache, split, seed, number)
            for number in range(-(-mixes // labels.SHARD))
        ]
        self._shards: dict[int, labels.Shard] = {}

    def refresh(self) -> int:
        """Read the shards that have come since; return the number of mixes at hand."""
        for number, path in enumerate(self._paths):
            if number not in self._shards and path.exists():
                self._shards[number] = labels.read_shard(path)
        return len(self._shards) * labels.SHARD

    @property
    def complete(self) -> bool:
        """Whether every shard has been read."""
        return len(self._shards) == len(self._paths)

    @property
    def statistics_ready(self) -> bool:
        """Whether the shards are there that `front_end` needs."""
        return all(n in self._shards for n in range(min(STATISTICS_SHARDS, len(self._paths))))

    def front_end(self) -> FrontEnd:
        """Front-end whose codes standardise these mixes at levels drawn as for the test list.

        Only the first `STATISTICS_SHARDS` shards count, so that the codes do not depend on how
        far the cache has grown.
        """
        used = [self._shards[n] for n in sorted(self._shards) if n < STATISTICS_SHARDS]
        mels = np.concatenate([mel for mel, _ in used]).astype(np.float64)
        nepers = np.log(10.0) / 10.0
        of_level = ((LEVEL_DB[1] - LEVEL_DB[0]) * nepers) ** 2 / 12.0
        mean = mels.mean(axis=(0, 2))
        deviation = np.sqrt(mels.var(axis=(0, 2)) + of_level)
        return standardised(mean.astype(np.float32), deviation.astype(np.float32))

    def take(self, order: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
        """Log-mel float32 ``[batch, band, frame]`` and labels ``[batch]`` of the mixes `order`."""
        numbers = sorted(self._shards)
        places = [divmod(int(i), labels.SHARD) for i in order]
        mels = np.stack([self._shards[numbers[n]][0][i] for n, i in places])
        targets = np.array([self._shards[numbers[n]][1][i] for n, i in places])
        return torch.from_numpy(mels).to(torch.float32), torch.from_numpy(targets)


def change_level(log_mel: Tensor, gain_db: Tensor, floor: float) -> Tensor:
    """Log-mel of the same samples times a gain, exact up to rounding.

    Parameters
    ----------
    log_mel
        ``ln(mel + floor)``, ``[batch, band, frame]``.
    gain_db
        ``[batch]``, decibels.
    floor
        As in the front-end.
    """
    power = (10 ** (gain_db / 10))[:, None, None]
    return ((log_mel.exp() - floor).clamp_min(0) * power + floor).log()


def augment(log_mel: Tensor, floor: float, rng: np.random.Generator) -> Tensor:
    """Change what PESQ does not hear: the level, and where in the window the speech begins.

    Levels become uniform within `LEVEL_DB`; frames rotate by a random number.
    """
    level = rng.uniform(*LEVEL_DB, size=len(log_mel)).astype(np.float32)
    shifts = rng.integers(log_mel.shape[2], size=len(log_mel))
    gain = torch.from_numpy(level - np.float32(labels.STORED_LEVEL_DB)).to(log_mel.device)
    louder = change_level(log_mel, gain, floor)
    return torch.stack([
        one.roll(int(shift), 1) for one, shift in zip(louder, shifts, strict=True)
    ])


def to_codes(log_mel: Tensor, front_end: FrontEnd, bits: int = 8) -> Tensor:
    """Codes uint8 ``[batch, 1, band, frame]``, as `golden.front_end.codes` makes them."""
    offset = torch.from_numpy(front_end.offset).to(log_mel.device)[:, None]
    step = torch.from_numpy(front_end.step).to(log_mel.device)[:, None]
    codes = ((log_mel - offset) / step).round_().clamp_(0, 2**bits - 1)
    return codes.to(torch.uint8).unsqueeze(1)
