"""A small network that has nothing to do with speech, from torch to agreement of both oracles."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from golden import netfile
from golden.export import compare_float, export
from golden.naive import NaiveEngine
from golden.quantise import InputCodes, Step
from golden.torch_engine import TorchEngine
from golden.trace import compare


def bars(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy 4-bit pictures of 12 x 12 with one bar, and whether it lies across (0) or down (1)."""
    bar = torch.arange(12) == torch.randint(0, 12, (count, 1, 1, 1))
    down = torch.randint(0, 2, (count,))
    bar = torch.where(down[:, None, None, None] == 1, bar, bar.mT)
    return torch.randint(0, 8, (count, 1, 12, 12)) + 8 * bar, down


def test_bars_from_torch_to_agreement(tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        InputCodes(zero=0, step=2.0**-4, bits=4),
        nn.Conv2d(1, 8, 5),
        nn.BatchNorm2d(8),
        Step(beta=2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 2),
    )
    optimiser = torch.optim.Adam(module.parameters(), 1e-2)
    for _ in range(300):
        pictures, down = bars(64)
        optimiser.zero_grad()
        nn.functional.cross_entropy(module(pictures), down).backward()
        optimiser.step()

    pictures, down = bars(100)
    codes = pictures.numpy().astype(np.uint8)
    netfile.save(export(module, codes, names=["across", "down"]), tmp_path / "bars.npz")
    network = netfile.load(tmp_path / "bars.npz")

    traces = [TorchEngine().predict(network, picture) for picture in codes]
    scores = [list(network.scores(trace.raw).values()) for trace in traces]
    assert np.mean(np.argmax(scores, 1) == down.numpy()) > 0.9
    assert compare(network, traces[0], NaiveEngine().predict(network, codes[0])).identical
    assert compare_float(module, network, codes[0])[0].mismatches < 0.05 * 8 * 4 * 4
