"""Labelled clips as batches of codes on a device, augmented there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from golden.batches import change_level, to_codes
from golden.experiment import store
from golden.experiment.recipe import Recipe
from golden.experiment.store import Row, Split, Store
from golden.front_end import FrontEnd, standardised
from golden.heads import PESQ

STATISTICS = 1024
"""Clips whose spectrograms say what the codes stand for: the first ones, however many there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clips:
    """All clips of one split on one device.

    Parameters
    ----------
    features
        uint8 (training) or float32 ``[clip, band, frame]``.
    targets
        Labels, float32 ``[clip, label]``.
    rows
        What they are.
    """

    features: Tensor
    targets: Tensor
    rows: list[Row]

    def __len__(self) -> int:
        return len(self.rows)

    def log_mel(self, index: Tensor, shifts: Tensor | None = None) -> Tensor:
        """Log-mel of the clips `index`, float32 ``[clip, band, frame]``, rotated by `shifts`."""
        chosen = self.features[index]
        if shifts is not None:
            frames = chosen.shape[2]
            at = (torch.arange(frames, device=chosen.device) - shifts[:, None]) % frames
            places = at[:, None, :].expand(-1, chosen.shape[1], -1)
            chosen = chosen.gather(2, places)
        if chosen.dtype == torch.uint8:
            return chosen.float().mul_(store.STEP).add_(store.LOWEST)
        return chosen

    def codes(self, front_end: FrontEnd, bits: int) -> Tensor:
        """Codes of all clips as they are heard, uint8 ``[clip, 1, band, frame]``."""
        every = torch.arange(len(self), device=self.features.device)
        parts = [to_codes(self.log_mel(part), front_end, bits) for part in torch.split(every, 256)]
        return torch.cat(parts)


def load(
    cache: Path, split: Split, count: int, device: torch.device,
    outputs: Sequence[str] = (PESQ,),
) -> Clips:
    """Read the first `count` clips of a split, and their labels `outputs`.

    A GPU gets all of them, the CPU maps the file.
    """
    at_hand = Store(cache, split)
    rows = at_hand.rows(count)
    features = torch.from_numpy(at_hand.features(count))
    said = [[row.label(name) for name in outputs] for row in rows]
    labels = torch.tensor(said, dtype=torch.float32)
    return Clips(features=features.to(device), targets=labels.to(device), rows=rows)


def front_end(clips: Clips, bits: int) -> FrontEnd:
    """Front-end whose codes standardise training clips at the levels of the test list.

    The same for any recipe and any number of clips.
    """
    some = torch.arange(min(STATISTICS, len(clips)), device=clips.features.device)
    mels = clips.log_mel(some).cpu().numpy().astype(np.float64)
    low, high = Recipe().levels
    of_level = ((high - low) * np.log(10.0) / 10.0) ** 2 / 12.0
    mean, deviation = mels.mean(axis=(0, 2)), np.sqrt(mels.var(axis=(0, 2)) + of_level)
    return standardised(mean.astype(np.float32), deviation.astype(np.float32), bits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draws:
    """The order of one epoch, and how each draw is changed, on the device.

    Parameters
    ----------
    order
        Clips, int64 ``[draw]``.
    gains
        Decibels, float32 ``[draw]``.
    shifts
        Frames, int64 ``[draw]``, or None.
    """

    order: Tensor
    gains: Tensor
    shifts: Tensor | None

    @staticmethod
    def of(clips: int, recipe: Recipe, seed: int, epoch: int, device: torch.device) -> "Draws":
        """Draw an epoch; the same for any number of processes and on any device."""
        rng = np.random.default_rng([seed, 2, epoch])

        def put(values: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(values).to(device)

        order = rng.permutation(clips)
        levels = rng.uniform(*recipe.levels, size=clips).astype(np.float32)
        shifts = rng.integers(store.FRAMES, size=clips)
        return Draws(
            order=put(order), gains=put(levels - np.float32(store.STORED_LEVEL_DB)),
            shifts=put(shifts) if recipe.rotate else None,
        )

    def batch(
        self, clips: Clips, heard: FrontEnd, bits: int, at: slice,
    ) -> tuple[Tensor, Tensor]:
        """Codes of the draws `at`, uint8 ``[draw, 1, band, frame]``, and which clips they are."""
        index = self.order[at]
        shifts = None if self.shifts is None else self.shifts[at]
        louder = change_level(clips.log_mel(index, shifts), self.gains[at], heard.floor)
        return to_codes(louder, heard, bits), index
