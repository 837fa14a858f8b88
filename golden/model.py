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
DENSE = (64, 64, 64)
CONVS = ("conv1", "conv2", "conv3", "conv4")
POOLS = ("pool1", "pool2", "pool3", "pool4")

Variant = Literal["bam8", "float"]


def paper_network(
    variant: Variant = "bam8", beta: float = 1.0, *, outputs: int = 1,
) -> nn.Sequential:
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
    outputs
        Scores that the last layer gives, at least 1; `golden.heads` says what they are. Each has
        its own scale in the network file.
    """
    if outputs < 1:
        raise ValueError(f"outputs must be at least 1, not {outputs!r}")
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
    widths = (*DENSE, outputs)
    for i in range(3):
        name, hidden = f"dense{i + 1}", i < 2
        if binary:
            scale: Literal["unit", "free"] = "unit" if hidden else "free"
            layers[name] = QuantLinear(widths[i], widths[i + 1], scale=scale)
        else:
            layers[name] = nn.Linear(widths[i], widths[i + 1])
        if hidden:
            layers[f"relu{i + 1}"] = QuantReLU() if binary else nn.ReLU()
    return nn.Sequential(layers)


@torch.no_grad()
def prepare(network: nn.Sequential, codes: Tensor, targets: Tensor) -> None:
    """Bring a network of `paper_network` to where training finds gradients, in place.

    With quantised layers, on one batch:

    - Pooled sums of each convolution get zero mean and unit variance per channel. Every bit then
      starts undecided, 1 for about half of the places (after the global OR: of the clips); raw,
      nearly all bits behind the OR would start and stay at 1.
    - Sums of hidden dense layers get zero mean, so that no unit starts dead. Their rows get a
      greatest weight of 1: a row of ``scale="unit"`` means the same at any size, but the smaller
      it is, the farther one step of the optimiser throws it.
    - Each `QuantReLU` takes its step from the batch, and the layer behind it learns that step.

    In all networks every output starts at the mean of its `targets` and a third of their spread.

    Parameters
    ----------
    network
        Of `paper_network`.
    codes
        ``[batch, 1, band, frame]``.
    targets
        Labels, ``[batch]``, or ``[batch, output]`` for several outputs; NaN where one is missing.

    Raises
    ------
    ValueError
        There are targets for another number of outputs, or fewer than two for one of them.
    """
    network.train()
    targets = targets.reshape(len(targets), -1)
    known = [column[~column.isnan()] for column in targets.unbind(1)]
    output = network.get_submodule("dense3")
    assert isinstance(output, nn.Linear)
    if output.out_features != len(known) or min(map(len, known)) < 2:
        rule = f"targets must have {output.out_features} columns with two labels or more"
        raise ValueError(f"{rule}, not {[len(column) for column in known]} labels")
    x, last, step = codes, None, None
    for name, layer in network.named_children():
        if isinstance(layer, QuantLinear):
            if step is not None:
                layer.input_step.copy_(step)
            if layer.scale == "unit":
                layer.weight.div_(layer.weight.abs().amax(dim=1, keepdim=True))
                layer.bias.sub_(layer(x).mean(dim=0))
        if isinstance(layer, QuantReLU):
            layer.calibrate(x)
            step = layer.step
        x = layer(x)
        if isinstance(layer, QuantConv2d):
            last = layer
        elif last is not None and name in POOLS:
            assert last.bias is not None
            mean, deviation = x.mean(dim=(0, 2, 3)), x.std(dim=(0, 2, 3)).clamp_min(1e-3)
            last.weight.div_(deviation[:, None, None, None])
            last.bias.sub_(mean).div_(deviation)
            x = (x - mean[:, None, None]) / deviation[:, None, None]
    spread = torch.stack([column.std() for column in known]).to(x.device)
    output.weight.mul_((spread / 3 / x.std(dim=0).clamp_min(1e-3))[:, None])
    middle = torch.stack([column.mean() for column in known]).to(x.device)
    output.bias.add_(middle - network(codes).mean(dim=0))
