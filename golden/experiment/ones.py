"""How many bits of what a network stores are 1."""

import re

import torch
from torch import Tensor, nn

from golden.experiment.variants import Variant
from golden.quantise import QuantReLU


@torch.no_grad()
def ones(network: nn.Sequential, one: Variant, codes: Tensor, batch: int = 64) -> dict[str, float]:
    """Share of bits that are 1 in the input and behind every layer but the last, after pooling.

    Of codes their bits in binary notation count; of floats the share above 0.

    Parameters
    ----------
    network
        Of `build`; evaluated on its device.
    one
        Its variant.
    codes
        uint8 ``[clip, 1, band, frame]``.
    batch
        Clips at a time.
    """
    network.eval()
    device = next(network.parameters()).device
    fires = [name for name, _ in network.named_children() if re.match(r"fire|relu", name)]
    sums = {"codes": 0.0} | dict.fromkeys(fires, 0.0)
    counts = dict.fromkeys(sums, 0)
    for part in torch.split(codes, batch):
        sums["codes"] += _bits(part, one.input_bits)
        counts["codes"] += part.numel() * one.input_bits
        x = part.to(device)
        for name, layer in network.named_children():
            x = layer(x)
            if isinstance(layer, QuantReLU):
                whole = (x.float() / layer.step).round().to(torch.uint8)
                sums[name] += _bits(whole, layer.bits)
                counts[name] += x.numel() * layer.bits
            elif name in fires:
                sums[name] += float((x > 0).sum())
                counts[name] += x.numel()
    named = {name: name.replace("fire", "conv").replace("relu", "dense") for name in sums}
    return {named[name]: round(sums[name] / counts[name], 5) for name in sums}


def _bits(codes: Tensor, bits: int) -> float:
    return float(sum(((codes >> bit) & 1).sum() for bit in range(bits)))
