"""Which units of a network can fire at all, whatever it hears."""

import numpy as np
from numpy.typing import NDArray

from golden.layer import Requantise
from golden.network import Network


def living(network: Network) -> dict[str, NDArray[np.bool_]]:
    """By layer that ends in codes, bool ``[out]``: whether a bound on its sum gives a code."""
    found = {}
    inputs = network.layers[0].weights.shape[1]
    greatest = np.full(inputs, 2**network.input_bits - 1, np.int64)  # that each channel ever is
    for layer in network.layers:
        top = 2**layer.end.output_bits - 1
        if not isinstance(layer.end, Requantise):
            greatest = np.full(len(layer.weights), top, np.int64)
            continue
        positive = layer.weights.astype(np.int64).clip(0).sum((2, 3))
        greatest = ((positive @ greatest + layer.end.bias) >> layer.end.shift).clip(0, top)
        found[layer.name] = greatest > 0
    return found
