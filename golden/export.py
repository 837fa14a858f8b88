"""From a torch `Sequential` to the network contract.

Understood: `torch.nn.Conv2d`, `Linear`, `MaxPool2d` of 2, `AdaptiveMaxPool2d` to 1, `Flatten`,
`BatchNorm1d/2d`, `Dropout`, `Identity`, nested `Sequential`, and `golden.quantise`'s `InputCodes`,
`QuantConv2d`, `QuantLinear`, `Step`, `QuantReLU`, `GlobalMaxPool2d`. All else is refused by name.

A layer of the network is one weighted module with what follows it up to the next: batch norms,
one activation, one pooling. Pooling may stand before the activation (as in
training) or behind it: an activation is monotone, so both give the same. A batch norm folds into
the threshold, flipped where gamma is negative; only pooling *before* such a batch norm would
change the meaning (the minimum would be wanted), and is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from golden import exact
from golden.blocks import Block, ExportError, group, walk
from golden.exact import Affine
from golden.front_end import FrontEnd
from golden.layer import End, Layer, Shape
from golden.network import Network
from golden.quantise import QuantConv2d, QuantLinear, QuantReLU, Step
from golden.torch_engine import TorchEngine
from golden.trace import LayerAgreement


@dataclass(frozen=True, slots=True)
class _Signal:
    """What a code stands for: ``(code - zero) * step``, a code of `bits`."""

    bits: int
    zero: int
    step: Fraction


def export(
    module: nn.Sequential,
    example_codes: NDArray[np.uint8] | Tensor,
    *,
    names: Sequence[str] | None = None,
    front_end: FrontEnd | None = None,
    about: dict[str, str] | None = None,
) -> Network:
    """Turn a trained `module` into the integers that any engine evaluates.

    Parameters
    ----------
    module
        Sequential, ending in a convolution or linear layer. Float weights are quantised to int8,
        one scale per output channel (one power of two a layer before a `QuantReLU`).
    example_codes
        Unsigned codes ``[channel, band, frame]``, or a batch of them: they give the input's
        shape and, where no `InputCodes` says it, the bits that the largest of them needs.
    names
        One per output; ``score``, or ``output0``, ``output1`` ..., if not given.
    front_end
        How audio becomes codes, for a network that hears.
    about
        Free text by key, kept in the network file.

    Raises
    ------
    ExportError
        A module is not understood or stands where it has no meaning.
    NetworkError
        The result breaks the contract (a sum beyond int32, a map too small for its kernel ...).
    """
    inputs, blocks = group(module)
    codes = np.asarray(torch.as_tensor(example_codes).cpu())
    top = 255 if inputs is None else 2**inputs.bits - 1
    if codes.ndim not in (3, 4) or 0 in codes.shape:
        rule = "example_codes must be [channel, band, frame] or a batch of such"
        raise ValueError(f"{rule}, not {list(codes.shape)}")
    if not np.isin(codes, np.arange(top + 1)).all():
        raise ValueError(f"example_codes must be integers from 0 to {top}")
    shape: Shape = (codes.shape[-3], codes.shape[-2], codes.shape[-1])
    if inputs is None:
        signal = _Signal(max(int(codes.max()).bit_length(), 1), 0, Fraction(1))
    else:
        signal = _Signal(inputs.bits, inputs.zero, Fraction(inputs.step))
    input_shape, layers = shape, []
    for block in blocks:
        layer = _layer(block, signal, shape, names if block is blocks[-1] else None)
        layers.append(layer)
        shape = layer.output_shape(shape)
        if block.activation is not None:
            signal = _Signal(layer.end.output_bits, 0, _step(block.activation))
    return Network(
        input_shape=input_shape, layers=tuple(layers), front_end=front_end, about=about or {},
    )


def compare_float(
    module: nn.Sequential, network: Network, codes: NDArray[np.uint8],
) -> tuple[LayerAgreement, ...]:
    """Count, layer by layer, the outputs in which the integers differ from the float `module`.

    Bits and codes differ or not; a raw result differs if the float one is more than half a unit
    of it away.

    Parameters
    ----------
    module
        What `network` was exported from; evaluated as in `eval()`.
    network
        Its integers.
    codes
        uint8 ``[channel, band, frame]``.
    """
    trace = TorchEngine().predict(network, codes)
    _, blocks = group(module)
    training = {part: part.training for part in module.modules()}
    module.eval()
    values: dict[str, NDArray[np.float64]] = {}
    with torch.inference_mode():
        x = torch.as_tensor(codes)[None].float()
        for path, part in walk(module):
            x = part(x)
            values[path] = _floats(x).reshape(-1)
    for part, mode in training.items():
        part.training = mode
    result = []
    for block, layer in zip(blocks, network.layers, strict=True):
        value = values[block.last]
        if block.activation is None:
            score = np.array(list(network.scores(trace.raw).values()))
            differs = np.abs(value - score) > np.abs(network.raw.scale) / 2
        else:
            float_codes = np.rint(value / float(_step(block.activation)))
            differs = float_codes != trace.outputs[layer.name].reshape(-1)
        result.append(
            LayerAgreement(
                name=layer.name, elements=differs.size, mismatches=int(differs.sum()),
            ),
        )
    return tuple(result)


def _floats(tensor: Tensor) -> NDArray[np.float64]:
    values: NDArray[np.float64] = tensor.detach().cpu().double().numpy()
    return values


def _layer(block: Block, signal: _Signal, shape: Shape, names: Sequence[str] | None) -> Layer:
    """Quantise one block, whose input is `signal` of `shape`."""
    part = block.weighted
    for what in (part.weight, part.bias):
        if what is not None and not bool(torch.isfinite(what).all()):
            raise ExportError(block.path, part, "must have finite weights and biases")
    stride, padding = _geometry(block.path, part, signal)
    weights, affine = _affine(block, signal)
    if isinstance(part, nn.Linear):
        if part.in_features != int(np.prod(shape)):
            rule = f"must take {int(np.prod(shape))} features, not {part.in_features}"
            raise ExportError(block.path, part, rule)
        weights = weights.reshape(len(weights), *shape)
    end: End
    if block.activation is None:
        outputs = len(weights)
        if names is None:
            names = ["score"] if outputs == 1 else [f"output{i}" for i in range(outputs)]
        end = exact.raw(affine, tuple(names))
    elif isinstance(block.activation, QuantReLU):
        try:
            end = exact.requantise(affine, _step(block.activation), block.activation.bits)
        except ValueError as error:
            raise ExportError(block.activation_path, block.activation, str(error)) from None
    else:
        end = exact.threshold(affine)
    return Layer(
        name=block.name,
        weights=weights,
        input_bits=signal.bits,
        stride=stride,
        padding=padding,
        end=end,
        pool=block.pool,
    )


def _geometry(
    path: str, part: nn.Conv2d | nn.Linear, signal: _Signal,
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Stride and padding, checked against what the contract knows."""
    if isinstance(part, nn.Linear):
        return (1, 1), (0, 0)
    for name, wanted in (("groups", 1), ("dilation", (1, 1)), ("padding_mode", "zeros")):
        if getattr(part, name) != wanted:
            rule = f"must have {name} {wanted}, not {getattr(part, name)}"
            raise ExportError(path, part, rule)
    kernel = part.kernel_size
    if part.padding == "valid":
        padding = (0, 0)
    elif part.padding == "same":
        if kernel[0] % 2 == 0 or kernel[1] % 2 == 0:
            raise ExportError(path, part, f"must pad both sides alike, not a kernel of {kernel}")
        padding = (kernel[0] // 2, kernel[1] // 2)
    else:
        padding = (int(part.padding[0]), int(part.padding[1]))
    stands_for = -signal.zero * signal.step
    pads: Fraction = Fraction(0)
    if isinstance(part, QuantConv2d):
        pads = -part.input_zero * Fraction(float(part.input_step))
    if padding != (0, 0) and pads != stands_for:
        rule = f"must pad with {float(stands_for)}, what code 0 stands for, not {float(pads)}"
        raise ExportError(path, part, rule)
    return (int(part.stride[0]), int(part.stride[1])), padding


def _affine(block: Block, signal: _Signal) -> tuple[NDArray[np.int8], Affine]:
    """Quantised weights and what a sum of codes times weights means, batch norms included."""
    part = block.weighted
    norms = [_norm(norm) for norm in block.norms]
    bias = [Fraction(0)] * len(part.weight)
    if isinstance(part, QuantConv2d | QuantLinear):
        weights = _floats(part.weight_codes()).astype(np.int8)
        scales = exact.fractions(_floats(part.scales()))
        unit = Fraction(float(part.input_step))
        whole = exact.fractions(_floats(part.bias_codes()))
        bias = [code * scale * unit for code, scale in zip(whole, scales, strict=True)]
    else:
        if part.bias is not None:
            bias = list(exact.fractions(_floats(part.bias)))
        reals = _floats(part.weight)
        if isinstance(block.activation, QuantReLU):
            # One shift serves the layer, so all rows share one scale, batch norms folded in.
            for gain, offset in norms:
                reals *= np.array([float(g) for g in gain]).reshape(-1, *[1] * (reals.ndim - 1))
                bias = [b * g + o for b, g, o in zip(bias, gain, offset, strict=True)]
            norms = []
            try:
                unit = _step(block.activation) / signal.step
                weights, scales = exact.quantise_shared(reals, unit)
            except ValueError as error:
                raise ExportError(block.activation_path, block.activation, str(error)) from None
        else:
            weights, scales = exact.quantise_rows(reals)
    gains = [scale * signal.step for scale in scales]
    totals = weights.reshape(len(weights), -1).astype(np.int64).sum(1)
    offsets = (
        b - gain * signal.zero * int(total)
        for b, gain, total in zip(bias, gains, totals, strict=True)
    )
    affine = Affine(tuple(gains), tuple(offsets))
    for gain, offset in norms:
        affine = affine.then(gain, offset)
    return weights, affine


def _step(activation: Step | QuantReLU) -> Fraction:
    """Give the value of one code behind `activation`."""
    return Fraction(float(activation.step)) if isinstance(activation, QuantReLU) else Fraction(1)


def _norm(
    part: nn.BatchNorm1d | nn.BatchNorm2d,
) -> tuple[tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Gain and offset of a batch norm in evaluation, per channel."""
    assert part.running_mean is not None  # `group` has refused all else
    assert part.running_var is not None
    ones = np.ones(part.num_features)
    return exact.batch_norm(
        exact.fractions(_floats(part.weight) if part.affine else ones),
        exact.fractions(_floats(part.bias) if part.affine else 0 * ones),
        exact.fractions(_floats(part.running_mean)),
        exact.fractions(_floats(part.running_var)),
        Fraction(float(part.eps)),
    )
