"""Layers that train what the integer network will do: 8-bit weights, bits, requantised codes.

A module built of these layers (and of torch's pooling and `Flatten`) agrees with the integers of
`golden.network` **exactly** in evaluation: every value on the way is an integer times a known
step, so float32 holds all sums below 2^24 without rounding. Three choices make it so:

- Weights are ``q * scale[out]`` with q in -127..127, one scale per output channel.
- A bias is rounded to whole sums (``input_step * scale[out]``), which costs nothing in accuracy
  and makes ``u > 0`` the same question as ``sum + bias_code > 0``.
- A layer before a `QuantReLU` has ``scale="unit"``: every row is stretched to the full int8 range
  and its scale is 2^-7, whatever the row's own size. Rows of unequal size thus hand their factor
  on to the next layer's weights *before those are quantised* (training finds them already
  folded), all outputs share one unit, and requantising by a power-of-two `step` is a shift.

In training the scale is folded into the kernel, one pass over the map less; rounding may then
flip a bit whose sum lies at the threshold.
"""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from golden.gradients import round_through, superspike

WEIGHT_TOP = 127
UNIT_SCALE = 2.0**-7
HEADROOM = 2.0

Scale = Literal["free", "unit", "power"]


class Step(nn.Module):
    """Binary activation: the firing rule forward, SuperSpike backward.

    Parameters
    ----------
    beta
        Steepness of the surrogate derivative ``1 / (beta |u| + 1)^2``; at least 0.

    References
    ----------
    Zenke and Ganguli, "SuperSpike", Neural Computation 30(6), 2018, equation 3.3.
    """

    def __init__(self, beta: float = 1.0) -> None:
        super().__init__()
        if beta < 0:
            raise ValueError(f"beta must be at least 0, not {beta!r}")
        self.beta = beta

    def forward(self, u: Tensor) -> Tensor:
        """Bits as 0.0 and 1.0, in the shape of `u`."""
        return superspike(u, self.beta)

    def extra_repr(self) -> str:
        """Show the steepness."""
        return f"beta={self.beta}"


class InputCodes(nn.Module):
    """Turn unsigned codes into the standardised values they stand for: ``(code - zero) * step``.

    The layer behind it must pad with code 0: give it ``input_zero=zero, input_step=step``.

    Parameters
    ----------
    zero
        The code that stands for 0, within the codes.
    step
        Value of one code, a power of two.
    bits
        Bits of a code, 1 to 8.
    """

    def __init__(self, zero: int = 128, step: float = 2.0**-5, bits: int = 8) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise ValueError(f"bits must be an integer from 1 to 8, not {bits!r}")
        if not 0 <= zero < 2**bits:
            raise ValueError(f"zero must be a code of {bits} bits, not {zero!r}")
        self.zero, self.step, self.bits = zero, _power_of_two("step", step), bits

    def forward(self, codes: Tensor) -> Tensor:
        """Values of `codes`, ``[batch, channel, band, frame]``, any type of number."""
        # Channels last, also where there is but one: what follows then trains twice as fast.
        values = torch.empty_like(codes, dtype=torch.float32, memory_format=torch.channels_last)
        return values.copy_(codes).sub_(self.zero).mul_(self.step)

    def extra_repr(self) -> str:
        """Show what a code stands for."""
        return f"zero={self.zero}, step={self.step}, bits={self.bits}"


class QuantReLU(nn.Module):
    """ReLU that gives codes: ``step * clip(floor(u / step + 1/2), 0, 2^bits - 1)``.

    As `step` is a power of two and the layer above has ``scale="unit"``, this is exactly
    ``clip((sum + bias) >> shift, 0, 2^bits - 1)`` with ``2^shift = step / (input_step * 2^-7)``
    and the half held by the bias. The gradient passes inside the range and where u is below it
    nothing passes, as with ReLU.

    Parameters
    ----------
    bits
        Bits of a code, 1 to 8.
    step
        Value of one code, a power of two; `calibrate` sets it from data.
    """

    step: Tensor

    def __init__(self, bits: int = 8, step: float = 2.0**-4) -> None:
        super().__init__()
        if not 1 <= bits <= 8:
            raise ValueError(f"bits must be an integer from 1 to 8, not {bits!r}")
        self.bits = bits
        self.register_buffer("step", torch.tensor(_power_of_two("step", step)))

    def forward(self, u: Tensor) -> Tensor:
        """Codes times `step`, in the shape of `u`."""
        scaled = (u.to(torch.float32) / self.step).clamp(0, 2**self.bits - 1)
        # Half up, not half to even: that is what the arithmetic shift does.
        return round_through(scaled, half_up=True) * self.step

    @torch.no_grad()
    def calibrate(self, u: Tensor) -> None:
        """Set `step` to the least power of two whose codes hold `HEADROOM` times all of `u`."""
        top = HEADROOM * max(float(u.max()), 2.0**-16) / (2**self.bits - 1)
        self.step.copy_(torch.tensor(top).log2().ceil().exp2())

    def extra_repr(self) -> str:
        """Show bits and step."""
        return f"bits={self.bits}, step={float(self.step)}"


class GlobalMaxPool2d(nn.Module):
    """Maximum over bands and frames: ``[batch, channel, band, frame]`` to ``[..., 1, 1]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Greatest value of every channel; on bits an OR."""
        return x.amax(dim=(2, 3), keepdim=True)


class _Quantised(nn.Module):
    """What `QuantConv2d` and `QuantLinear` share: fake-quantised weights and a rounded bias."""

    weight: Tensor
    bias: Any
    input_step: Tensor
    input_zero: int
    scale: Scale

    def _set_input(self, scale: Scale, input_step: float, input_zero: int) -> None:
        if scale not in ("free", "unit", "power"):
            raise ValueError(f"scale must be one of free, unit, power, not {scale!r}")
        self.scale, self.input_zero = scale, input_zero
        self.register_buffer("input_step", torch.tensor(_power_of_two("input_step", input_step)))

    def _row_scales(self) -> Tensor:
        rows = self.weight.detach().flatten(1).abs().amax(dim=1).clamp_min(2.0**-24) / WEIGHT_TOP
        return rows.log2().ceil().exp2() if self.scale == "power" else rows

    def scales(self) -> Tensor:
        """Value of one step of the weight codes, float32 ``[out]``, positive."""
        rows = self._row_scales()
        return torch.full_like(rows, UNIT_SCALE) if self.scale == "unit" else rows

    def weight_codes(self) -> Tensor:
        """Weights as integers within -127..127, in float32, in the shape of `weight`."""
        rows = self._row_scales().reshape(-1, *[1] * (self.weight.dim() - 1))
        return round_through(self.weight / rows)

    def bias_codes(self) -> Tensor:
        """Bias in whole sums: integers in float32 ``[out]``, 0 where the layer has none."""
        scales = self.scales()
        if self.bias is None:
            return torch.zeros_like(scales)
        return round_through(self.bias / (scales * self.input_step))

    def _folded(self) -> tuple[Tensor, Tensor]:
        scales = self.scales()
        weight = self.weight_codes() * scales.reshape(-1, *[1] * (self.weight.dim() - 1))
        return weight, self.bias_codes() * (scales * self.input_step)


class QuantConv2d(nn.Conv2d, _Quantised):
    """Convolution with fake-quantised 8-bit weights per output channel; pads with code 0.

    Parameters
    ----------
    in_channels, out_channels, kernel_size, stride, padding, bias
        As in `torch.nn.Conv2d`, whose other options have no place in the contract.
    scale
        ``"free"``: a row's own scale. ``"power"``: its own, a power of two. ``"unit"``: 2^-7 for
        all rows (before a `QuantReLU`).
    input_step
        Value of one input code, a power of two; 1 for bits.
    input_zero
        The input code that stands for 0; a padded pixel stands for ``-input_zero * input_step``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        bias: bool = True,
        scale: Scale = "free",
        input_step: float = 1.0,
        input_zero: int = 0,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, bias=bias,
        )
        self._set_input(scale, input_step, input_zero)

    def forward(self, x: Tensor) -> Tensor:
        """Weighted sums of `x`, ``[batch, channel, band, frame]``."""
        padding = self.padding
        if self.input_zero:
            bands, frames = (int(p) for p in self.padding)
            value = -self.input_zero * float(self.input_step)
            x, padding = F.pad(x, (frames, frames, bands, bands), value=value), (0, 0)
        if self.training:
            weight, bias = self._folded()
            return F.conv2d(x, weight, bias, self.stride, padding)
        steps = F.conv2d(x / self.input_step, self.weight_codes(), None, self.stride, padding)
        sums = steps + self.bias_codes()[:, None, None]
        return sums * (self.scales() * self.input_step)[:, None, None]


class QuantLinear(nn.Linear, _Quantised):
    """Dense layer with fake-quantised 8-bit weights per output channel.

    Parameters
    ----------
    in_features, out_features, bias
        As in `torch.nn.Linear`.
    scale, input_step, input_zero
        As in `QuantConv2d`.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        bias: bool = True,
        scale: Scale = "free",
        input_step: float = 1.0,
        input_zero: int = 0,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self._set_input(scale, input_step, input_zero)

    def forward(self, x: Tensor) -> Tensor:
        """Weighted sums of `x`, ``[batch, feature]``."""
        if self.training:
            return F.linear(x, *self._folded())
        sums = F.linear(x / self.input_step, self.weight_codes()) + self.bias_codes()
        return sums * (self.scales() * self.input_step)


def _power_of_two(what: str, value: float) -> float:
    if not value > 0 or math.frexp(value)[0] != 0.5:
        raise ValueError(f"{what} must be a positive power of two, not {value!r}")
    return float(value)
