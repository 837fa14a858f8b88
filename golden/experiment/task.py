"""What a training is of, and whether a checkpoint is of the same."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch

from golden.experiment.recipe import Recipe
from golden.experiment.variants import FLOAT, variant
from golden.experiment.workers import Workers


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What is to be trained, and where.

    Parameters
    ----------
    name, seed
        Which variant; seed of start, order and augmentation.
    recipe
        How.
    data
        Digest of the clips and labels.
    folder
        Where the checkpoint goes.
    device, workers
        On what, and with which other processes.
    """

    name: str
    seed: int
    recipe: Recipe
    data: str
    folder: Path
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    workers: Workers = field(default_factory=Workers)

    @property
    def identity(self) -> str:
        """What a checkpoint must have in common with the task to go on from it."""
        others = [] if self.source in (None, FLOAT) else [self.source]
        return json.dumps([self.name, self.seed, self.data, self.recipe.as_dict(), *others])

    @property
    def source(self) -> str | None:
        """The variant of this seed that the training starts from, if it starts from one."""
        return variant(self.name).source if self.recipe.warm else None

    @property
    def checkpoint(self) -> Path:
        """The file to go on from."""
        return self.folder / f"{self.name}-{self.seed}.pt"
