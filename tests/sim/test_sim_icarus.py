"""A second opinion: the machine in Icarus Verilog, where unknown bits would show."""

import numpy as np
import pytest

from golden.random_networks import Size, random_codes, random_network
from golden.torch_engine import TorchEngine
from golden.trace import Trace, compare
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import to_verilog
from hw.estimate import estimate
from hw.lower import lower
from sim.bench import design
from sim.build import Model, build
from sim.job import Job, Phase
from sim.simulation import run
from sim.toolchain import has_icarus

pytestmark = pytest.mark.skipif(not has_icarus(), reason="Icarus Verilog is not installed")

CONFIG = Config(
    lanes=6,
    columns=2,
    groups=3,
    acc_bits=22,
    strip=8,
    code_words=512,
    map_words=1024,
    weight_rows=2048,
    partial_sums=64,
    program_words=1024,
)
SIZE = Size(channels=4, bands=8, frames=8, convolutions=2, dense=1)


@pytest.fixture(scope="module")
def model() -> Model:
    """Build the machine with Icarus."""
    text = to_verilog(Accelerator(CONFIG), zeroed=True)
    return build(design(text, "accelerator"), simulator="icarus")


@pytest.mark.parametrize("seed", range(6))
def test_icarus_agrees(model: Model, seed: int) -> None:
    """Every layer's bits, and every cycle, as torch and the cycle model have them."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, size=SIZE)
    codes = random_codes(rng, network)
    quiet, full = lower(network, CONFIG), lower(network, CONFIG, maps=True)
    phases = []
    for lowered in (quiet, full):
        clip = Phase(packets=tuple(lowered.clip_packets(codes)), replies=lowered.reply_count())
        phases += [Phase(packets=tuple(lowered.load_packets()), replies=2), clip]
    predicted = estimate(network, CONFIG)
    patience = 20 * (predicted.cycles + predicted.load_cycles)
    played = run(model, Job(phases=tuple(phases), timeout=patience)).phases

    assert quiet.decode(played[1].replies).cycles == predicted.cycles
    answer = full.decode(played[3].replies)
    got = Trace(outputs=answer.outputs, raw=answer.raw)
    assert compare(network, TorchEngine().predict(network, codes), got).first is None
