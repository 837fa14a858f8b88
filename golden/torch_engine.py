"""The exact integer model in torch: fast, and exact by construction.

A layer's sums are one matrix product of its weights with the unfolded codes, in floating point.
It is exact, whatever the order of the additions and with fused or separate multiply and add: all
weights and codes are integers; each product and each sum of any subset of the products lies
within `Layer.sum_range`, so within ``[-2^(n-1), 2^(n-1))`` for n = `Layer.sum_bits`; and every
integer of magnitude up to 2^24 (float32) or 2^53 (float64) is representable, so nothing is ever
rounded. Hence float32 where n <= 25, float64 otherwise (n <= 32, as a network is refused beyond
int32). `torch.nn.functional.conv2d` is avoided on purpose: a backend may choose a Winograd
transform, whose fractions are rounded.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.network import Network
from golden.trace import Trace

FLOAT32_SUM_BITS = 25
"""Widest two's complement sum of which float32 holds every value, bits."""


def sums(layer: Layer, codes: Tensor) -> Tensor:
    """Convolve codes with the weights of `layer`: exact sums, before bias and end.

    Parameters
    ----------
    layer
        The layer.
    codes
        uint8 ``[in, band, frame]`` on the CPU, within the layer's `input_bits`.

    Returns
    -------
    Tensor
        int32 ``[out, band, frame]``, pooling not done.
    """
    exact = torch.float32 if layer.sum_bits <= FLOAT32_SUM_BITS else torch.float64
    weights = torch.tensor(layer.weights).reshape(layer.out_channels, -1).to(exact)
    taps = functional.unfold(
        codes.to(exact)[None], layer.kernel, padding=layer.padding, stride=layer.stride,
    )[0]
    shape = layer.map_shape((codes.shape[0], codes.shape[1], codes.shape[2]))
    return (weights @ taps).to(torch.int32).reshape(shape)


def fire(end: Threshold | Requantise, total: Tensor) -> Tensor:
    """Give the bits or codes, uint8, of the sums `total`, int32 ``[out, band, frame]``."""
    if isinstance(end, Threshold):
        above = total > torch.tensor(end.threshold)[:, None, None]
        return (above != torch.tensor(end.flip)[:, None, None]).to(torch.uint8)
    biased = total + torch.tensor(end.bias)[:, None, None]
    return (biased >> end.shift).clamp(0, 2**end.bits - 1).to(torch.uint8)


def pool(layer: Layer, codes: Tensor) -> Tensor:
    """Pool the outputs of `layer`, uint8 ``[out, band, frame]``; odd edges are dropped."""
    if layer.pool == "none":
        return codes
    if layer.pool == "global":
        return codes.amax((1, 2), keepdim=True)
    channels, bands, frames = codes.shape[0], codes.shape[1] // 2, codes.shape[2] // 2
    even = codes[:, : 2 * bands, : 2 * frames]
    return even.reshape(channels, bands, 2, frames, 2).amax((2, 4))


class TorchEngine:
    """The exact integer model; the truth that every other engine is compared with."""

    name = "torch"

    def predict(self, network: Network, codes: NDArray[np.uint8]) -> Trace:
        """Evaluate `network` on one clip.

        Parameters
        ----------
        network
            The network.
        codes
            uint8 ``[channel, band, frame]`` of the network's input shape.

        Returns
        -------
        Trace
            Every layer's output and the raw result; no cycles.

        Raises
        ------
        TypeError, ValueError
            The codes are not what the network takes.
        """
        network.check_codes(codes)
        outputs: dict[str, NDArray[np.uint8]] = {}
        with torch.inference_mode():
            x = torch.tensor(codes)
            for layer in network.layers:
                total, end = sums(layer, x), layer.end
                if isinstance(end, Raw):
                    break
                x = pool(layer, fire(end, total))
                outputs[layer.name] = x.numpy()
            raw = total[:, 0, 0] + torch.tensor(network.raw.bias)
        return Trace(outputs=outputs, raw=raw.numpy())
