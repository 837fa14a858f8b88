"""Random networks on machines of many shapes: the same bits and, exactly, the cycles predicted."""

from itertools import cycle, islice

import numpy as np
import pytest

from golden.random_networks import random_codes, random_network
from golden.torch_engine import TorchEngine
from golden.trace import compare
from hw.accelerator import Accelerator
from hw.emit import to_verilog
from hw.estimate import estimate
from hw.fit import FitError
from hw.lower import lower
from sim.collisions import spoiling
from sim.engine import RtlEngine

pytestmark = pytest.mark.cosim

NETWORKS = {
    "tiny": 35, "odd": 35, "thin": 10, "seven": 30, "wide": 35, "line": 8, "flat": 20, "table": 20,
    "table8": 12, "mac": 12, "nine": 15, "pair": 20, "four": 15, "compact": 30, "short": 10,
    "compact table": 15, "compact mac": 12, "buffered": 25, "buffered row": 12, "buffered cell": 8,
}
"""How many, by machine: together 379."""


def fitting(config, count, seed, suited):
    """Draw `count` networks that fit; return them lowered without and with maps."""
    rng = np.random.default_rng(seed)
    found, refused = [], 0
    sizes = ("tiny", "small", "wide") if config.columns > 1 else ("tiny",)
    for size in cycle(sizes):
        network = suited(random_network(rng, size=size), config)
        codes = random_codes(rng, network)
        try:
            pair = lower(network, config), lower(network, config, maps=True)
        except FitError:
            refused += 1
            assert refused < 10 * count, "most networks must fit"
            continue
        found.append((network, codes, pair))
        if len(found) == count:
            return found
    raise AssertionError


def test_two_hundred_are_drawn():
    assert sum(NETWORKS.values()) >= 200


@pytest.mark.parametrize("machine", NETWORKS)
def test_bits_and_cycles_are_those_predicted(engines, machine, suited):
    compared(engines(machine), NETWORKS[machine], len(machine), suited)


@pytest.mark.parametrize("machine", ["line", "table", "pair", "compact", "buffered"])
def test_no_word_is_looked_at_that_is_written_while_it_is_read(machines, machine, suited):
    """The same with memories that spoil such words: see `sim.collisions`."""
    config = machines[machine]
    with spoiling():
        text = to_verilog(Accelerator(config))
    assert text != to_verilog(Accelerator(config))
    compared(RtlEngine(config, verilog=text), 8, 1, suited)


def compared(engine, count, seed, suited):
    """Play `count` networks, with maps and without; bits and cycles must be those predicted."""
    found = fitting(engine.config, count, seed, suited)
    work = [(lowered, [codes]) for _, codes, pair in found for lowered in pair]
    traces = iter(engine.predict_lowered(work))
    for number, (network, codes, _) in enumerate(found):
        (plain,), (mapped,) = islice(traces, 2)
        expected = TorchEngine().predict(network, codes)
        predicted = estimate(network, engine.config)
        shapes = [layer.weights.shape for layer in network.layers]
        where = f"network {number}: {network.input_shape}, {shapes}"
        assert compare(network, expected, mapped).first is None, where
        assert np.array_equal(plain.raw, expected.raw), where
        assert plain.cycles == predicted.cycles, where
        assert plain.load_cycles == predicted.load_cycles, where
        assert sum(layer.cycles for layer in predicted.layers) <= predicted.cycles
        assert mapped.cycles >= plain.cycles
