"""The network of the same shape with 8-bit activations in place of bits: the baseline's network.

A multiply-accumulate machine is compared with the binary one on the same layers; its network is
made from the binary one without training, in integers and fractions only, so that the same
network and codes give the same bits anywhere.

**Level.** A 1 of the old network, bit or code, stands for so many units of the new codes: 1 at
the input; behind a threshold the sum of all new codes over the sum of all old bits, seen in
calibration with pooling done, so that the next layer is driven as strongly as before; behind a
requantised layer the old level times ``2^(old shift) / 2^(new shift)``. At most 255, and 255
where calibration saw no bit or no code.

**Thresholds.** Weights stay. A threshold t of old sums is ``t' = floor((t + 1/2) * level)`` of new
ones, for the real number that it comes from lies from t to t + 1. The end rounds up: ``code =
clip(ceil((sum - t') / 2^shift), 0, 255)``, that is ``bias = 2^shift - 1 - t'``, so that a code is
above 0 exactly where ``sum > t'``. The shift is the least with which at most half of the codes
above 0 are 255. **In the first layer, whose input is the same, ``t' = t``: for any input the new
code is above 0 exactly where the old bit is 1, pooled or not.**

**Flips.** Nothing flips a requantised comparison, so the channel's weights are negated, and
``sum <= t`` becomes ``-sum > -t - 1``. Of -128 there is no negative: it becomes 127, `about` counts
these, and only such a channel is not exact in the first layer.

**Codes.** A requantised layer keeps its meaning in the new units: what did not saturate does not.
The last layer's bias grows by the level, its scale shrinks by it. So a network whose activations
have 8 bits already comes back with the same integers.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
from numpy.typing import NDArray

from golden import calibration, clip, netfile
from golden.layer import INT32, Layer, Raw, Requantise, Threshold
from golden.network import Network
from golden.rules import NetworkError

TOP = 255
"""Greatest code."""

Codes = list[NDArray[np.uint8]]


def shipped_sibling() -> Network:
    """Make the baseline's network from the shipped one and the demo clip; takes about a second."""
    return eight_bit(netfile.load(clip.SHIPPED))


def eight_bit(network: Network, codes: Sequence[NDArray[np.uint8]] | None = None) -> Network:
    """Put 8-bit activations in place of the bits of `network`.

    Parameters
    ----------
    network
        Its input, shapes, names and weights (but for flips) stay.
    codes
        Inputs to calibrate on, uint8 ``[channel, band, frame]`` each; without them the windows
        of the demo clip, or codes drawn from a fixed seed for a network that does not hear.

    Returns
    -------
    Network
        Every layer but the last ends in 8-bit codes; `about` says where it comes from.

    Raises
    ------
    NetworkError
        A sum or a bias would leave int32; one line that names the layer.
    TypeError, ValueError
        The codes are not what the network takes, or there are none.
    """
    old = [window.codes for window in clip.windows(network)] if codes is None else list(codes)
    if not old:
        raise ValueError("codes must hold at least one input, not 0")
    for one in old:
        network.check_codes(one)
    try:
        layers = _convert(network, old)
    except NetworkError as error:
        raise NetworkError(f"with 8-bit activations, {error}") from None
    return replace(network, layers=layers, about=_about(network, len(old)))


def _convert(network: Network, old: Codes) -> tuple[Layer, ...]:
    """Convert layer by layer; each is calibrated on what the new layers before it make."""
    new, level = old, Fraction(1)
    layers: list[Layer] = []
    for layer in network.layers:
        end, bits = layer.end, 8 if layers else layer.input_bits
        body = replace(layer, weights=_weights(layer), input_bits=bits)
        if isinstance(end, Raw):
            bias = _int32(layer, [round(int(b) * level) for b in end.bias])
            raw = replace(end, bias=bias, scale=end.scale / float(level))
            layers.append(replace(body, end=raw))
            break
        totals = [calibration.sums(body, one) for one in new]
        old = [calibration.outputs(end, layer.pool, calibration.sums(layer, one)) for one in old]
        if isinstance(end, Threshold):
            end_8 = _fire(layer, end, level, totals)
        else:
            end_8 = _rescale(layer, end, level)
        layers.append(replace(body, end=end_8))
        new = [calibration.outputs(end_8, layer.pool, total) for total in totals]
        if isinstance(end, Threshold):
            ones, seen = (sum(int(one.sum()) for one in outputs) for outputs in (old, new))
            level = min(Fraction(seen, ones), Fraction(TOP)) if ones and seen else Fraction(TOP)
        else:
            level *= Fraction(1 << end.shift, 1 << end_8.shift)
    return tuple(layers)


def _weights(layer: Layer) -> NDArray[np.int8]:
    """Weights of `layer`, those of flipped channels negated, 127 for the negative of -128."""
    if not isinstance(layer.end, Threshold):
        return layer.weights
    sign = np.where(layer.end.flip, -1, 1)[:, None, None, None]
    return (layer.weights * sign).clip(-128, 127).astype(np.int8)


def _fire(
    layer: Layer, end: Threshold, level: Fraction, totals: list[NDArray[np.int64]],
) -> Requantise:
    """Requantise so that codes above 0 stand for the bits of the threshold `end`."""
    top = 2**layer.input_bits - 1
    kernels = layer.weights.astype(np.int64).reshape(layer.out_channels, -1)
    low, high = np.minimum(kernels, 0).sum(1) * top, np.maximum(kernels, 0).sum(1) * top
    # A threshold beyond the sums decides the same at their edge, and cannot leave int32 there.
    edged = end.threshold.astype(np.int64).clip(low - 1, high)
    thresholds = [
        floor((Fraction(int(t)) + Fraction(1, 2)) * level)
        for t in np.where(end.flip, -edged - 1, edged)
    ]
    for shift in range(32):
        bias = _int32(layer, [(1 << shift) - 1 - t for t in thresholds])
        chosen = Requantise(bias=bias, shift=shift)
        codes = [calibration.outputs(chosen, layer.pool, total) for total in totals]
        fired, saturated = (sum(int((c >= n).sum()) for c in codes) for n in (1, TOP))
        if 2 * saturated <= fired:
            break
    return chosen


def _rescale(layer: Layer, end: Requantise, level: Fraction) -> Requantise:
    """Requantise `level` times greater sums: the old range of codes fits into 0 to 255."""
    most = level * ((2**end.bits - 1) << end.shift)
    shift = next((n for n in range(32) if TOP << n >= most), 31)
    # A code k stands for the middle of its sums, which the bias moves to k * 2^shift + half.
    half, half_8 = 1 << end.shift >> 1, 1 << shift >> 1
    bias = [round((int(b) - half) * level) + half_8 for b in end.bias]
    return Requantise(bias=_int32(layer, bias), shift=shift)


def _int32(layer: Layer, values: list[int]) -> NDArray[np.int32]:
    """Give `values` as an array; refuse those beyond int32."""
    worst = max(values, key=abs)
    if not INT32.min <= worst <= INT32.max:
        raise NetworkError(f"layer {layer.name}: biases must stay within int32, not reach {worst}")
    return np.array(values, np.int32)


def _about(network: Network, windows: int) -> dict[str, str]:
    """Say what the network is and where it comes from."""
    about = network.about
    parent = about.get("name", about.get("origin", "a network that says nothing of itself"))
    text = {
        "name": f"8-bit activations, made from: {parent}",
        "origin": "golden.sibling.eight_bit: the same weights, thresholds requantised,"
        f" calibrated on {windows} window{'s' * (windows != 1)}, not trained",
    }
    clamped = [
        f"{layer.name} {count}"
        for layer in network.layers
        if isinstance(layer.end, Threshold)
        and (count := int((layer.weights[layer.end.flip] == -128).sum()))
    ]
    if clamped:
        text["clamped"] = f"weights of -128 in flipped channels, now 127: {', '.join(clamped)}"
    return about | text
