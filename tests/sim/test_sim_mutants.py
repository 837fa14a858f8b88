"""The bench sees faults: one operator of the generated Verilog taken for another."""

import re
from dataclasses import replace

import numpy as np
import pytest

from golden.corners import corners
from golden.random_networks import random_codes, random_network, tiny_network
from golden.torch_engine import TorchEngine
from golden.trace import compare
from hw.config import Config
from hw.estimate import estimate
from hw.fit import FitError
from hw.lower import lower
from hw.replies import ReplyError
from sim.engine import RtlEngine, clip_trace, load_time
from sim.mutants import SWAPPED, plant
from sim.simulation import SimulationError, run

CONFIG = Config(
    lanes=12, columns=4, groups=2, acc_bits=20, strip=4, code_words=160, map_words=600,
    weight_rows=4096, partial_sums=64, program_words=1024,
)
COMPACT = replace(CONFIG, lanes=8, groups=1, compact=True)
DATA_PATH = (
    r"column|cell|window|writer|walker|reader|end_steps|ingest|loader|pass_fetch|map_memory"
    r"|array|delay_line"
)
ARRAY = r"column|cell|window|array"
FAULTS = 20

SMALL = """
module first(a, b, y, z);
  assign \\$1  = a + b;
  assign \\$2  = $signed(a) < $signed(b);
endmodule

module \\second.end (fsm_state, x);
  assign \\$1  = fsm_state == 1'h1;
  assign \\$2  = x & a;
endmodule
"""


@pytest.mark.unit
def test_plants_each_fault_behind_its_number():
    text, faults = plant(SMALL, 10, seed=1)
    assert [str(fault) for fault in faults] == [
        "first: a + b became a - b",
        "first: $signed(a) < $signed(b) became $signed(a) <= $signed(b)",
    ]
    assert "assign \\$1  = (bambino_fault == 1) ? (a - b) : (a + b);" in text
    assert text.count("integer bambino_fault;") == 1
    assert plant(SMALL, 10, seed=1, within="second") == (SMALL, [])


@pytest.mark.unit
def test_every_operator_becomes_another():
    assert all(wrong != right for right, wrong in SWAPPED.items())


def work(config):
    """Return what each fault must meet: networks, lowered with and without maps, and codes."""
    named = corners()
    chosen = [(tiny_network(), random_codes(np.random.default_rng(0), tiny_network()))]
    chosen += [named[name] for name in ("sum-at-threshold", "weights-all-minus-128-8-bit")]
    found = [
        (lower(network, config, maps=maps), [codes])
        for network, codes in chosen
        for maps in (True, False)
    ]
    rng = np.random.default_rng(5)
    while len(found) < 13:
        network = random_network(rng)
        codes = random_codes(rng, network)
        try:
            found.append((lower(network, config, maps=True), [codes]))
        except FitError:
            continue
    return found


@pytest.mark.cosim
@pytest.mark.parametrize("config", [CONFIG, COMPACT], ids=["spread", "compact"])
def test_planted_faults_are_seen(config):
    clean = RtlEngine(config)
    verilog, faults = plant(clean.verilog, FAULTS, seed=1, within=DATA_PATH)
    assert len(faults) == FAULTS
    engine = RtlEngine(config, verilog=verilog)
    played = work(config)
    expected = [TorchEngine().predict(low.schedule.network, codes[0]) for low, codes in played]
    job = replace(engine.job(played), timeout=60_000)

    def seen(number: int) -> bool:
        try:
            result = run(engine.model, job, plusargs=(f"+fault={number}",))
            phases = iter(result.phases)
            for (lowered, _), want in zip(played, expected, strict=True):
                network = lowered.schedule.network
                load_time(lowered, next(phases))
                got = clip_trace(lowered, next(phases), None)
                if lowered.maps and compare(network, want, got).first is not None:
                    return True
                if not np.array_equal(want.raw, got.raw):
                    return True
                if not lowered.maps and got.cycles != estimate(network, config).cycles:
                    return True
        except (SimulationError, ReplyError):
            return True
        return False

    assert not seen(0), "without a fault all must be right"
    survivors = [fault for fault in faults if not seen(fault.number)]
    # Some faults change nothing that can be seen: an address of which one bit is ever used, a
    # count that wraps to where it would have ended.
    assert not [str(fault) for fault in survivors if re.search(ARRAY, fault.module)]
    assert len(survivors) <= FAULTS // 6, [str(fault) for fault in survivors]
