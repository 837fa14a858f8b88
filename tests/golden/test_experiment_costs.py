"""Memory and work of a network: by hand, by loops, and against what is known of the paper's."""

import numpy as np
import pytest

from golden import netfile
from golden.clip import SHIPPED
from golden.experiment import memory, surrogate
from golden.experiment.work import multiplications, needed_accumulates, spared_about, work
from golden.layer import Layer, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_codes, tiny_network


@pytest.fixture(scope="module")
def shipped() -> Network:
    return netfile.load(SHIPPED)


def by_hand(layer: Layer, values: np.ndarray) -> int:
    """Count what `needed_accumulates` counts, one product at a time."""
    pads = [(0, 0), *((p, p) for p in layer.padding)]
    padded = np.pad(values, pads)
    _, bands, frames = layer.map_shape(values.shape)
    found = 0
    for band in range(bands):
        for frame in range(frames):
            b, f = band * layer.stride[0], frame * layer.stride[1]
            seen = padded[:, b : b + layer.kernel[0], f : f + layer.kernel[1]]
            found += sum(int(value).bit_count() for value in seen.ravel())
    return found * layer.out_channels


@pytest.mark.parametrize("bits", [1, 3, 8])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [((3, 3), (1, 1), (1, 1)), ((2, 4), (2, 3), (0, 2))],
)
def test_accumulates_of_a_one(bits, kernel, stride, padding) -> None:
    rng = np.random.default_rng(bits)
    layer = Layer(
        name="conv", weights=rng.integers(-9, 9, (5, 2, *kernel)).astype(np.int8), input_bits=bits,
        stride=stride, padding=padding,
        end=Threshold(threshold=np.zeros(5, np.int32), flip=np.zeros(5, np.bool_)),
    )
    values = rng.integers(0, 2**bits, (2, 7, 9)).astype(np.uint8)
    assert needed_accumulates(layer, values) == by_hand(layer, values)
    full = np.full_like(values, 2**bits - 1)
    most = layer.accumulates(values.shape)
    assert needed_accumulates(layer, full) == by_hand(layer, full) <= most
    assert needed_accumulates(layer, np.zeros_like(values)) == 0


def test_work_follows_the_traces() -> None:
    network = tiny_network()
    codes = [random_codes(np.random.default_rng(i), network) for i in range(2)]
    traces = [NaiveEngine().predict(network, one) for one in codes]
    found = work(network, codes, traces)
    assert [each.name for each in found] == [layer.name for layer in network.layers]
    assert found[0].needed == np.mean([by_hand(network.layers[0], one) for one in codes])
    first = network.layers[0].name
    bits = np.mean([trace.outputs[first].mean() for trace in traces])
    assert found[0].output_ones == found[1].input_ones == pytest.approx(bits)
    assert 0 < found[1].spared < 1
    assert found[-1].output_ones is None
    for each, layer in zip(found, network.layers, strict=True):
        assert each.accumulates == each.macs * layer.input_bits


def test_spared_by_shares_of_ones(shipped: Network) -> None:
    assert spared_about(shipped, {}) is None
    assert spared_about(shipped, {"conv1": 0.25}) == pytest.approx(0.75)
    conv2, conv3 = 68_567_040, 17_141_760
    both = spared_about(shipped, {"conv1": 0.25, "conv2": 1.0})
    assert both == pytest.approx(0.75 * conv2 / (conv2 + conv3))
    conv1 = 68_843_520
    both = spared_about(shipped, {"codes": 0.5, "conv1": 0.25})
    assert both == pytest.approx((0.5 * conv1 + 0.75 * conv2) / (conv1 + conv2))


def test_multiplications(shipped: Network) -> None:
    pairs = list(zip(shipped.layers, shipped.shapes, strict=False))
    whole = {layer.name: multiplications(layer, shape, planes=False) for layer, shape in pairs}
    assert whole == {
        "conv1": 8_605_440, "conv2": 0, "conv3": 0, "conv4": 0, "dense1": 0, "dense2": 4096,
        "dense3": 64,
    }
    assert all(multiplications(layer, shape, planes=True) == 0 for layer, shape in pairs)


def test_memory_of_the_papers_network(shipped: Network) -> None:
    widths = memory.VARIANTS["bam-w8"]
    assert memory.weight_bits(shipped, memory.VARIANTS["float"]) == 45_697 * 32
    assert memory.weight_bits(shipped, widths) == (45_697 - 289) * 8 + 289 * 32
    outputs = [32 * 120 * 249, 32 * 60 * 124, 32 * 30 * 62, 64 * 15 * 31]
    codes = 120 * 249 * 8
    pooled = 32 * 60 * 124 + 32 * 30 * 62 + 32 * 15 * 31 + 64
    # three frames of each input, and the begun frames: 2 kB as it has been reckoned by hand
    strips = 3 * (120 * 8 + 32 * 60 + 32 * 30 + 32 * 15) + 32 * (60 + 30 + 15) + 64
    assert strips == 2048 * 8
    for model, bits in (
        ("all conv outputs", sum(outputs)),
        ("all conv outputs, 8-bit input", sum(outputs) + codes),
        ("largest map", outputs[0]),
        ("pooled maps, 8-bit input", codes + pooled),
        ("strips of one frame, 8-bit input", strips),
    ):
        assert memory.MODELS[model](shipped, widths) == bits, model
    assert memory.conv_outputs(shipped, memory.VARIANTS["float"]) == 32 * sum(outputs)
    assert memory.conv_outputs(shipped, memory.VARIANTS["a8w8"]) == 8 * sum(outputs)
    for model, less in (
        ("all conv outputs", outputs[-1]),
        ("all conv outputs, 8-bit input", outputs[-1]),
        ("largest map", 0),
        ("pooled maps, 8-bit input", 64),
        ("strips of one frame, 8-bit input", 64),
    ):  # seven bits more for what stands before the global maximum, or behind it
        found = memory.MODELS[model](shipped, memory.VARIANTS["maxima-codes"])
        assert found == memory.MODELS[model](shipped, widths) + 7 * less, model
        found = memory.MODELS[model](shipped, memory.VARIANTS["maxima-2bit"])
        assert found == memory.MODELS[model](shipped, widths) + less, model
    assert memory.factor(shipped, memory.CLAIMED, "float") == 1
    assert memory.factor(shipped, memory.CLAIMED, "maxima-2bit") >= 25
    assert memory.factor(shipped, memory.CLAIMED, "bam-w8") >= 25


@pytest.mark.parametrize("beta", [0.5, 1.0, 20.0])
def test_the_surrogate_is_the_papers(beta: float) -> None:
    u = np.linspace(-2, 2, 9)
    assert surrogate.derivative(u, beta) == pytest.approx(1 / (beta * np.abs(u) + 1) ** 2)
    assert surrogate.bits(u).tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
