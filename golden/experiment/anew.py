"""Dense layers trained anew on the bits of `bam`: of the old ones most units never fire.

While the convolutions learn, at the rate that suits them, most hidden units of the dense layers
come to lie where nothing makes them fire. On bits that stay, new ones cost seconds.
"""

from collections.abc import Iterable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from golden import descent, heads
from golden.model import DENSE

BATCH, RATE = 128, 1e-3
AT_ONCE = 256
"""Clips whose bits are computed at a time."""


@torch.no_grad()
def bits(learning: nn.Sequential, maps: Iterable[Tensor]) -> Tensor:
    """What stands behind the global maximum, float32 ``[clip, channel]``.

    Parameters
    ----------
    learning
        The last convolution and all behind it, in evaluation.
    maps
        What it hears, ``[clip, channel, band, frame]`` each.
    """
    end = [type(part) for part in learning].index(nn.Flatten)
    return torch.cat([learning[:end](each).flatten(1) for each in maps])


def layers(bits: Tensor, wanted: Tensor, *, epochs: int, seed: int) -> nn.Sequential:
    """Train the paper's dense layers, with ReLU, on the CPU or where `bits` are.

    Adam, the rate falling to zero along half a cosine; squared error in deviations.

    Parameters
    ----------
    bits
        What stands behind the global maximum, float32 ``[draw, channel]``.
    wanted
        What is to be said of it, ``[draw, output]``.
    epochs, seed
        Passes over all draws; of the weights at the start, and of the order.

    Returns
    -------
    torch.nn.Sequential
        Linear, ReLU, linear, ReLU, linear; its outputs are those of `wanted`.
    """
    torch.manual_seed(seed)
    sizes = (bits.shape[1], *DENSE[1:3], wanted.shape[1])
    found = nn.Sequential(
        nn.Linear(sizes[0], sizes[1]), nn.ReLU(), nn.Linear(sizes[1], sizes[2]), nn.ReLU(),
        nn.Linear(sizes[2], sizes[3]),
    ).to(bits.device)
    mean, deviation = wanted.mean(dim=0), heads.spread(wanted)
    goal = (wanted - mean) / deviation
    optimiser = torch.optim.Adam(found.parameters(), RATE)
    steps = epochs * -(-len(bits) // BATCH)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(epochs):
        for some in torch.split(torch.randperm(len(bits)).to(bits.device), BATCH):
            optimiser.zero_grad()
            descent.gradients(F.mse_loss(found(bits[some]), goal[some]))
            optimiser.step()
            falling.step()
    last = found[-1]
    assert isinstance(last, nn.Linear)
    with torch.no_grad():
        last.weight.mul_(deviation[:, None])
        last.bias.mul_(deviation).add_(mean)
    return found


def renewed(network: nn.Sequential, dense: nn.Sequential) -> nn.Sequential:
    """Give a network of `variants.build`, in floats, with the dense layers of `layers`."""
    found = deepcopy(network)
    linear = (part for part in dense if isinstance(part, nn.Linear))
    for name, part in zip(("dense1", "dense2", "dense3"), linear, strict=True):
        found.get_submodule(name).load_state_dict(part.state_dict())
    return found
