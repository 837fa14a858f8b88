"""The second oracle: nested loops over the output pixels, integers only, right by reading."""

import numpy as np
from numpy.typing import NDArray

from golden.layer import Layer, Requantise, Threshold
from golden.network import Network
from golden.trace import Trace


def sums(layer: Layer, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Convolve `codes` [in, band, frame] with the weights: [out, band, frame], before the end."""
    (kh, kw), (sh, sw), (ph, pw) = layer.kernel, layer.stride, layer.padding
    x = np.pad(codes.astype(np.int64), ((0, 0), (ph, ph), (pw, pw)))
    y = np.empty(layer.map_shape(codes.shape), np.int64)
    for o, b, f in np.ndindex(y.shape):
        y[o, b, f] = (layer.weights[o] * x[:, b * sh : b * sh + kh, f * sw : f * sw + kw]).sum()
    return y


class NaiveEngine:
    """Evaluates a network pixel by pixel; slow, and too plain to be wrong."""

    name = "naive"

    def predict(self, network: Network, codes: NDArray[np.uint8]) -> Trace:
        """Every layer's output for `codes`, uint8 [channel, band, frame], and the raw result."""
        network.check_codes(codes)
        outputs = {}
        for layer, (_, b, f) in zip(network.layers[:-1], network.shapes[1:-1], strict=True):
            y, end = sums(layer, codes), layer.end
            if isinstance(end, Threshold):
                y = (y > end.threshold[:, None, None]).astype(np.int64) ^ end.flip[:, None, None]
            elif isinstance(end, Requantise):
                y = np.clip((y + end.bias[:, None, None]) >> end.shift, 0, 2**end.bits - 1)
            n, m = {"none": (1, 1), "max2x2": (2, 2), "global": y.shape[1:]}[layer.pool]
            y = y[:, : b * n, : f * m].reshape(-1, b, n, f, m).max((2, 4))
            codes = outputs[layer.name] = y.astype(np.uint8)
        raw = sums(network.layers[-1], codes)[:, 0, 0] + network.raw.bias
        return Trace(outputs=outputs, raw=raw.astype(np.int32))
