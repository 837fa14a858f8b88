"""The two oracles: by hand on small cases, against each other on random networks."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from golden import naive, torch_engine
from golden.layer import Layer, Raw, Requantise, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_codes, random_network, tiny_network
from golden.torch_engine import TorchEngine
from golden.trace import Engine, compare

ENGINES: list[Engine] = [TorchEngine(), NaiveEngine()]
BLOCKS = 8


def raw(outputs: int) -> Raw:
    zeros = np.zeros(outputs)
    names = tuple(str(i) for i in range(outputs))
    return Raw(bias=zeros.astype(np.int32), scale=zeros + 1, offset=zeros, names=names)


def two_layers(first: Layer, shape: tuple[int, int, int]) -> Network:
    """`first`, then a layer that sees all of its output, so that any map is legal."""
    channels, bands, frames = first.output_shape(shape)
    last = Layer(
        name="last",
        weights=np.ones((1, channels, bands, frames), np.int8),
        input_bits=first.end.output_bits,
        end=raw(1),
    )
    return Network(input_shape=shape, layers=(first, last))


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_threshold_flip_and_code_0_padding_by_hand(engine: Engine) -> None:
    weights = np.array([[[[1, -2, 4]]], [[[1, -2, 4]]]], np.int8)
    end = Threshold(threshold=np.array([6, 6], np.int32), flip=np.array([False, True]))
    first = Layer(name="first", weights=weights, input_bits=2, padding=(0, 1), end=end)
    codes = np.array([[[3, 0, 2, 1]]], np.uint8)
    # Sums: -2*3+4*0 = -6, 3-0+8 = 11, 0-4+4 = 0, 2-2+0 = 0; at frame 1 only it is above 6.
    trace = engine.predict(two_layers(first, (1, 1, 4)), codes)
    assert trace.outputs["first"].tolist() == [[[0, 1, 0, 0]], [[1, 0, 1, 1]]]
    assert trace.raw.tolist() == [4]
    assert trace.raw.dtype == np.int32


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
@pytest.mark.parametrize(("total", "bit"), [(4, 0), (5, 0), (6, 1)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_sum_at_the_threshold_does_not_fire(
    engine: Engine, total: int, bit: int, flip: bool,
) -> None:
    end = Threshold(threshold=np.array([5], np.int32), flip=np.array([flip]))
    first = Layer(name="first", weights=np.ones((1, 1, 1, 1), np.int8), input_bits=8, end=end)
    trace = engine.predict(two_layers(first, (1, 1, 1)), np.full((1, 1, 1), total, np.uint8))
    assert trace.outputs["first"].item() == bit ^ flip


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_requantise_floors_negative_sums_and_saturates(engine: Engine) -> None:
    end = Requantise(bias=np.array([-3, 2], np.int32), shift=2, bits=3)
    weights = np.array([1, -1], np.int8).reshape(2, 1, 1, 1)
    first = Layer(name="first", weights=weights, input_bits=8, end=end)
    codes = np.array([[[0, 2, 3, 7, 31, 34, 35, 255]]], np.uint8)
    trace = engine.predict(two_layers(first, (1, 1, 8)), codes)
    assert trace.outputs["first"].tolist() == [[[0, 0, 0, 1, 7, 7, 7, 7]], [[0] * 8]]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_pools_drop_odd_edges(engine: Engine) -> None:
    codes = np.arange(15, dtype=np.uint8).reshape(1, 3, 5)
    end = Requantise(bias=np.zeros(1, np.int32), shift=0, bits=4)
    first = Layer(
        name="first", weights=np.ones((1, 1, 1, 1), np.int8), input_bits=4, end=end, pool="max2x2",
    )
    trace = engine.predict(two_layers(first, (1, 3, 5)), codes)
    assert trace.outputs["first"].tolist() == [[[6, 8]]]
    overall = engine.predict(two_layers(replace(first, pool="global"), (1, 3, 5)), codes)
    assert overall.outputs["first"].tolist() == [[[14]]]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_strides_start_at_the_padded_corner(engine: Engine) -> None:
    codes = np.arange(1, 13, dtype=np.uint8).reshape(1, 3, 4)
    end = Requantise(bias=np.zeros(1, np.int32), shift=0, bits=8)
    weights = np.array([[[[1, 0, 0], [0, 0, 0], [0, 0, 1]]]], np.int8)
    first = Layer(
        name="first", weights=weights, input_bits=4, stride=(2, 1), padding=(1, 1), end=end,
    )
    trace = engine.predict(two_layers(first, (1, 3, 4)), codes)
    # Output (b, f) = code(2b - 1, f - 1) + code(2b + 1, f + 1), both 0 outside.
    assert trace.outputs["first"].tolist() == [[[6, 7, 8, 0], [0, 5, 6, 7]]]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: e.name)
def test_codes_are_checked(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"codes must have shape \(1, 16, 20\)"):
        engine.predict(tiny_network(), np.zeros((1, 16, 19), np.uint8))


@pytest.mark.parametrize("block", range(BLOCKS))
def test_torch_equals_the_nested_loops_on_random_networks(block: int) -> None:
    for seed in range(block, 240, BLOCKS):
        rng = np.random.default_rng(seed)
        network = random_network(rng, size="wide" if seed % 10 == 0 else "tiny")
        codes = random_codes(rng, network)
        expected, got = (engine.predict(network, codes) for engine in ENGINES)
        assert compare(network, expected, got).identical, f"seed {seed}"


@pytest.mark.parametrize("seed", range(20))
def test_every_sum_lies_within_the_derived_range(seed: int) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng)
    inputs = random_codes(rng, network)
    trace = TorchEngine().predict(network, inputs)
    for layer in network.layers:
        low, high = layer.sum_range
        total = torch_engine.sums(layer, torch.tensor(inputs)).numpy()
        assert low <= total.min()
        assert total.max() <= high
        assert np.array_equal(total, naive.sums(layer, inputs))
        inputs = trace.outputs.get(layer.name, inputs)


def test_sums_beyond_float32_are_exact() -> None:
    # Float32 holds no odd integer above 2^24.
    weights = np.full((1, 521, 1, 1), 127, np.int8)
    weights[0, 520] = 1
    codes = np.full((521, 1, 1), 255, np.uint8)
    codes[520] = 1
    layer = Layer(name="wide", weights=weights, input_bits=8, end=raw(1))
    assert layer.sum_bits > torch_engine.FLOAT32_SUM_BITS
    total = 520 * 127 * 255 + 1
    assert total > 2**24
    assert int(np.float32(total)) != total
    network = Network(input_shape=(521, 1, 1), layers=(layer,))
    for engine in ENGINES:
        assert engine.predict(network, codes).raw.tolist() == [total]
