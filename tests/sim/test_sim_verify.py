"""`verify` is silent where all is right, and says where and shows when where it is not."""

import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from golden.network import Network
from golden.random_networks import random_codes, tiny_network
from hw.lower import lower
from hw.packets import Reply
from hw.presets import preset
from sim import waves
from sim.engine import RtlEngine
from sim.simulation import SimulationError, run
from sim.verify import oracles, verify

pytestmark = pytest.mark.cosim

LISTED = {"identical", "layers", "cycles", "estimated_cycles", "load_cycles"}


@pytest.fixture(scope="module")
def network() -> Network:
    return tiny_network()


@pytest.fixture(scope="module")
def clips(network):
    rng = np.random.default_rng(4)
    return [random_codes(rng, network) for _ in range(2)]


@pytest.fixture(scope="module")
def right() -> RtlEngine:
    return RtlEngine(preset("tiny"))


@pytest.fixture(scope="module")
def wrong(right) -> RtlEngine:
    """Return a machine whose thresholds compare the wrong way."""
    column_end = right.verilog.index("module \\column.end")
    changed, count = re.subn(r"~ total\[", "total[", right.verilog[column_end:], count=1)
    assert count == 1, "the column's end must take the inverted sign of its total"
    return RtlEngine(right.config, verilog=right.verilog[:column_end] + changed)


def test_says_that_all_is_identical(right, network, clips, tmp_path):
    found = verify(right, network, clips, waves=tmp_path / "none.vcd")
    assert found.identical
    assert found.good
    assert found.first is None
    assert found.oracles == ("torch", "adds", "naive")
    assert set(found.as_dict()) == LISTED
    assert [layer.name for layer in found.layers] == [layer.name for layer in network.layers]
    shapes = network.shapes[1:]
    elements = [int(np.prod(shape)) * len(clips) for shape in shapes]
    assert [layer.elements for layer in found.layers] == elements
    assert not any(layer.mismatches for layer in found.layers)
    assert found.cycles == found.estimated_cycles > 0
    assert found.load_cycles > 0
    assert not (tmp_path / "none.vcd").exists()


def test_names_the_first_difference_and_shows_its_cycles(
    wrong, network, clips, tmp_path, monkeypatch,
):
    monkeypatch.setattr(waves, "CELL_CYCLES", 100 * wrong.config.lanes * wrong.config.columns)
    path = tmp_path / "waves.vcd"
    found = verify(wrong, network, clips, waves=path)
    assert not found.identical
    assert not found.good
    assert found.first is not None
    clip, difference = found.first
    assert clip == 0
    assert difference.layer == "conv1"
    assert found.layers[0].mismatches > 0
    assert found.as_dict()["identical"] is False
    text = path.read_text()
    assert "map_memory" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    lowered = lower(network, wrong.config, maps=True)
    played = run(wrong.model, wrong.job([(lowered, clips[:1])])).phases[-1]
    first, last = waves.span(lowered, played, difference)
    assert 0 < first < last < first + 400
    assert (first - 1) * 10_000 <= min(times) <= (first + 1) * 10_000
    assert last * 10_000 - 20_000 <= max(times) <= last * 10_000 + 10_000


def test_finds_the_word_that_carries_an_element(right, network, clips):
    lowered = lower(network, right.config, maps=True)
    played = run(right.model, right.job([(lowered, clips[:1])])).phases[-1]
    answer = lowered.decode(played.replies)
    for layer, at in (("conv1", (2, 3, 4)), ("conv2", (5, 1, 2)), ("fc1", (7, 0, 0))):
        element = waves.Difference(
            layer=layer, channel=at[0], band=at[1], frame=at[2], expected=0, got=0,
        )
        reply, word = waves.locate(lowered, played.replies, element)
        kind, number = divmod(int(played.replies[reply][0]), 1 << 24)
        assert kind == Reply.MAP
        assert network.layers[number].name == layer
        changed = [each.copy() for each in played.replies]
        changed[reply][word] ^= np.uint32(0xFFFFFFFF)
        assert lowered.decode(changed).outputs[layer][at] != answer.outputs[layer][at]
    raw = waves.Difference(layer="out", channel=1, band=0, frame=0, expected=0, got=0)
    assert waves.locate(lowered, played.replies, raw) == (len(played.replies) - 1, 2)


def test_asks_the_nested_loops_only_for_small_work(network):
    assert [oracle.name for oracle in oracles(network, 2)] == ["torch", "adds", "naive"]
    assert [oracle.name for oracle in oracles(network, 1000)] == ["torch", "adds"]


def test_refuses_to_verify_nothing(right, network):
    with pytest.raises(ValueError, match="at least one clip"):
        verify(right, network, [])


def test_refuses_a_waveform_that_cannot_be_written(right, network, clips, tmp_path):
    with pytest.raises(OSError, match="folder must be writable"):
        verify(right, network, clips, waves=tmp_path / "nowhere" / "waves.vcd")


def test_a_wrong_count_of_cycles_is_an_error(right, network, clips):
    text, count = re.subn(
        r"(\\\$\d+ ) = cycles \+ 1'h1", r"\1 = cycles + 2'h2", right.verilog,
    )
    assert count == 1, "the accelerator must count its cycles"
    engine = RtlEngine(right.config, verilog=text)
    with pytest.raises(SimulationError, match=r"must count \d+ cycles, not \d+"):
        engine.predict(network, clips[0])


def test_an_error_of_the_machine_is_named(right, network, clips):
    lowered = lower(network, right.config)
    broken = replace(lowered, weights=np.zeros((right.config.weight_rows + 8, 4), np.int8))
    with pytest.raises(SimulationError, match="not answer RANGE"):
        right.predict_lowered([(broken, clips)])


DATA = Path(
    os.environ.get("BAMBINO_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"),
)
SPEECH = DATA / "speech"


@pytest.mark.skipif(not SPEECH.is_dir(), reason="set BAMBINO_DATA to the recordings")
def test_a_real_clip_agrees(right, network):
    from golden import clip

    path = sorted(SPEECH.rglob("*.flac"))[0]
    window = clip.windows(network, path)[0]
    assert verify(right, network, [window.codes]).good
