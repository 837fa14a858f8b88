"""DNSMOS P.808 in bits: Microsoft's float network imported, binarised and fine-tuned.

The five convolutions and three dense layers of the shipped ONNX file (see `golden.dnsmos`) keep
their shape; bits take the place of ReLU maps and 8-bit weights that of floats. Fine-tuning asks it
for what the original says of mixes from the training side of the recordings, so it needs no label
but the original's own.
"""

import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from golden import data, dnsmos, front_end, mixing, netfile, onnx_graph, onnx_import, teacher
from golden.adds.engine import AddsEngine
from golden.binarise import binarise
from golden.checkpoint import predict, save
from golden.export import export
from golden.figures import Floats, correlation
from golden.network import Network
from golden.quantise import InputCodes
from golden.rules import refuse

NETWORK, CHECKPOINT, HISTORY = "network.npz", "checkpoint.pt", "history.jsonl"
VALID_MIXES = 256
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Sister:
    """What came of it.

    Parameters
    ----------
    path
        Of the network file.
    origins
        By layer the name of the node that it comes from.
    valid
        Correlation with the original's score on validation mixes: of the ``float`` network as
        imported, ``binarised``, with its ``dense`` layers fine-tuned on the bits as they are, and
        ``tuned`` as a whole (the network that was kept).
    """

    path: Path
    origins: dict[str, str]
    valid: dict[str, float]

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {"path": str(self.path), "origins": self.origins, "valid": self.valid}


def imported() -> tuple[nn.Sequential, dict[str, str]]:
    """Import the original for maps ``[clip, 1, band, frame]`` of values from -1 to 1, as floats.

    Raises
    ------
    ValueError
        A package or the model is missing, or the model is not one that can be imported.
    """
    module, origins = onnx_import.sequential(onnx_graph.read(dnsmos.model_path()))
    weighted = {n: o for n, o in origins.items() if n.startswith(("conv", "dense"))}
    return onnx_import.swapped(module), weighted


def input_codes() -> InputCodes:
    """What a code of `golden.dnsmos.FRONT_END` stands for."""
    return InputCodes(zero=dnsmos.ZERO, step=1 / dnsmos.ZERO)


def labelled(options: SisterOptions, split: data.Split, count: int) -> tuple[Tensor, Tensor]:
    """Mix and label, or read what was mixed and labelled before.

    Returns
    -------
    tuple of Tensor
        Codes uint8 ``[mix, 1, band, FRAMES]`` and the original's scores float32 ``[mix]``.
    """
    path = options.out / f"mixes-{split}-{options.seed}-{count}.npz"
    if not path.is_file():
        recordings = data.split(data.read_manifest(options.data))[split]
        codes: list[NDArray[np.uint8]] = []

        def clips() -> Iterator[NDArray[np.float32]]:
            number = 0
            while len(codes) < count:
                rng = np.random.default_rng([options.seed, data.SPLITS.index(split), number])
                number += 1
                try:
                    _, noisy = mixing.mix(options.data, mixing.draw(recordings, rng))
                except mixing.SilentMixError:
                    continue
                codes.append(window_codes(noisy)[:, :, :FRAMES])
                yield noisy

        scores = teacher.labels(clips(), cache=options.out, processes=options.processes)
        beside = path.with_suffix(f".{os.getpid()}.tmp")
        with beside.open("wb") as file:
            np.savez(file, codes=np.stack(codes), scores=scores)
        beside.rename(path)
    with np.load(path, allow_pickle=False) as kept:
        return torch.from_numpy(kept["codes"]), torch.from_numpy(kept["scores"])


def window_codes(samples: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Codes of the window that a short clip fills when it is repeated, ``[1, band, frame]``."""
    window = np.resize(samples, dnsmos.FRONT_END.clip_samples)
    return front_end.codes(window, dnsmos.FRONT_END)


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
            loss.backward()  # type: ignore[no-untyped-call]
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
            rate = _rate(epoch * steps + i, total) * options.rate
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
            loss.backward()  # type: ignore[no-untyped-call]
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


def _rate(step: int, total: int) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to zero."""
    rise = max(1, round(WARM_UP * total))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def finished(module: nn.Sequential, about: dict[str, str]) -> Network:
    """Export `module` for windows of the original's length."""
    hearing = dnsmos.FRONT_END
    example = np.zeros((1, hearing.bands, hearing.frames), np.uint8)
    return export(module, example, names=[dnsmos.OUTPUT], front_end=hearing, about=about)


def sister(options: SisterOptions, report: Report = lambda _: None) -> Sister:
    """Import, binarise, fine-tune and export.

    Parameters
    ----------
    options
        All that decides.
    report
        Is told in one line what happens.

    Raises
    ------
    ValueError
        A package, the model or the recordings are missing.
    OSError
        The folder cannot be written.
    """
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    floats, origins = imported()
    options.out.mkdir(parents=True, exist_ok=True)
    report(f"mixing and labelling {options.mixes + VALID_MIXES:,} mixes")
    valid = labelled(options, "valid", VALID_MIXES)
    train = labelled(options, "train", options.mixes)
    inputs = input_codes()
    scores = valid[1].numpy().astype(np.float64)
    found = {"float": correlation(predict(nn.Sequential(inputs, floats), valid[0], 8), scores)}
    module = binarise(floats, inputs, train[0][:EXAMPLES], beta=options.beta)
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    found["binarised"] = correlation(integers(module, valid[0])[0], scores)
    report(f"valid_pcc {found['float']:.4f} as floats, {found['binarised']:.4f} binarised")
    found["dense"] = tune_dense(module, train, valid)
    report(f"valid_pcc {found['dense']:.4f} with dense layers fine-tuned")
    found["tuned"] = tune(module, train, valid, options, report)
    how = f"{options.epochs} epochs" if options.epochs else "its dense layers only"
    about = {
        "name": f"DNSMOS P.808 in bits, fine-tuned on {options.mixes:,} mixes ({how})",
        "origin": f"speechmos, dnsmos_models/{dnsmos.model_path().name}; golden.sister",
        "licence": dnsmos.LICENCE,
    }
    path = options.out / NETWORK
    netfile.save(finished(module, about), path)
    return Sister(path=path, origins=origins, valid=found)
