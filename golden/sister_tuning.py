"""Fine-tuning of the network that was DNSMOS P.808, in bits, to what the original says of mixes.

First the dense layers alone, on the bits that the exact integers of the convolutions give, then
all layers. What is kept is what correlates best as integers, see `golden.sister`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from golden import descent, dnsmos, mixing
from golden.adds.engine import AddsEngine
from golden.checkpoint import predict, save
from golden.export import export
from golden.figures import Floats, correlation
from golden.rules import refuse

CHECKPOINT, HISTORY = "checkpoint.pt", "history.jsonl"
EXAMPLES = 96
"""Mixes by which thresholds are chosen."""

FRAMES = mixing.SAMPLES // dnsmos.FRONT_END.hop
"""Frames of one mix. The original repeats it until it fills 900; the network is fine-tuned on one
turn, which is what it can say anything about."""

WARM_UP = 0.05

DENSE_EPOCHS, DENSE_BATCH, DENSE_RATE = 40, 64, 1e-3
"""Of what the dense layers learn alone: their input is computed once, so this takes seconds."""

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class SisterOptions:
    """All that decides the result, on one machine.

    Parameters
    ----------
    data
        Folder of recordings with its `manifest.csv`.
    out
        Folder for the network, its history, the labelled mixes and the checkpoint, from which an
        interrupted training goes on.
    mixes
        Training mixes, of 5 s.
    epochs
        Passes over them.
    batch
        Mixes per step.
    rate, beta
        Peak learning rate (Adam, warm-up, cosine to zero); steepness of the surrogate derivative.
    seed
        Of mixes and order.
    threads, processes
        Torch threads; processes that mix and label.
    """

    data: Path
    out: Path
    mixes: int = 4000
    epochs: int = 3
    batch: int = 16
    rate: float = 1e-4
    beta: float = 1.0
    seed: int = 1
    threads: int = 1
    processes: int = 1

    def __post_init__(self) -> None:
        broken = [
            f"{name} must be at least {least}, not {getattr(self, name)!r}"
            for name, least in (
                ("mixes", EXAMPLES), ("epochs", 0), ("batch", 2), ("seed", 0), ("threads", 1),
                ("processes", 1), ("beta", 0),
            )
            if getattr(self, name) < least
        ]
        if not self.rate > 0:
            broken.append(f"rate must be positive, not {self.rate!r}")
        refuse("sister", broken)

    def identity(self) -> str:
        """What must be the same for a training to go on."""
        names = ("mixes", "epochs", "batch", "rate", "beta", "seed")
        return json.dumps({name: getattr(self, name) for name in names})


def integers(module: nn.Sequential, codes: Tensor) -> tuple[Floats, Floats]:
    """What the integers of `module` say of `codes`, uint8 ``[mix, 1, band, frame]``.

    Additions on the processor are exact and take a tenth of the floats' time.

    Returns
    -------
    tuple of NDArray[np.float64]
        Scores ``[mix]``, and the bits that the dense layers see, ``[mix, channel]``.
    """
    network, engine = export(module.eval(), codes[:1]), AddsEngine()
    last = max(i for i, layer in enumerate(network.layers) if layer.pool == "global")
    scores, bits = [], []
    for one in codes.numpy():
        trace = engine.predict(network, one)
        scores.append(trace.raw * network.raw.scale + network.raw.offset)
        bits.append(trace.outputs[network.layers[last].name].reshape(-1))
    return np.stack(scores)[:, 0], np.stack(bits).astype(np.float64)


def tune_dense(
    module: nn.Sequential, train: tuple[Tensor, Tensor], valid: tuple[Tensor, Tensor],
) -> float:
    """Fine-tune the layers behind the convolutions, in place; return the best correlation."""
    parts = list(module.named_children())
    at = next(i for i, (name, _) in enumerate(parts) if name == "flatten") + 1
    dense = nn.Sequential(*(p for _, p in parts[at:]))
    seen, asked = (torch.from_numpy(integers(module, c)[1]).float() for c in (train[0], valid[0]))
    wanted = valid[1].numpy().astype(np.float64)
    optimiser = torch.optim.Adam(dense.parameters(), lr=DENSE_RATE)
    best, kept = -1.0, dense.state_dict()
    for epoch in range(DENSE_EPOCHS + 1):
        pcc = correlation(predict(dense, asked, len(asked)), wanted)
        if pcc > best:
            best = pcc
            kept = {name: value.clone() for name, value in dense.state_dict().items()}
        dense.train()
        order = np.random.default_rng(epoch).permutation(len(seen))
        for chosen in np.split(order, range(DENSE_BATCH, len(seen), DENSE_BATCH)):
            loss = F.mse_loss(dense(seen[chosen]).flatten(), train[1][chosen])
            optimiser.zero_grad()
            descent.gradients(loss)
            optimiser.step()
    dense.load_state_dict(kept)
    return best


def tune(
    module: nn.Sequential,
    train: tuple[Tensor, Tensor],
    valid: tuple[Tensor, Tensor],
    options: SisterOptions,
    report: Report,
) -> float:
    """Fine-tune `module` in place, to the weights of the best epoch; return their correlation."""
    codes, scores = train
    wanted = valid[1].numpy().astype(np.float64)
    steps = len(codes) // options.batch
    total = max(1, steps * options.epochs)
    optimiser = torch.optim.Adam(module.parameters(), lr=options.rate)
    path, same = options.out / CHECKPOINT, options.identity()
    first, best = 0, correlation(integers(module, valid[0])[0], wanted)
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    if path.is_file():
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["options"] != same:
            raise ValueError(f"{path}: is of other options; give another folder")
        module.load_state_dict(state["weights"])
        optimiser.load_state_dict(state["optimiser"])
        first, best, kept = state["epoch"], state["best"], state["kept"]
    for epoch in range(first, options.epochs):
        rng = np.random.default_rng([options.seed, 7, epoch])
        order = rng.permutation(len(codes))
        module.train()
        losses = []
        for i in range(steps):
            rate = descent.rate(options.rate, epoch * steps + i, total, WARM_UP)
            for group in optimiser.param_groups:
                group["lr"] = rate
            chosen = order[i * options.batch : (i + 1) * options.batch]
            turns = rng.integers(FRAMES, size=len(chosen))
            batch = torch.stack([
                codes[k].roll(int(t), 2) for k, t in zip(chosen, turns, strict=True)
            ])
            with torch.autocast("cpu", torch.bfloat16):
                guess = module(batch).flatten().float()
            loss = F.mse_loss(guess, scores[chosen])
            optimiser.zero_grad()
            descent.gradients(loss)
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimiser.step()
            losses.append(float(loss.detach()))
        pcc = correlation(integers(module, valid[0])[0], wanted)
        row = {
            "epoch": epoch + 1,
            "loss": round(float(np.mean(losses)), 5),
            "valid_pcc": round(pcc, 4),
        }
        report(" · ".join(f"{name} {value}" for name, value in row.items()))
        with (options.out / HISTORY).open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if pcc > best:
            best = pcc
            kept = {name: value.clone() for name, value in module.state_dict().items()}
        save(
            {
                "options": same, "weights": module.state_dict(), "kept": kept,
                "optimiser": optimiser.state_dict(), "epoch": epoch + 1, "best": best,
            },
            path,
        )
    module.load_state_dict(kept)
    return best
