"""What every training does alike: how its learning rate goes and how its network lies in memory."""

import math

import torch
from torch import Tensor, nn


def rate(peak: float, step: int, total: int, warm_up: float) -> float:
    """Return the learning rate of a step, counted from 0: a line up to `peak`, half a cosine down.

    Parameters
    ----------
    peak
        The greatest rate.
    step, total
        This one; how many there are.
    warm_up
        Share of them in which the rate rises.
    """
    rise = max(1, round(warm_up * total))
    if step < rise:
        return peak * (step + 1) / rise
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, total - rise)))


def channels_last(network: nn.Module) -> None:
    """Lay the weights of `network` out pixel by pixel, in which convolutions are fastest."""
    # torch takes this keyword, but its own overloads do not list it alone.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def gradients(loss: Tensor) -> None:
    """Add the gradients of `loss` to its parameters; as ``loss.backward()``, which has no types."""
    torch.autograd.backward(loss)
