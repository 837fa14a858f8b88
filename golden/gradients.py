"""Steps whose gradient is that of something else: rounding, firing."""

from typing import Any

import torch
from torch import Tensor


def fires(u: Tensor) -> Tensor:
    """Apply the firing rule: 1 where `u` > 0, else 0 (0 at u = 0), in the type of `u`."""
    return (u > 0).to(u.dtype)


class _SuperSpike(torch.autograd.Function):
    """`fires` with the derivative of a fast sigmoid: 1 / (beta |u| + 1)^2."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, beta: float) -> Tensor:
        ctx.save_for_backward(u)
        ctx.beta = beta
        return fires(u)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (u,) = ctx.saved_tensors
        return grad / u.abs().mul_(ctx.beta).add_(1).square_(), None


class _StraightThrough(torch.autograd.Function):
    """Give `value` forward; backward pass the gradient to `x` as if it had been given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def round_through(x: Tensor, *, half_up: bool = False) -> Tensor:
    """Round to integers, the gradient passes unchanged; halves go to even, or up."""
    with torch.no_grad():
        whole = torch.floor(x + 0.5) if half_up else x.round()
    # torch's autograd functions have no types where they are applied.
    rounded: Tensor = _StraightThrough.apply(x, whole)  # type: ignore[no-untyped-call]
    return rounded


def superspike(u: Tensor, beta: float) -> Tensor:
    """Apply the firing rule; backward the derivative is ``1 / (beta |u| + 1)^2``.

    References
    ----------
    Zenke and Ganguli, "SuperSpike", Neural Computation 30(6), 2018, equation 3.3.
    """
    bits: Tensor = _SuperSpike.apply(u, beta)  # type: ignore[no-untyped-call]  # as above
    return bits
