"""One training: one variant, one seed; goes on from its last epoch."""

import time
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from golden import descent, heads
from golden.experiment import anew, checkpoint
from golden.experiment.clips import Clips, Draws, front_end
from golden.experiment.phases import LEARNS, Phase, phases
from golden.experiment.predictions import predict
from golden.experiment.settling import DRAWS, Kept, giver
from golden.experiment.start import start
from golden.experiment.task import Task
from golden.experiment.variants import build, folded, shares, sharpen, tame, variant
from golden.figures import correlation
from golden.model import CONVS

START_CLIPS = 64
PART = {"cpu": 8, "cuda": 4096}
"""Clips that a step takes at a time where no bits hang on it: on a CPU few, whose maps stay in its
caches (a quarter less time than 32), on a GPU all. The float network's norms see as many: another
device trains another one. With more processes each norm sees less of a step."""

class Training:
    """A task under way.

    Parameters
    ----------
    task
        What to train.
    train, valid
        Clips, with the recipe's labels.
    source
        The trained network of the same seed that a warm start begins at, or None.
    taught
        The float network's predictions of the training clips ``[clip, label]``, or None.

    Raises
    ------
    ValueError
        There is a checkpoint of another training, or no source whose bits a network is to settle
        on.
    """

    def __init__(
        self, task: Task, train: Clips, valid: Clips, source: nn.Sequential | None = None,
        taught: Tensor | None = None,
    ) -> None:
        self.task, self.train = task, train
        recipe = task.recipe
        one = self.one = variant(task.name)
        self.bits = one.input_bits
        self.heard = front_end(train, self.bits)
        torch.manual_seed(task.seed)
        outputs = len(recipe.outputs)
        self.phases = phases(recipe, one)
        learns = CONVS.index(LEARNS) if self.phases[0].settles else 0
        if learns and source is None:
            raise ValueError(f"source of {task.name} must be a network of {task.source}, not None")
        self.network = build(
            one, beta=recipe.beta, dropout=recipe.dropout, outputs=outputs, norm=recipe.norm,
            normed=learns,
        )
        self.network.to(task.device)
        descent.channels_last(self.network)
        self.source = source if recipe.warm else None
        self._start(self.source)
        self.kept: Kept | None = None
        self.taught = train.targets if taught is None else taught
        self.deviation = heads.spread(train.targets)
        self.mean = deepcopy(self.network) if recipe.average else self.network
        bare_rate = recipe.codes_rate if one.maps == "codes" else recipe.bare_rate
        groups = shares(self.network, bare_rate)
        self.optimiser = torch.optim.Adam(groups, lr=recipe.rate, weight_decay=recipe.decay)
        self.valid_codes = valid.codes(self.heard, self.bits)
        self.valid_targets = valid.targets.cpu().numpy().astype(np.float64)
        self.history: list[dict[str, float]] = []
        self.best, self.best_weights, self.seconds = -2.0, self._weights(), 0.0
        self.steps = max(1, len(train) // recipe.batch)
        self._resume()

    def _start(self, source: nn.Sequential | None) -> None:
        task, train = self.task, self.train
        draws = Draws.of(len(train), task.recipe, task.seed, 0, task.device)
        codes, index = draws.batch(train, self.heard, self.bits, slice(0, START_CLIPS))
        start(
            self.network, codes, train.targets[index], source=source,
            source_codes=draws.batch(train, front_end(train, 8), 8, slice(0, START_CLIPS))[0],
            firing=task.recipe.firing, groups=task.recipe.groups,
        )

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return len(self.history)

    def _weights(self) -> dict[str, Tensor]:
        return {name: value.cpu().clone() for name, value in self.mean.state_dict().items()}

    def _resume(self) -> None:
        state = checkpoint.read(self.task)
        if state is None:
            return
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
        recipe, first = self.task.recipe, self.phases[0]
        soft = 0.0 if first.settles else recipe.sharpen * self.steps * first.epochs
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
        size = recipe.seen if self.one.maps == "bits" else PART[task.device.type]
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
        if not self.task.recipe.anew:
            return
        if self.phase.first == 0 and self.source is not None:
            self._start(self._renewed(self.source))
        elif not self.one.integer:
            self.network.load_state_dict(self._renewed(self.network).state_dict())
        self.task.workers.same(self.network)
        self.mean.load_state_dict(self.network.state_dict())

    def _renewed(self, source: nn.Sequential) -> nn.Sequential:
        """Give `source` with dense layers that have learnt what its bits are to say."""
        still, _ = self.phase.parts(self.network)
        kept = self._keep_bits(still.eval())
        _, learning = self.phase.parts(source.eval())
        every = torch.arange(len(self.train), device=self.task.device)
        epochs = range(self.epoch, min(self.epoch + DRAWS, self.phase.end))
        parts = torch.split(every, anew.AT_ONCE)
        maps = (kept.maps(epoch, part) for epoch in epochs for part in parts)
        wanted = torch.lerp(self.train.targets, self.taught, self.phase.distil)
        dense = anew.layers(
            anew.bits(learning, maps), wanted.repeat(len(epochs), 1),
            epochs=self.task.recipe.anew, seed=self.task.seed,
        )
        return anew.renewed(source, dense)

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
        checkpoint.write(self.task, {
            "weights": self.network.state_dict(), "mean": self.mean.state_dict(),
            "optimiser": self.optimiser.state_dict(), "history": self.history,
            "seconds": self.seconds, "best": self.best, "best_weights": self.best_weights,
        })

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
