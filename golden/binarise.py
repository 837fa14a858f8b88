"""From a trained float network to one of bits and 8-bit weights that is worth fine-tuning.

A ReLU map says how much, a bit only whether. Channel by channel, a bit here splits the float
network's own values into the two groups whose means describe them best; the next layer's weights
take the distance of the means, its bias the lower one. Each bit fires as often as its group is
large, wherever the sums of the binary layers before it have moved to.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from golden.blocks import IGNORED, ExportError, walk
from golden.gradients import fires
from golden.quantise import (
    UNIT_SCALE,
    WEIGHT_TOP,
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)

ROUNDS = 20
"""Of the search for the two groups; it has settled long before."""

SAMPLE = 50_000
"""Values a channel that decide on its threshold, spread over all clips."""

BATCH = 8
"""Clips whose full maps are held at once."""


@dataclass(slots=True)
class _Block:
    """A weighted layer of the float network with the pooling behind it."""

    path: str
    weighted: nn.Conv2d | nn.Linear
    pools: list[nn.Module] = field(default_factory=list)
    relu: bool = False


@dataclass(slots=True)
class _Signal:
    """What comes from the layers before, in the new network and in the float one.

    Per channel ``floats = low + gap * new``, about; `step` is the value of a new code.
    """

    new: Tensor
    floats: Tensor
    low: Tensor
    gap: Tensor
    step: float


@torch.no_grad()
def binarise(
    module: nn.Sequential, inputs: InputCodes, codes: Tensor, *, beta: float = 1.0,
) -> nn.Sequential:
    """Binarise a float network; what comes back can be trained and exported.

    Convolutions get 8-bit weights and end in bits, hidden dense layers in 8-bit codes. The first
    convolution pads with code 0, as the network contract has it, whatever the float one pads with.

    Parameters
    ----------
    module
        Convolutions with ReLU and 2x2 or global maxima, `Flatten`, dense layers with ReLU, a dense
        layer at the end; batch norms behind convolutions. It takes the values of `inputs`.
    inputs
        What a code stands for.
    codes
        Examples, ``[clip, channel, band, frame]``, to choose thresholds by.
    beta
        Steepness of the surrogate derivative.

    Raises
    ------
    ExportError
        A module has no counterpart; the message names it.
    """
    blocks = _blocks(module)
    values = inputs(codes)
    none = torch.zeros(codes.shape[1])
    signal = _Signal(values, values, none, none + 1, inputs.step)
    layers: OrderedDict[str, nn.Module] = OrderedDict(codes=inputs)
    for number, block in enumerate(blocks, start=1):
        if isinstance(block.weighted, nn.Conv2d):
            conv, signal = _convolution(block, signal, inputs.zero if number == 1 else 0)
            layers[block.path] = conv
            layers |= {f"{block.path}_pool{i}": pool for i, pool in enumerate(block.pools)}
            layers[f"{block.path}_fire"] = Step(beta)
            continue
        if "flatten" not in layers:
            layers["flatten"] = nn.Flatten()
            signal.new, signal.floats = signal.new.flatten(1), signal.floats.flatten(1)
        hidden = number < len(blocks)
        dense, signal = _dense(block.weighted, signal, hidden=hidden)
        layers[block.path] = dense
        if hidden:
            relu = QuantReLU()
            relu.calibrate(signal.new)
            layers[f"{block.path}_relu"] = relu
            signal.new, signal.step = relu(signal.new), float(relu.step)
            signal.floats = signal.floats.relu()
    return nn.Sequential(layers)


def _blocks(module: nn.Sequential) -> list[_Block]:
    """Group the float network's layers; refuse what has no counterpart."""
    blocks: list[_Block] = []
    for path, part in walk(module):
        block = blocks[-1] if blocks else None
        if type(part) in IGNORED or isinstance(part, nn.Flatten):
            continue
        if isinstance(part, nn.Conv2d | nn.Linear):
            if block is not None and not block.relu:
                raise ExportError(path, part, f"must not follow {block.path} without a ReLU")
            blocks.append(_Block(path, part))
        elif block is None:
            raise ExportError(path, part, "must follow a convolution or linear layer")
        elif isinstance(part, nn.BatchNorm2d) and isinstance(block.weighted, nn.Conv2d):
            if block.relu or block.pools:
                raise ExportError(path, part, f"must stand right behind {block.path}")
            block.weighted = fuse_conv_bn_eval(block.weighted, part.eval())
        elif isinstance(part, nn.ReLU) and not block.relu:
            block.relu = True
        elif isinstance(part, nn.MaxPool2d | GlobalMaxPool2d):
            block.pools.append(part)
        else:
            raise ExportError(path, part, "must be a module that can be binarised")
    if not blocks or blocks[-1].relu or not isinstance(blocks[-1].weighted, nn.Linear):
        raise ValueError("module must end in a linear layer that gives the outputs")
    return blocks


def _convolution(block: _Block, given: _Signal, zero: int) -> tuple[QuantConv2d, _Signal]:
    """Quantise a convolution and choose thresholds for its pooled sums."""
    part = block.weighted
    assert isinstance(part, nn.Conv2d)
    bias: Tensor = torch.zeros(part.out_channels) if part.bias is None else part.bias
    conv = QuantConv2d(
        part.in_channels,
        part.out_channels,
        _pair(part.kernel_size),
        stride=_pair(part.stride),
        padding=_pair(part.padding),
        input_step=given.step,
        input_zero=zero,
    ).eval()
    assert conv.bias is not None
    conv.weight.copy_(part.weight * given.gap[:, None, None])
    conv.bias.copy_(bias + (part.weight.sum((2, 3)) * given.low).sum(1))
    sums = _batched(nn.Sequential(conv, *block.pools), given.new)
    floats = _batched(nn.Sequential(part, *block.pools, nn.ReLU()), given.floats)
    rows, wanted = _rows(sums), _rows(floats)
    count = rows.shape[1]
    below = (wanted <= middle(wanted)[:, None]).sum(1).clamp(1, count - 1)
    order, channels = rows.sort(dim=1).values, torch.arange(len(rows))
    threshold = (order[channels, below - 1] + order[channels, below]) / 2
    spread = rows.std(dim=1).clamp_min(1e-6)
    # A step asks for the sign only: sums of unit variance are what its surrogate wants.
    conv.weight.div_(spread[:, None, None, None])
    conv.bias.sub_(threshold).div_(spread)
    bits = fires((sums - threshold[:, None, None]) / spread[:, None, None])
    ones = rows > threshold[:, None]
    fired = ones.sum(1)
    upper = (wanted * ones).sum(1) / fired.clamp_min(1)
    low = (wanted * ~ones).sum(1) / (count - fired).clamp_min(1)
    return conv, _Signal(bits, floats, low, upper - low, 1.0)


def _dense(part: nn.Linear, given: _Signal, *, hidden: bool) -> tuple[QuantLinear, _Signal]:
    """Quantise a dense layer; the next one divides by what the full int8 range has stretched."""
    bias: Tensor = torch.zeros(part.out_features) if part.bias is None else part.bias
    dense = QuantLinear(
        part.in_features,
        part.out_features,
        scale="unit" if hidden else "free",
        input_step=given.step,
    ).eval()
    weight = part.weight * given.gap
    bias = bias + (part.weight * given.low).sum(1)
    stretch = torch.ones(part.out_features)
    if hidden:
        stretch = WEIGHT_TOP * UNIT_SCALE / weight.abs().amax(dim=1).clamp_min(1e-6)
        weight = weight / weight.abs().amax(dim=1, keepdim=True).clamp_min(1e-6)
    dense.weight.copy_(weight)
    dense.bias.copy_(bias * stretch)
    floats = part(given.floats)
    return dense, _Signal(dense(given.new), floats, 0 * stretch, 1 / stretch, given.step)


def middle(values: Tensor) -> Tensor:
    """Middle of the means of the two groups of least variance, per row of `values`.

    References
    ----------
    Lloyd, "Least squares quantization in PCM", IEEE Trans. Information Theory 28(2), 1982.
    """
    low, high = values.amin(1), values.amax(1)
    for _ in range(ROUNDS):
        upper = values > ((low + high) / 2)[:, None]
        count = upper.sum(1)
        high = torch.where(count > 0, (values * upper).sum(1) / count.clamp_min(1), high)
        rest = values.shape[1] - count
        low = torch.where(rest > 0, (values * ~upper).sum(1) / rest.clamp_min(1), low)
    return (low + high) / 2


def _rows(maps: Tensor) -> Tensor:
    """Up to `SAMPLE` values of each channel in a row: ``[channel, value]``."""
    rows = maps.transpose(0, 1).flatten(1)
    return rows[:, :: -(-rows.shape[1] // SAMPLE)]


def _batched(module: nn.Module, maps: Tensor) -> Tensor:
    return torch.cat([module(part) for part in torch.split(maps, BATCH)])


def _pair(value: int | tuple[int, ...] | str) -> tuple[int, int]:
    assert isinstance(value, tuple)
    return value[0], value[1]
