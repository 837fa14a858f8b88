"""One training: one variant, one seed; goes on from its last epoch."""

import io
import time
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden import descent, heads
from golden.experiment.clips import Clips, Draws, front_end
from golden.experiment.phases import Phase, phases
from golden.experiment.settling import Kept, giver
from golden.experiment.start import start
from golden.experiment.task import Task
from golden.experiment.variants import build, folded, sharpen, tame, variant
from golden.experiment.workers import Workers
from golden.figures import correlation
from golden.files import write_whole

START_CLIPS = 64
EVALUATED = 16
"""Clips at a time."""

PART = {"cpu": 8, "cuda": 4096}
"""Clips that a step takes at a time: on a CPU few, whose maps stay in its caches (a quarter less
time than 32), on a GPU all; of a network that settles, all that the process has. Batch norms see as
many: another device, or number of processes, trains another network."""

Floats = NDArray[np.float64]


@torch.no_grad()
def predict(network: nn.Sequential, codes: Tensor, workers: Workers | None = None) -> Floats:
    """Predictions ``[clip, output]`` of `network` in evaluation, shared among `workers`."""
    workers = workers or Workers()
    network.eval()
    device = next(network.parameters()).device
    found: Tensor | None = None
    for number, at in enumerate(range(0, len(codes), EVALUATED)):
        if found is None or number % workers.size == workers.rank:
            part = network(codes[at : at + EVALUATED].to(device)).double()
            if found is None:
                found = torch.zeros(len(codes), part.shape[1], dtype=torch.float64, device=device)
            if number % workers.size == workers.rank:
                found[at : at + EVALUATED] = part
    assert found is not None  # there is at least one clip
    result: Floats = workers.total(found).cpu().numpy()
    return result


class Training:
    """A task under way.

    Parameters
    ----------
    task
        What to train.
    train, valid
        Clips, with the recipe's labels.
    source
        The trained float network of the same seed, for a warm start and distillation, or None.
    taught
        The source's predictions of the training clips ``[clip, label]``, or None.
    """

    def __init__(
        self, task: Task, train: Clips, valid: Clips, source: nn.Sequential | None = None,
        taught: Tensor | None = None,
    ) -> None:
        self.task, self.train = task, train
        recipe, one = task.recipe, variant(task.name)
        self.bits = one.input_bits
        self.heard = front_end(train, self.bits)
        torch.manual_seed(task.seed)
        outputs = len(recipe.outputs)
        self.network = build(
            one, beta=recipe.beta, dropout=recipe.dropout, outputs=outputs, norm=recipe.norm,
        )
        self.network.to(task.device)
        descent.channels_last(self.network)
        draws = Draws.of(len(train), recipe, task.seed, 0, task.device)
        codes, index = draws.batch(train, self.heard, self.bits, slice(0, START_CLIPS))
        heard = front_end(train, 8)
        start(
            self.network, codes, train.targets[index], source=source if recipe.warm else None,
            source_codes=draws.batch(train, heard, 8, slice(0, START_CLIPS))[0],
            firing=recipe.firing, groups=recipe.groups,
        )
        self.phases = phases(recipe, one)
        self.kept: Kept | None = None
        self.taught = train.targets if taught is None else taught
        self.deviation = heads.spread(train.targets)
        self.mean = deepcopy(self.network) if recipe.average else self.network
        bare_rate = recipe.codes_rate if one.maps == "codes" else recipe.bare_rate
        parts: dict[bool, list[nn.Parameter]] = {False: [], True: []}
        norms = [n for n, p in self.network.named_children() if isinstance(p, nn.BatchNorm2d)]
        for name, parameter in self.network.named_parameters():
            parts[name.partition(".")[0].replace("conv", "norm") not in norms].append(parameter)
        groups = [
            {"params": some, "share": bare_rate if bare else 1.0}
            for bare, some in parts.items() if some
        ]
        self.optimiser = torch.optim.Adam(groups, lr=recipe.rate, weight_decay=recipe.decay)
        self.valid_codes = valid.codes(self.heard, self.bits)
        self.valid_targets = valid.targets.cpu().numpy().astype(np.float64)
        self.history: list[dict[str, float]] = []
        self.best, self.best_weights, self.seconds = -2.0, self._weights(), 0.0
        self.steps = max(1, len(train) // recipe.batch)
        self._resume()

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.cpu().clone() for name, value in self.mean.state_dict().items()}

    def _resume(self) -> None:
        path = self.task.checkpoint
        if not path.is_file():
            return
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            identity = state["identity"]
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{path}: must be a checkpoint of a training ({reason})") from None
        if identity != self.task.identity:
            raise ValueError(
                f"{path}: must be of the same recipe and data, not of others; give another folder",
            )
        self.network.load_state_dict(state["weights"])
        self.mean.load_state_dict(state["mean"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.history, self.seconds = state["history"], state["seconds"]
        self.best, self.best_weights = state["best"], state["best_weights"]

    @property
    def phase(self) -> Phase:
        """The phase of the next epoch."""
        return next(each for each in self.phases if self.epoch < each.end)

    def rate_at(self, step: int) -> float:
        """Learning rate of a step, counted from the first."""
        recipe = self.task.recipe
        phase = next(each for each in self.phases if step < self.steps * each.end)
        first, total = self.steps * phase.first, self.steps * phase.epochs
        return descent.rate(recipe.rate, step - first, total, recipe.warm_up)

    def slope_at(self, step: int) -> float | None:
        """How steep softened bits are at a step; None where they are bits."""
        recipe = self.task.recipe
        soft = recipe.sharpen * self.steps * recipe.epochs
        return recipe.slope ** (step / soft) if step < soft else None

    def run_epoch(self) -> float:
        """Train one epoch and return the mean loss."""
        task, recipe = self.task, self.task.recipe
        phase = self.phase
        if phase.settles and self.epoch == phase.first:
            self._settle()
        torch.manual_seed(1_000_003 * task.seed + 1000 * self.epoch + task.workers.rank)
        draws = Draws.of(len(self.train), recipe, task.seed, self.epoch, task.device)
        still, learning = phase.parts(self.network)
        still.eval()
        learning.train()
        kept = self._keep_bits(still) if phase.settles else None
        size = recipe.batch if phase.settles else PART[task.device.type]
        targets = torch.lerp(self.train.targets, self.taught, phase.distil)
        losses = torch.zeros((), device=task.device)
        for i in range(self.steps):
            step = self.epoch * self.steps + i
            sharpen(self.network, self.slope_at(step))
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate_at(step) * group["share"]
            first = i * recipe.batch + task.workers.rank
            at = slice(first, (i + 1) * recipe.batch, task.workers.size)
            self.optimiser.zero_grad()
            if kept is None:
                inputs, index = draws.batch(self.train, self.heard, self.bits, at)
            else:
                index = draws.order[at]
                inputs = kept.maps(self.epoch, index)
            losses += self._learn(learning, inputs, targets[index], size)
            task.workers.add_gradients(self.network)
            nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimiser.step()
            tame(self.network)
            if recipe.average:
                done = step - self.steps * phase.first
                self._follow(min(recipe.average, done / (done + 10)))
        sharpen(self.network, None)
        return float(task.workers.total(losses)) / self.steps

    def _settle(self) -> None:
        """Go on from the best weights so far; only those of the epochs to come are in question."""
        for network in {self.mean, self.network}:
            network.load_state_dict(self.best_weights)
        self.optimiser.state.clear()
        self.best = -2.0

    def _keep_bits(self, still: nn.Sequential) -> Kept:
        """Give what the layers that stay give; the same object in all epochs of the phase."""
        if self.kept is None:
            task = self.task
            give = giver(self.network, still, self.valid_codes[:1].to(task.device))
            self.kept = Kept(
                give, self.train, self.heard, self.bits, recipe=task.recipe, seed=task.seed,
                first=self.phase.first,
            )
        return self.kept

    def _learn(
        self, learning: nn.Sequential, inputs: Tensor, targets: Tensor, size: int,
    ) -> Tensor:
        """Add the gradients of this process's share of a batch; return its part of the loss.

        The layers `learning` take `size` of the `inputs`, codes or bits, at a time.
        """
        device, recipe = self.task.device.type, self.task.recipe
        total = torch.zeros((), device=self.task.device)
        parts = (torch.split(each, size) for each in (inputs, targets))
        for part, wanted in zip(*parts, strict=True):
            with torch.autocast(device, torch.bfloat16, enabled=recipe.half):
                guess = learning(part).float()
            error = (guess - wanted) / self.deviation
            loss = error.square().sum() / (recipe.batch * wanted.shape[1])
            descent.gradients(loss)
            total += loss.detach()
        return total

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        for mean, now in zip(self.mean.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(now, 1.0 - keep)
        for kept, buffer in zip(self.mean.buffers(), self.network.buffers(), strict=True):
            if kept.is_floating_point():  # what norms have seen goes with the weights
                kept.lerp_(buffer, 1.0 - keep)
            else:
                kept.copy_(buffer)

    def keep(self, loss: float, seconds: float) -> dict[str, float]:
        """Validate and write the checkpoint; return the epoch's line."""
        for network in {self.mean, self.network}:  # what stays is the same everywhere
            self.task.workers.agree(self.phase.parts(network)[1])
        guess = predict(self.mean, self.valid_codes, self.task.workers)
        error = float(np.mean((guess - self.valid_targets) ** 2))
        pcc = float(np.mean([
            correlation(*pair) for pair in zip(guess.T, self.valid_targets.T, strict=True)
        ]))
        self.seconds += seconds
        row = {
            "epoch": self.epoch + 1, "train_loss": round(loss, 5),
            "valid_mse": round(error, 5), "valid_pcc": round(pcc, 5),
        }
        self.history.append(row)
        hard = self.slope_at(self.epoch * self.steps) is None
        if (hard and pcc > self.best) or self.epoch == 1:
            self.best, self.best_weights = pcc if hard else -2.0, self._weights()
        if self.task.workers.first:
            self._write()
        return row

    def _write(self) -> None:
        state: dict[str, Any] = {
            "identity": self.task.identity, "weights": self.network.state_dict(),
            "mean": self.mean.state_dict(), "optimiser": self.optimiser.state_dict(),
            "history": self.history, "seconds": self.seconds, "best": self.best,
            "best_weights": self.best_weights,
        }
        whole = io.BytesIO()
        torch.save(state, whole)
        self.task.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.task.checkpoint, whole.getvalue())

    def run(self, report: Any = lambda line: None) -> nn.Sequential:
        """Train what is left and return the network of the best epoch, folded, on the CPU."""
        while self.epoch < self.phases[-1].end:
            began = time.monotonic()
            loss = self.run_epoch()
            row = self.keep(loss, time.monotonic() - began)
            report(row | {"seconds": round(time.monotonic() - began, 1)})
        best: nn.Sequential = deepcopy(self.network).cpu()
        best.load_state_dict(self.best_weights)
        return folded(best)
