"""What a network under training, or one that has been trained, says of clips."""

import torch
from torch import Tensor, nn

from golden.experiment.workers import Workers
from golden.figures import Floats

EVALUATED = 16
"""Clips at a time."""


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
