"""The surrogate derivative (the paper's figure 1), asked of the layer that trains with it."""

import numpy as np
import torch

from golden.figures import Floats
from golden.quantise import Step


def derivative(u: Floats, beta: float) -> Floats:
    """What `golden.quantise.Step` hands back at each of `u`, for a gradient of 1."""
    x = torch.from_numpy(u).clone().requires_grad_()
    Step(beta)(x).sum().backward()
    assert x.grad is not None
    slope: Floats = x.grad.numpy().astype(np.float64)
    return slope


def bits(u: Floats) -> Floats:
    """What `golden.quantise.Step` gives forward."""
    fired: Floats = Step()(torch.from_numpy(u)).numpy().astype(np.float64)
    return fired
