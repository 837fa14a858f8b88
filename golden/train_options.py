"""What decides a training of `golden.train`."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import torch

from golden import labels
from golden.model import Variant
from golden.rules import refuse


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """All that decides a training; the same options give the same mixes and the same start.

    Parameters
    ----------
    data
        Folder of recordings with its `manifest.csv`.
    out
        Folder for the checkpoint, the best weights, the history and the network file.
    cache
        Folder of labelled mixes; None: ``out/mixes``.
    variant
        ``"bam8"`` (binary maps, 8-bit weights) or ``"float"`` (ReLU baseline).
    mixes
        Training mixes to label, and draws per epoch.
    epochs
        Passes over `mixes` draws.
    batch
        Mixes per step.
    rate, beta
        Peak learning rate (Adam, warm-up, cosine to zero); steepness of the surrogate derivative.
    warm
        `best.pt` of a training whose weights are the start, or None; what comes from the other
        variant is prepared as a fresh start is.
    teacher
        `best.pt` of a float training whose predictions are half of the target, or None.
    seed
        Of mixes, start and order.
    device
        Torch device, ``"cpu"`` or ``"cuda"``.
    threads, processes
        Torch threads (0: torch's choice); processes that mix and label.
    resume
        Go on from the checkpoint in `out`, if there is one.
    """

    data: Path
    out: Path
    cache: Path | None = None
    variant: Variant = "bam8"
    mixes: int = 20000
    epochs: int = 12
    batch: int = 32
    rate: float = 2e-3
    beta: float = 1.0
    warm: Path | None = None
    teacher: Path | None = None
    seed: int = 1
    device: str = "cpu"
    threads: int = 0
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)
    resume: bool = True

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be at least {least}, not {getattr(self, name)!r}"
            for name, least in (
                ("mixes", labels.SHARD), ("epochs", 1), ("batch", 2), ("seed", 0),
                ("threads", 0), ("processes", 1), ("beta", 0),
            )
            if getattr(self, name) < least
        ]
        if self.variant not in ("bam8", "float"):
            broken.append(f"variant must be one of bam8, float, not {self.variant!r}")
        if not self.rate > 0:
            broken.append(f"rate must be positive, not {self.rate!r}")
        if self.device.split(":")[0] not in ("cpu", "cuda"):
            broken.append(f"device must be cpu or cuda, not {self.device!r}")
        elif self.device.startswith("cuda") and not torch.cuda.is_available():
            broken.append("device must be cpu where torch finds no GPU, not cuda")
        refuse("training", broken)

    @property
    def mixes_folder(self) -> Path:
        """Where the labelled mixes lie."""
        return self.cache or self.out / "mixes"
