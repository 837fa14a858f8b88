"""Widths of sums, derived in `hw` anew and equal to those of `golden`."""

import numpy as np
import pytest

from golden.corners import corners
from golden.layer import Layer, Threshold
from golden.random_networks import random_network
from hw.fit import accumulator_bits, channel_ranges, offsets


def layers_of_many_networks():
    for seed in range(200):
        yield from random_network(np.random.default_rng(seed)).layers
    for network, _ in corners().values():
        yield from network.layers


def test_sum_widths_equal_those_of_golden():
    seen = set()
    for layer in layers_of_many_networks():
        ranges, added = channel_ranges(layer), offsets(layer)
        if isinstance(layer.end, Threshold):
            low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
        else:
            assert added == layer.end.bias.tolist()
            pairs = list(zip(ranges, added, strict=True))
            low = min(min(r[0], r[0] + bias) for r, bias in pairs)
            high = max(max(r[1], r[1] + bias) for r, bias in pairs)
        assert (low, high) == layer.sum_range
        if isinstance(layer.end, Threshold):
            # The comparison is a subtraction: at most one bit more than the sum itself.
            assert layer.sum_bits <= accumulator_bits(layer) <= layer.sum_bits + 1
        else:
            assert accumulator_bits(layer) == layer.sum_bits
        seen.add(type(layer.end).__name__)
    assert seen == {"Threshold", "Requantise", "Raw"}


def test_a_threshold_becomes_a_sign_for_every_sum():
    for layer in layers_of_many_networks():
        if not isinstance(layer.end, Threshold):
            continue
        for t, (low, high), offset in zip(
            layer.end.threshold.tolist(), channel_ranges(layer), offsets(layer), strict=True,
        ):
            edges = {low, high, 0, *(s for s in (t - 1, t, t + 1) if low <= s <= high)}
            for total in edges:
                assert (total + offset >= 0) == (total > t)


@pytest.mark.parametrize("threshold", [-(2**31), 2**31 - 1, -1000, 1000, 381, 382, -385, -384])
def test_a_threshold_beyond_all_sums_costs_no_bits(threshold):
    end = Threshold(threshold=np.array([threshold], np.int32), flip=np.array([False]))
    weights = np.array([-128, -128, -128, 127, 127, 127], np.int8).reshape(1, 6, 1, 1)
    layer = Layer(name="x", weights=weights, input_bits=1, end=end)
    assert accumulator_bits(layer) <= layer.sum_bits + 1
    (offset,) = offsets(layer)
    for total in range(-384, 382):
        assert (total + offset >= 0) == (total > threshold)
