"""Random networks: the same from the same seed, all kinds come up, nothing is silent."""

from collections import Counter

import numpy as np
import pytest

from golden.layer import Requantise, Threshold
from golden.random_networks import KERNELS, SIZES, Size, random_codes, random_network, tiny_network
from golden.torch_engine import TorchEngine

SEEDS = range(300)


def test_the_same_seed_gives_the_same_network_and_codes() -> None:
    def draw(seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        parts = [layer.weights.tobytes() for layer in network.layers]
        return b"".join(parts) + random_codes(rng, network).tobytes()

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


def test_everything_that_the_contract_allows_comes_up() -> None:
    seen: Counter[object] = Counter()
    for seed in SEEDS:
        network = random_network(np.random.default_rng(seed))
        seen[f"outputs {network.raw.bias.size}"] += 1
        for layer in network.layers:
            seen[layer.kernel] += 1
            seen[f"input_bits {layer.input_bits}"] += 1
            seen[f"pool {layer.pool}"] += 1
            seen[f"stride {layer.stride}"] += 1
            seen[f"in {layer.in_channels}"] += 1
            seen["same"] += layer.padding > (0, 0)
            seen["-128"] += bool((layer.weights == -128).any())
            if isinstance(layer.end, Threshold):
                seen["flips"] += bool(layer.end.flip.any())
            elif isinstance(layer.end, Requantise):
                seen[f"bits {layer.end.bits}"] += 1
                seen["shift 0"] += layer.end.shift == 0
                seen["shift > 8"] += layer.end.shift > 8
    wanted: list[object] = [*KERNELS, "same", "-128", "flips", "shift 0", "shift > 8"]
    wanted += [f"pool {pool}" for pool in ("none", "max2x2", "global")]
    wanted += [f"stride {(a, b)}" for a in (1, 2) for b in (1, 2)]
    wanted += [f"{what} {n}" for n in range(1, 9) for what in ("input_bits", "bits")]
    wanted += [f"in {n}" for n in (1, 3, 5, 7, 8)] + [f"outputs {n}" for n in (1, 2, 3, 4)]
    assert [what for what in wanted if seen[what] < 5] == []


@pytest.mark.parametrize("size", SIZES)
def test_bounds_hold(size: str) -> None:
    bounds = SIZES[size]
    for seed in range(40):
        network = random_network(np.random.default_rng(seed), size=size)
        channels, bands, frames = np.max(network.shapes, axis=0)
        assert channels <= max(bounds.channels, 4)  # or as many as there are outputs
        assert bands <= bounds.bands + 4
        assert frames <= bounds.frames + 4
        assert len(network.layers) <= bounds.convolutions + bounds.dense + 2
        assert max(layer.sum_bits for layer in network.layers) <= bounds.sum_bits


def test_bounds_may_be_given() -> None:
    rng = np.random.default_rng(0)
    network = random_network(rng, size=Size(channels=2, bands=5, frames=5, convolutions=1))
    assert max(layer.in_channels for layer in network.layers) <= 3


def test_most_maps_are_mixed() -> None:
    varied = whole = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        for output in TorchEngine().predict(network, random_codes(rng, network)).outputs.values():
            if output.size > 8:
                whole += 1
                varied += bool(output.min() < output.max())
    assert varied > 0.75 * whole > 0


def test_the_tiny_network_has_the_form_of_the_paper_and_hears() -> None:
    network = tiny_network()
    assert [layer.name for layer in network.layers] == [
        "conv1", "conv2", "conv3", "conv4", "fc1", "fc2", "out",
    ]
    assert network.shapes[0] == (1, 16, 20)
    assert network.front_end is not None
    traces = [
        TorchEngine().predict(network, random_codes(np.random.default_rng(seed), network))
        for seed in range(8)
    ]
    for name in ("conv1", "conv2", "conv3", "conv4", "fc1", "fc2"):
        outputs = [trace.outputs[name] for trace in traces]
        assert np.min(outputs) < np.max(outputs), name
    assert len({tuple(trace.raw) for trace in traces}) > 4
