"""Comparing traces: the first difference is named, missing and misshapen maps are refused."""

from dataclasses import replace

import numpy as np
import pytest

from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_codes, tiny_network
from golden.trace import Trace, compare


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network()


@pytest.fixture(scope="module")
def trace(network: Network) -> Trace:
    return NaiveEngine().predict(network, random_codes(np.random.default_rng(0), network))


def test_equal_traces_agree_in_every_element(network: Network, trace: Trace) -> None:
    result = compare(network, trace, replace(trace, raw=trace.raw.copy()))
    assert result.identical
    assert [layer.name for layer in result.layers] == [layer.name for layer in network.layers]
    assert [layer.elements for layer in result.layers] == [
        int(np.prod(shape)) for shape in network.shapes[1:]
    ]
    assert sum(layer.mismatches for layer in result.layers) == 0


def test_the_first_difference_is_named_in_order_of_layer_frame_band_channel(
    network: Network, trace: Trace,
) -> None:
    other = {name: output.copy() for name, output in trace.outputs.items()}
    for at in ((0, 2, 1), (1, 1, 1), (3, 0, 4)):
        other["conv2"][at] ^= 1
    other["conv3"][0, 0, 0] ^= 1
    result = compare(network, trace, replace(trace, outputs=other))
    assert not result.identical
    assert [layer.mismatches for layer in result.layers] == [0, 3, 1, 0, 0, 0, 0]
    expected = int(trace.outputs["conv2"][1, 1, 1])
    assert str(result.first) == (
        f"layer conv2, channel 1, band 1, frame 1: expected {expected}, got {1 - expected}"
    )


def test_a_difference_in_the_raw_result_alone_is_found(network: Network, trace: Trace) -> None:
    result = compare(network, trace, replace(trace, raw=trace.raw + np.int32([0, 1])))
    assert result.first is not None
    assert (result.first.layer, result.first.channel) == ("out", 1)
    assert result.first.got == result.first.expected + 1


def test_a_trace_without_a_map_is_refused(network: Network, trace: Trace) -> None:
    with pytest.raises(ValueError, match="both traces must hold layer conv1"):
        compare(network, trace, replace(trace, outputs={}))


def test_a_map_of_another_shape_is_refused(network: Network, trace: Trace) -> None:
    short = {name: output[:, :1] for name, output in trace.outputs.items()}
    with pytest.raises(ValueError, match=r"layer conv1 must be \(4, 8, 10\), not \(4, 1, 10\)"):
        compare(network, trace, replace(trace, outputs=short))
