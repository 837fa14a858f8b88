"""The accelerator in Verilator against vector files: layer by layer, whole, and misused."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from golden.random_networks import random_codes, random_network, tiny_network
from golden.vectors import corner_vectors, read_vectors, vectors
from sim.simulation import SimulationError, run_module

pytestmark = pytest.mark.cosim

MODULE = "sim.accelerator_tests"
SEEDS = (29, 42, 43, 3)  # together every kernel, stride, pooling, end and width, see the test


@pytest.fixture(scope="session")
def corners(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("corners")
    return [folder / name for name in corner_vectors(folder)]


@pytest.fixture(scope="session")
def kinds(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("kinds")
    networks = [tiny_network(), *(random_network(np.random.default_rng(s)) for s in SEEDS)]
    for number, network in enumerate(networks):
        codes = random_codes(np.random.default_rng(number), network)
        vectors(codes, network, folder / str(number), seed=number)
    return [folder / str(number) for number in range(len(networks))]


@pytest.fixture
def play(engines, machines, tmp_path):
    def run(machine, test, folders, *, gap=0.0, stall=0.0, seed=1):
        settings = {
            "config": asdict(machines[machine]),
            "folders": [str(folder) for folder in folders],
            "gap": gap,
            "stall": stall,
            "seed": seed,
        }
        run_module(
            engines(machine).model, MODULE, tmp_path / "run", testcase=test,
            environment={"BAMBINO_TEST": json.dumps(settings)},
        )

    return run


def test_the_networks_hold_every_kind_of_layer(kinds):
    layers = [layer for folder in kinds for layer in read_vectors(folder).network.layers]
    assert {layer.kernel for layer in layers} >= {(1, 1), (1, 3), (3, 1), (3, 3), (5, 5)}
    assert {layer.pool for layer in layers} == {"none", "max2x2", "global"}
    assert {type(layer.end).__name__ for layer in layers} == {"Threshold", "Requantise", "Raw"}
    assert {stride for layer in layers for stride in layer.stride} == {1, 2}
    assert {bool(sum(layer.padding)) for layer in layers} == {False, True}
    assert {layer.input_bits for layer in layers} == set(range(1, 9))


@pytest.mark.parametrize("test", ["whole", "layer_by_layer"])
@pytest.mark.parametrize("machine", ["tiny", "odd"])
def test_agrees_with_the_corner_vectors(play, corners, machine, test):
    play(machine, test, corners)


@pytest.mark.parametrize("test", ["whole", "layer_by_layer"])
@pytest.mark.parametrize("machine", ["odd", "seven", "wide"])
def test_agrees_with_every_kind_of_layer(play, kinds, machine, test):
    play(machine, test, kinds)


@pytest.mark.parametrize(("gap", "stall"), [(0.3, 0.0), (0.0, 0.5), (0.3, 0.3), (0.8, 0.8)])
@pytest.mark.parametrize("machine", ["tiny", "wide"])
def test_gaps_and_stalls_change_no_bit(play, kinds, machine, gap, stall):
    play(machine, "whole", kinds[:1] if machine == "tiny" else kinds, gap=gap, stall=stall)


@pytest.mark.parametrize("test", ["back_to_back", "another_network", "reset_in_mid_run"])
@pytest.mark.parametrize(("machine", "stall"), [("odd", 0.0), ("wide", 0.2)])
def test_is_ready_again(play, kinds, machine, test, stall):
    play(machine, test, kinds, stall=stall)


@pytest.mark.parametrize(("machine", "gap"), [("tiny", 0.0), ("seven", 0.3)])
def test_refuses_wrong_commands_and_goes_on(play, kinds, machine, gap):
    play(machine, "refuses_and_goes_on", kinds[:1], gap=gap)


def flip_bit(path: Path, array: str, bit: int) -> None:
    """Invert one bit of one element of an array in a file: channel 1, band 2, frame 3, if there."""
    with np.load(path) as stored:
        arrays = dict(stored)
    at = tuple(min(k, n - 1) for k, n in zip((1, 2, 3), arrays[array].shape, strict=False))
    arrays[array][at] ^= 1 << bit
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("file", "array", "bit", "test", "message"),
    [
        ("layer0.npz", "output", 0, "whole", "layer conv1, channel 1, band 2, frame 3"),
        ("layer3.npz", "output", 0, "whole", "layer conv4, channel 1"),
        ("whole.npz", "raw", 0, "whole", "layer out, channel 1"),
        ("whole.npz", "codes", 7, "whole", "layer "),
        ("layer2.npz", "output", 0, "layer_by_layer", "layer conv3, channel 1"),
        ("layer6.npz", "output", 0, "layer_by_layer", "layer out, channel 1"),
        ("layer1.npz", "input", 0, "layer_by_layer", "layer "),
    ],
)
def test_one_altered_bit_fails(play, tmp_path, file, array, bit, test, message):
    network = tiny_network()
    folder = tmp_path / "vectors"
    vectors(random_codes(np.random.default_rng(1), network), network, folder)
    flip_bit(folder / file, array, bit)
    with pytest.raises(SimulationError, match=message):
        play("tiny", test, [folder])
