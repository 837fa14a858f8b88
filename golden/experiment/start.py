"""Where a training starts: fresh, or at a network whose function it keeps as it can."""

import torch
from torch import Tensor, nn

from golden.binarise import middle
from golden.quantise import QuantConv2d, QuantLinear, QuantReLU, Step

BLOCKS = (
    ("conv1", "pool1", "fire1"), ("conv2", "pool2", "fire2"), ("conv3", "pool3", "fire3"),
    ("conv4", "pool4", "fire4"), ("dense1", "", "relu1"), ("dense2", "", "relu2"),
    ("dense3", "", ""),
)
"""Weighted layer, pooling and activation of each block of `variants.build`."""

LEAST = 1e-3
FEW = 4
"""Bits from which on codes reach from 0 to the top; those of fewer lie around what they are of."""
SAMPLED = 100_000
"""Sums of a channel, at most, that say where its threshold starts."""


@torch.no_grad()
def start(
    network: nn.Sequential,
    codes: Tensor,
    targets: Tensor,
    *,
    source: nn.Sequential | None = None,
    source_codes: Tensor | None = None,
    firing: float = 0.5,
    groups: bool = True,
) -> None:
    """Bring a network of `variants.build` to where training finds gradients, in place.

    Layer by layer on one batch, with the source's weights where there is one:

    - Bits of a source of bits stay, but for the rounding of weights.
    - Before other bits, pooled sums get unit deviation per channel, and a bias: with `groups` as
      many fire as the source's activation has values in the upper of two groups, otherwise `firing`
      of them. To the next layer a bit is worth what the source's activation is larger by where the
      bit is 1.
    - Before codes, rows get a greatest weight of 1, and the next layer takes over what that
      changes; then the codes' step is chosen.
    - Where the source has bits, a code is worth to the next layer what comes nearest to them.
    - Codes of few bits get a step of about a deviation of the sums, whose mean comes to lie in the
      middle of the codes.
    - Before codes, and in dense layers, the bias keeps the mean of the source's sums; without a
      source, sums before codes get mean zero, and the last layer gets the mean and a third of
      the spread of `targets`.
    - Batch norms leave all this as it is; without a source, those before a ReLU start as usual.

    Parameters
    ----------
    network
        Of `variants.build`.
    codes
        uint8 ``[batch, 1, band, frame]``.
    targets
        Labels, ``[batch, output]``.
    source
        A trained network of the same shape with float weights, or None.
    source_codes
        The batch in the source's codes, where they are others.
    firing
        Share of pooled sums that fire at the start, where no groups say it.
    groups
        Whether a source's two groups of values, channel by channel, say how many fire.
    """
    wanted: dict[str, Tensor] = {}
    source_parts: dict[str, nn.Module] = {}
    if source is not None:
        source_parts = dict(source.named_children())
        network.load_state_dict(
            {k: v for k, v in source.state_dict().items() if k.endswith(("weight", "bias"))},
            strict=False,
        )
        wanted = _outputs(source, codes if source_codes is None else source_codes)
    network.train()
    x, worth = network.get_submodule("codes")(codes), torch.ones(1, device=codes.device)
    step: Tensor | None = None
    sums: Tensor
    for name, pool, fire in BLOCKS:
        layer = part = network.get_submodule(name)
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        if name == "conv1" and hasattr(network, "pad1"):
            x = network.get_submodule("pad1")(x)
        if name == "dense1":
            x = x.flatten(1)
        if isinstance(part, QuantConv2d | QuantLinear) and step is not None:
            part.input_step.copy_(step)
        layer.weight.mul_(worth.reshape(1, -1, *[1] * (layer.weight.dim() - 2)))
        worth, step = torch.ones(1, device=codes.device), None
        if isinstance(part, QuantConv2d | QuantLinear) and part.scale == "unit":
            top = layer.weight.flatten(1).abs().amax(dim=1).clamp_min(2.0**-24)
            worth = top * (128 / 127)
            _scale(layer, 1 / top, 1 / worth)
        sums = layer(x)
        if pool:
            sums = network.get_submodule(pool)(sums)
        activation = network.get_submodule(fire) if fire else None
        before, after = wanted.get(pool or name), wanted.get(fire)
        theirs_fire = after is not None and isinstance(source_parts[fire], Step)
        if isinstance(activation, Step) and not theirs_fire:
            share = torch.full((sums.shape[1],), firing, device=sums.device)
            if groups and after is not None:
                felt = _some(after)
                share = (felt > middle(felt)[:, None]).float().mean(dim=1)
            sums = _undecided(layer, sums, share)
            if after is not None:
                worth = _worth(sums > 0, after)
        elif activation is None and before is None:
            spread = targets.std(dim=0) / 3 / sums.std(dim=0).clamp_min(LEAST)
            _scale(layer, spread, spread)
            _move(layer, targets.mean(dim=0) - layer(x).mean(dim=0))
        elif not isinstance(activation, Step) and (
            before is not None or isinstance(activation, QuantReLU)
        ):
            goal = torch.zeros(()) if before is None else _mean(before) / worth
            if isinstance(activation, QuantReLU) and activation.bits < FEW:
                goal = _few(activation, sums)
            sums = sums + _as(_move(layer, goal - _mean(sums)), sums)
        if isinstance(activation, QuantReLU):
            if activation.bits >= FEW:
                activation.calibrate(sums)
            step = activation.step
        if hasattr(network, norm := pool.replace("pool", "norm") or "none"):
            keep = source is not None or isinstance(activation, Step)
            sums = _normed(network, layer(x), (norm, pool), keep=keep)
        if activation is not None:
            x = activation(sums)
        if theirs_fire and not isinstance(activation, Step):
            assert after is not None
            worth = _fitted(x, after)


def _outputs(source: nn.Sequential, codes: Tensor) -> dict[str, Tensor]:
    """Every module's output, by name, in evaluation."""
    source.eval()
    x, found = codes, {}
    for name, layer in source.named_children():
        x = found[name] = layer(x)
    return found


def _channels(sums: Tensor) -> Tensor:
    """``[batch, channel, ...]`` as ``[channel, place]``."""
    return sums.transpose(0, 1).flatten(1)


def _mean(sums: Tensor) -> Tensor:
    return _channels(sums).mean(dim=1)


def _as(values: Tensor, sums: Tensor) -> Tensor:
    """Values per channel, to be added to `sums`."""
    return values.reshape(-1, *[1] * (sums.dim() - 2))


def _scale(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.mul_(weight.reshape(-1, *[1] * (layer.weight.dim() - 1)))
    assert layer.bias is not None
    layer.bias.mul_(bias)


def _move(layer: nn.Conv2d | nn.Linear, by: Tensor) -> Tensor:
    assert layer.bias is not None
    layer.bias.add_(by)
    return by


def _some(sums: Tensor) -> Tensor:
    """Up to `SAMPLED` values of each channel, ``[channel, place]``."""
    flat = _channels(sums)
    return flat[:, :: flat.shape[1] // SAMPLED + 1]


def _undecided(layer: nn.Conv2d | nn.Linear, sums: Tensor, firing: Tensor) -> Tensor:
    """Give `layer` sums of unit deviation of which `firing` fire, by channel; return them."""
    some = _some(sums)
    order, channels = some.sort(dim=1).values, torch.arange(len(some), device=some.device)
    last = some.shape[1] - 1
    first = ((1.0 - firing) * some.shape[1]).round().long().clamp(1, last)
    threshold = (order[channels, first - 1] + order[channels, first]) / 2
    narrow = 1 / some.std(dim=1).clamp_min(LEAST)
    _move(layer, -threshold)
    _scale(layer, narrow, narrow)
    return (sums - _as(threshold, sums)) * _as(narrow, sums)


def _normed(
    network: nn.Sequential, sums: Tensor, names: tuple[str, str], *, keep: bool,
) -> Tensor:
    """Norm and pool `sums` as `network` does; with `keep` the norm is set to change nothing.

    Neither in training, on the same sums, nor in evaluation.
    """
    for name, part in network.named_children():
        if name not in names:
            continue
        if keep and isinstance(part, nn.BatchNorm2d):
            flat = _channels(sums)
            mean, variance = flat.mean(dim=1), flat.var(dim=1, correction=0)
            assert part.running_mean is not None
            assert part.running_var is not None
            part.weight.copy_((variance + part.eps).sqrt())
            part.bias.copy_(mean)
            part.running_mean.copy_(mean)
            part.running_var.copy_(variance)
        else:
            sums = part(sums)
    return sums


def _worth(bits: Tensor, felt: Tensor) -> Tensor:
    """How much larger the source's activation is, per channel, where the bit is 1."""
    one, value = _channels(bits).float(), _channels(felt)
    total = one.shape[1]
    count = one.sum(dim=1).clamp(1, total - 1)
    on = (one * value).sum(dim=1)
    return (on / count - (value.sum(dim=1) - on) / (total - count)).clamp_min(LEAST)


def _few(activation: QuantReLU, sums: Tensor) -> Tensor:
    """Give codes of few bits a step of about a deviation; return the middle of what they reach."""
    spread = _channels(sums).std(dim=1).median().clamp_min(2.0**-7)
    activation.step.copy_(spread.log2().round().exp2())
    middle_code: Tensor = activation.step * (2**activation.bits - 1) / 2
    return middle_code


def _fitted(values: Tensor, felt: Tensor) -> Tensor:
    """By what the values of a channel are multiplied to come nearest to the source's bits."""
    ours, theirs = _channels(values), _channels(felt)
    return ((ours * theirs).sum(dim=1) / ours.square().sum(dim=1).clamp_min(LEAST)).clamp_min(LEAST)
