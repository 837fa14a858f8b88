"""Training: cached mixes in, a checkpoint that can go on and the best weights out."""

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from golden import descent, labels, netfile
from golden.batches import Mixes, augment, to_codes
from golden.checkpoint import load_best, predict, save, save_best
from golden.export import export
from golden.figures import correlation
from golden.model import paper_network, prepare
from golden.quantise import QuantConv2d
from golden.train_options import TrainOptions

VALID_MIXES = 640
WARM_UP = 0.05
CHECKPOINT, BEST, HISTORY, NETWORK = "checkpoint.pt", "best.pt", "history.jsonl", "network.npz"


class Training:
    """One training, from its options to `best.pt`; `run` does it all.

    Parameters
    ----------
    options
        What to train.
    console
        Where progress goes.
    """

    def __init__(self, options: TrainOptions, console: Console) -> None:
        self.options, self.console = options, console
        self.device = torch.device(options.device)
        self.train = Mixes(options.mixes_folder, "train", options.seed, options.mixes)
        self.valid = Mixes(options.mixes_folder, "valid", options.seed, VALID_MIXES)
        self.labeller = labels.Labeller(
            options.data,
            options.mixes_folder,
            {"valid": VALID_MIXES, "train": options.mixes},
            options.seed,
            options.processes,
        )
        self.epoch, self.best = 0, -1.0
        self.steps_per_epoch = max(1, options.mixes // options.batch)

    def label_mixes(self) -> None:
        """Label in the background what the cache lacks; wait for what a start needs."""
        self.labeller.start()
        with self.console.status("labelling the first mixes"):
            while not self._ready():
                self.labeller.check()
                time.sleep(0.5)

    def _ready(self) -> bool:
        self.train.refresh()
        self.valid.refresh()
        return self.valid.complete and self.train.statistics_ready

    def start(self) -> None:
        """Build network, optimiser and teacher; read the checkpoint where there is one."""
        o = self.options
        torch.manual_seed(o.seed)
        self.front_end = self.train.front_end()
        self.network = paper_network(o.variant, o.beta)
        rng = np.random.default_rng([o.seed, 1])
        mels, targets = self.train.take(np.arange(min(256, self.train.refresh())))
        codes = to_codes(augment(mels, self.front_end.floor, rng), self.front_end)
        tuned = False
        if o.warm is not None:
            warm = load_best(o.warm)[0]
            self.network.load_state_dict(warm.state_dict(), strict=False)
            tuned = isinstance(warm.get_submodule("conv1"), QuantConv2d) == (o.variant == "bam8")
        if not tuned:
            prepare(self.network, codes, targets)
        self.network.to(self.device)
        descent.channels_last(self.network)
        self.teacher = None
        if o.teacher is not None:
            self.teacher = load_best(o.teacher)[0].to(self.device)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=o.rate)
        mels, targets = self.valid.take(np.arange(VALID_MIXES))
        self.valid_codes = to_codes(augment(mels, self.front_end.floor, rng), self.front_end)
        self.valid_targets = targets.numpy().astype(np.float64)
        path = o.out / CHECKPOINT
        if o.resume and path.is_file():
            state = torch.load(path, map_location=self.device, weights_only=True)
            if state["options"] != self._identity():
                raise ValueError(f"{path}: is of other options; give another folder or no resume")
            self.network.load_state_dict(state["weights"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.epoch, self.best = state["epoch"], state["best"]

    def _identity(self) -> str:
        o = asdict(self.options)
        names = ("variant", "mixes", "epochs", "batch", "rate", "beta", "warm", "teacher", "seed")
        return json.dumps({name: str(o[name]) for name in names})

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from the first."""
        total = self.steps_per_epoch * self.options.epochs
        return descent.rate(self.options.rate, step, total, WARM_UP)

    def learn(self, mels: Tensor, targets: Tensor, rng: np.random.Generator) -> float:
        """One step of the optimiser on one batch; return its loss."""
        mels, targets = mels.to(self.device), targets.to(self.device)
        codes = to_codes(augment(mels, self.front_end.floor, rng), self.front_end)
        with torch.autocast(self.device.type, torch.bfloat16):
            guess = self.network(codes).flatten().float()
            if self.teacher is not None:
                with torch.no_grad():
                    taught = self.teacher(codes).flatten().float()
                targets = (targets + taught) / 2
        loss = F.mse_loss(guess, targets)
        self.optimiser.zero_grad()
        descent.gradients(loss)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        return float(loss.detach())

    def run_epoch(self, progress: Progress) -> float:
        """Train one epoch on what the cache holds; return the mean loss."""
        o = self.options
        self.labeller.check()
        rng = np.random.default_rng([o.seed, 2, self.epoch])
        at_hand = self.train.refresh()
        rounds = -(-self.steps_per_epoch * o.batch // at_hand)
        order = np.concatenate([rng.permutation(at_hand) for _ in range(rounds)])
        task = progress.add_task(f"epoch {self.epoch + 1}", total=self.steps_per_epoch)
        self.network.train()
        losses = []
        for i in range(self.steps_per_epoch):
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate_at(self.epoch * self.steps_per_epoch + i)
            mels, targets = self.train.take(order[i * o.batch : (i + 1) * o.batch])
            losses.append(self.learn(mels, targets, rng))
            progress.advance(task)
        progress.remove_task(task)
        return float(np.mean(losses))

    def keep(self, loss: float, seconds: float) -> None:
        """Validate, then write history, checkpoint and, if it is the best so far, weights."""
        o = self.options
        guess = predict(self.network, self.valid_codes)
        pcc = correlation(guess, self.valid_targets)
        self.epoch += 1
        row = {
            "epoch": self.epoch,
            "loss": round(loss, 5),
            "valid_pcc": round(pcc, 4),
            "valid_mse": round(float(np.mean((guess - self.valid_targets) ** 2)), 4),
            "mixes": self.train.refresh(),
            "seconds": round(seconds, 1),
        }
        with (o.out / HISTORY).open("a") as file:
            file.write(json.dumps(row) + "\n")
        line = " · ".join(f"{name} {value}" for name, value in row.items())
        self.console.print(line, soft_wrap=True)
        if pcc > self.best:
            self.best = pcc
            save_best(
                o.out / BEST, self.network, self.front_end, variant=o.variant, beta=o.beta,
                epoch=self.epoch, valid_pcc=pcc,
            )
        save(
            {
                "options": self._identity(), "weights": self.network.state_dict(),
                "optimiser": self.optimiser.state_dict(), "epoch": self.epoch, "best": self.best,
            },
            o.out / CHECKPOINT,
        )

    def run(self) -> None:
        """Train to the last epoch."""
        self.options.out.mkdir(parents=True, exist_ok=True)
        try:
            self.label_mixes()
            self.start()
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            while self.epoch < self.options.epochs:
                began = time.monotonic()
                with Progress(*columns, console=self.console, transient=True) as progress:
                    loss = self.run_epoch(progress)
                self.keep(loss, time.monotonic() - began)
        finally:
            self.labeller.stop()


def train(options: TrainOptions) -> Path:
    """Train as `options` say and return the path of the result.

    Returns
    -------
    Path
        ``out/network.npz``, the exported integer network, for ``"bam8"``; ``out/best.pt`` for
        ``"float"``.

    Raises
    ------
    ValueError
        The data folder, the options or the checkpoint are not what they must be, or the package
        `pesq` is missing and mixes have to be labelled.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    training = Training(options, Console(stderr=True))
    training.run()
    best = options.out / BEST
    if options.variant == "float":
        return best
    network, front_end = load_best(best)
    example = training.valid_codes[:1].cpu()
    exported = export(network, example, names=["pesq"], front_end=front_end)
    netfile.save(exported, options.out / NETWORK)
    return options.out / NETWORK
