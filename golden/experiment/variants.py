"""The variants that the experiment compares: one topology, other weights and activations."""

import re
from collections import OrderedDict
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from golden.model import CHANNELS, CONVS, DENSE
from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Scale,
    Step,
)

CODE_BITS = 8
"""Of a code, where nothing else is said."""
FLOAT = "float"
"""The variant that all others come from."""
LEAST_GAIN = 1e-3
"""Of a batch norm."""

Activation = Literal["relu", "bits", "codes"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """What is quantised.

    Parameters
    ----------
    integer
        8-bit weights, and a network that exports to integers; otherwise float weights.
    maps, dense
        Activations behind the convolutions and behind the hidden dense layers: ``relu``,
        ``bits`` or 8-bit ``codes``.
    input_bits
        Of the input's codes.
    beta
        Steepness of the surrogate derivative; None: the recipe's.
    scale
        Of the weights of a row, as `golden.quantise` says; before 8-bit codes it is ``unit``.
    maxima
        Activations behind the global maximum, where no map is left; None: as `maps`.
    maxima_bits
        Of a code there.
    source
        The variant of the same seed that a warm start begins at: ``float``, or one with the same
        input and maps of bits, where only settling is left to do. None: it starts afresh.
    """

    integer: bool = True
    maps: Activation = "bits"
    dense: Activation = "codes"
    input_bits: int = 8
    beta: float | None = None
    scale: Scale = "free"
    maxima: Activation | None = None
    maxima_bits: int = 8
    source: str | None = FLOAT

    def behind(self, conv: int) -> Activation:
        """Activation behind a convolution, the first one 0."""
        last = conv == len(CONVS) - 1
        return self.maxima if last and self.maxima is not None else self.maps


VARIANTS = {
    "float": Variant(integer=False, maps="relu", dense="relu", source=None),
    "bam": Variant(integer=False, dense="relu"),
    "bam-w8": Variant(source="bam"),
    "a8w8": Variant(maps="codes"),
}
ABLATIONS = {
    "codes-8": Variant(),
    "codes-4": Variant(input_bits=4),
    "codes-3": Variant(input_bits=3),
    "dense-binary": Variant(dense="bits", source="bam"),
    "maxima-codes": Variant(maxima="codes", source="bam"),
    "maxima-2bit": Variant(maxima="codes", maxima_bits=2, source="bam"),
    "beta-1": Variant(beta=1.0),
    "beta-2": Variant(beta=2.0),
    "beta-5": Variant(beta=5.0),
    "beta-20": Variant(beta=20.0),
    "pow2-scales": Variant(scale="power", source="bam"),
}


def variant(name: str) -> Variant:
    """Find a variant by name; any ``beta-NUMBER`` is one.

    Raises
    ------
    ValueError
        There is none.
    """
    found = {**VARIANTS, **ABLATIONS}.get(name)
    if found is None and (match := re.fullmatch(r"beta-(\d+(\.\d+)?)", name)):
        found = Variant(beta=float(match[1]))
    if found is None:
        known = ", ".join([*VARIANTS, *ABLATIONS])
        raise ValueError(f"variant must be one of {known}, not {name!r}")
    return found


class SharpStep(Step):
    """A `Step` that training may soften: with `slope`, 1/2 + slope u / 2 / (1 + slope abs(u)).

    That is the fast sigmoid whose derivative is the surrogate's shape. In evaluation, and without
    `slope`, it is the step.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__(beta)
        self.slope: float | None = None

    def forward(self, u: Tensor) -> Tensor:
        """Bits as 0.0 and 1.0, or what lies between, in the shape of `u`."""
        if not self.training or self.slope is None:
            return super().forward(u)
        scaled = self.slope * u
        return 0.5 + 0.5 * scaled / (1.0 + scaled.abs())


def sharpen(network: nn.Module, slope: float | None) -> None:
    """Set the slope of every `SharpStep`; None makes steps of them."""
    for part in network.modules():
        if isinstance(part, SharpStep):
            part.slope = slope


def build(
    one: Variant, *, beta: float = 1.0, dropout: float = 0.0, outputs: int = 1, norm: bool = False,
    normed: int = 0,
) -> nn.Sequential:
    """Build the paper's network as `one` says, untrained, on codes ``[batch, 1, band, frame]``.

    Layers have the same names in all variants, so that one takes another's weights. Pooling
    stands before the activation, see `golden.model`.

    Parameters
    ----------
    one
        The variant.
    beta
        Steepness of the surrogate derivative, where the variant has none of its own.
    dropout
        Share of activations dropped behind the first three convolutions.
    outputs
        Of the last layer.
    norm
        Whether there are batch norms, but for 8-bit codes, whose rows share a unit: behind 2x2
        pooling, before the global one.
        `folded` and the export make thresholds and weights of them.
    normed
        The first convolution that has one, counted from 0: those before it do not learn. A norm
        that says nothing would still round sums across their thresholds.
    """
    beta = beta if one.beta is None else one.beta
    codes = InputCodes(2 ** (one.input_bits - 1), 2.0 ** (3 - one.input_bits), one.input_bits)
    layers: OrderedDict[str, nn.Module] = OrderedDict(codes=codes)
    for i, name in enumerate(CONVS):
        shape = (CHANNELS[i], CHANNELS[i + 1], 3)
        if one.integer:
            layers[name] = QuantConv2d(
                *shape, padding=1, scale=_scale(one, one.behind(i)),
                input_step=codes.step if i == 0 else 1.0, input_zero=codes.zero if i == 0 else 0,
            )
        elif i == 0:
            layers["pad1"] = nn.ConstantPad2d(1, -codes.zero * codes.step)
            layers[name] = nn.Conv2d(*shape)
        else:
            layers[name] = nn.Conv2d(*shape, padding=1)
        pool = nn.MaxPool2d(2) if i < 3 else GlobalMaxPool2d()
        behind: dict[str, nn.Module] = {f"pool{i + 1}": pool}
        if norm and i >= normed and one.behind(i) != "codes":
            layer: dict[str, nn.Module] = {f"norm{i + 1}": nn.BatchNorm2d(CHANNELS[i + 1])}
            # Behind the global maximum a norm would see one value a clip.
            behind = behind | layer if i < 3 else layer | behind
        layers |= behind
        bits = one.maxima_bits if i == len(CONVS) - 1 else CODE_BITS
        layers[f"fire{i + 1}"] = _activation(one.behind(i), beta, bits)
        if i < 3 and dropout:
            layers[f"drop{i + 1}"] = nn.Dropout(dropout)
    layers["flatten"] = nn.Flatten()
    sizes = (*DENSE[:3], outputs)
    for i in range(3):
        name, hidden = f"dense{i + 1}", i < 2
        if one.integer:
            scale = _scale(one, one.dense) if hidden else one.scale
            layers[name] = QuantLinear(sizes[i], sizes[i + 1], scale=scale)
        else:
            layers[name] = nn.Linear(sizes[i], sizes[i + 1])
        if hidden:
            layers[f"relu{i + 1}"] = _activation(one.dense, beta)
    return nn.Sequential(layers)


@torch.no_grad()
def tame(network: nn.Module) -> None:
    """Keep the gains of batch norms positive: behind a maximum there is no other."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.weight.clamp_(min=LEAST_GAIN)


def shares(network: nn.Sequential, bare: float) -> list[dict[str, Any]]:
    """Group the parameters of `network` for an optimiser, by ``share`` of the learning rate.

    Layers without a norm behind them have the share `bare`, the others and norms 1.
    """
    parts: dict[float, list[nn.Parameter]] = {}
    norms = [name for name, part in network.named_children() if isinstance(part, nn.BatchNorm2d)]
    for name, parameter in network.named_parameters():
        has = name.partition(".")[0].replace("conv", "norm") in norms
        parts.setdefault(1.0 if has else bare, []).append(parameter)
    return [{"params": some, "share": share} for share, some in parts.items()]


@torch.no_grad()
def folded(network: nn.Sequential) -> nn.Sequential:
    """Give a network of `build` in evaluation with its norms folded into float convolutions.

    A norm behind a quantised convolution stays; the export makes thresholds of it.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    last: nn.Conv2d | None = None
    for name, part in deepcopy(network).eval().named_children():
        if type(part) is nn.Conv2d:
            last = part
        if isinstance(part, nn.BatchNorm2d) and last is not None:
            assert last.bias is not None
            assert part.running_mean is not None
            assert part.running_var is not None
            gain = part.weight / (part.running_var + part.eps).sqrt()
            last.weight.mul_(gain[:, None, None, None])
            last.bias.sub_(part.running_mean).mul_(gain).add_(part.bias)
            last = None
            continue
        layers[name] = part
    return nn.Sequential(layers)


def _scale(one: Variant, behind: Activation) -> Scale:
    return "unit" if behind == "codes" else one.scale


def _activation(kind: Activation, beta: float, bits: int = CODE_BITS) -> nn.Module:
    if kind == "bits":
        return SharpStep(beta)
    return QuantReLU(bits) if kind == "codes" else nn.ReLU()
