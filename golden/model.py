"""The paper's network: four convolutions, a global OR, three dense layers.

Nilsson et al., "Resource-Efficient Speech Quality Prediction through Quantization Aware Training
and Binary Activation Maps", Interspeech 2024, arXiv 2407.04578.
"""

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)

CHANNELS = (1, 32, 32, 32, 64)
DENSE = (64, 64, 64, 1)
CONVS = ("conv1", "conv2", "conv3", "conv4")
PRE_POOLED = ("pool1", "pool2", "pool3", "pool4")
CONV4_START = -2.5

Variant = Literal["bam8", "float"]


def paper_network(variant: Variant = "bam8", beta: float = 1.0) -> nn.Sequential:
    """Build the paper's network, untrained, on codes ``[batch, 1, band, frame]``.

    Layers are named conv1 to conv4 and dense1 to dense3 in both variants, so that one takes the
    other's weights. Pooling stands before the activation: the forward pass is the same (both are
    monotone), and the gradient goes to the largest sum, not to an arbitrary one of many ties.

    Parameters
    ----------
    variant
        ``"bam8"``: 8-bit weights and binary activation maps. ``"float"``: float weights and ReLU,
        the baseline.
    beta
        Steepness of the surrogate derivative (``"bam8"`` only).
    """
    if variant not in ("bam8", "float"):
        raise ValueError(f"variant must be one of bam8, float, not {variant!r}")
    binary = variant == "bam8"
    codes = InputCodes()
    layers: OrderedDict[str, nn.Module] = OrderedDict(codes=codes)
    for i, name in enumerate(CONVS):
        first = i == 0
        if binary:
            layers[name] = QuantConv2d(
                CHANNELS[i],
                CHANNELS[i + 1],
                3,
                padding=1,
                input_step=codes.step if first else 1.0,
                input_zero=codes.zero if first else 0,
            )
        else:
            if first:
                layers["pad1"] = nn.ConstantPad2d(1, -codes.zero * codes.step)
            layers[name] = nn.Conv2d(CHANNELS[i], CHANNELS[i + 1], 3, padding=0 if first else 1)
        layers[f"pool{i + 1}"] = nn.MaxPool2d(2) if i < 3 else GlobalMaxPool2d()
        layers[f"fire{i + 1}"] = Step(beta) if binary else nn.ReLU()
    layers["flatten"] = nn.Flatten()
    for i in range(3):
        name, hidden = f"dense{i + 1}", i < 2
        if binary:
            scale: Literal["unit", "free"] = "unit" if hidden else "free"
            layers[name] = QuantLinear(DENSE[i], DENSE[i + 1], scale=scale)
        else:
            layers[name] = nn.Linear(DENSE[i], DENSE[i + 1])
        if hidden:
            layers[f"relu{i + 1}"] = QuantReLU() if binary else nn.ReLU()
    return nn.Sequential(layers)


@torch.no_grad()
def start_at(network: nn.Sequential, mean: float) -> None:
    """Let an untrained network of `paper_network` predict little else than `mean`."""
    last = network.get_submodule("dense3")
    assert isinstance(last, nn.Linear)
    last.weight.mul_(0.1)
    last.bias.fill_(mean)


@torch.no_grad()
def calibrate(network: nn.Sequential, codes: Tensor) -> None:
    """Prepare a network for training from one batch of `codes`, in place.

    Pooled pre-activations of each convolution get zero mean and unit variance per channel, so
    that no channel starts stuck and the surrogate gradient is alive; conv4 starts `CONV4_START`
    deviations lower, as after the global OR nearly every bit would start at 1. Each `QuantReLU`
    gets the least step that holds the batch, and the layer behind it learns that step.

    Parameters
    ----------
    network
        Of `paper_network`.
    codes
        ``[batch, 1, band, frame]``.
    """
    network.train()
    x, step = codes, None
    for name, layer in network.named_children():
        if step is not None and isinstance(layer, QuantLinear):
            layer.input_step.copy_(step)
            step = None
        if name in CONVS and isinstance(layer, QuantConv2d):
            assert layer.bias is not None
            u = layer(x)
            mean, deviation = u.mean(dim=(0, 2, 3)), u.std(dim=(0, 2, 3)).clamp_min(1e-6)
            layer.weight.div_(deviation[:, None, None, None])
            layer.bias.sub_(mean).div_(deviation)
            if name == "conv4":
                layer.bias.add_(CONV4_START)
        if isinstance(layer, QuantReLU):
            layer.calibrate(x)
            step = layer.step
        x = layer(x)
