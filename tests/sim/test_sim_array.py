"""The array alone, in Verilator, against vector files."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from golden.random_networks import random_codes, tiny_network
from golden.vectors import corner_vectors, vectors
from hw.array import Array
from hw.emit import to_verilog
from sim.build import Design, build
from sim.simulation import SimulationError, run_module

pytestmark = pytest.mark.cosim


@pytest.fixture
def play(machines, tmp_path):
    def run(machine, folders):
        config = machines[machine]
        verilog = to_verilog(Array(config), "array")
        settings = {"config": asdict(config), "folders": [str(folder) for folder in folders]}
        run_module(
            build(Design(top="array", verilog=verilog)), "sim.array_tests", tmp_path / "run",
            environment={"BAMBINO_TEST": json.dumps(settings)},
        )

    return run


@pytest.fixture
def folders(tmp_path):
    network = tiny_network()
    vectors(random_codes(np.random.default_rng(2), network), network, tmp_path / "tiny")
    corners = tmp_path / "corners"
    return [tmp_path / "tiny", *(corners / name for name in corner_vectors(corners))]


@pytest.mark.parametrize("machine", ["tiny", "odd", "table"])
def test_layers_of_bits_come_out_as_the_files_say(play, folders, machine):
    play(machine, folders)


def test_one_altered_bit_fails(play, folders):
    path = folders[0] / "layer1.npz"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["output"][2, 1, 1] ^= 1
    np.savez(path, **arrays)
    with pytest.raises(SimulationError, match=r"layer conv2, output \d+, channel 2: expected"):
        play("tiny", folders[:1])
