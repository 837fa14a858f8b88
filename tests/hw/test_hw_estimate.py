"""The cycle model: its closed forms against slow walks, and what it counts."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from golden.corners import corners
from golden.layer import Layer, Raw, Requantise, Threshold
from golden.network import Network
from golden.random_networks import random_network, tiny_network
from hw.clock import Clock
from hw.config import Config
from hw.estimate import estimate
from hw.fit import FitError
from hw.lower import lower
from hw.plan import Stage
from hw.presets import PRESETS
from hw.schedule import schedule


def bits(channels):
    return Threshold(threshold=np.zeros(channels, np.int32), flip=np.zeros(channels, np.bool_))


def codes(channels, width, shift):
    return Requantise(bias=np.zeros(channels, np.int32), shift=shift, bits=width)


def raw(outputs):
    return Raw(
        bias=np.zeros(outputs, np.int32),
        scale=np.ones(outputs),
        offset=np.zeros(outputs),
        names=tuple(f"y{i}" for i in range(outputs)),
    )


@pytest.fixture(scope="module")
def paper():
    """The paper's network in shape; its weights are zero."""
    layers, channels, width = [], 1, 8
    for name, out, pool in (
        ("conv1", 32, "max2x2"), ("conv2", 32, "max2x2"), ("conv3", 32, "max2x2"),
        ("conv4", 64, "global"),
    ):
        weights = np.zeros((out, channels, 3, 3), np.int8)
        layers.append(
            Layer(
                name=name, weights=weights, input_bits=width, padding=(1, 1), end=bits(out),
                pool=pool,
            ),
        )
        channels, width = out, 1
    for name in ("fc1", "fc2"):
        weights = np.zeros((64, 64, 1, 1), np.int8)
        layers.append(
            Layer(name=name, weights=weights, input_bits=width, end=codes(64, 8, 3)),
        )
        width = 8
    weights = np.zeros((1, 64, 1, 1), np.int8)
    layers.append(Layer(name="fc3", weights=weights, input_bits=8, end=raw(1)))
    return Network(input_shape=(1, 120, 249), layers=tuple(layers))


def slow_last_pass(stage, each, groups, begin, free):
    """Read by read, as the walker says: an output waits until the one before has left."""
    now = begin + 1
    apart = stage.layer.stride[0] if stage.from_codes else 1
    pixel, total = 0, groups * stage.group_pixels
    for _ in range(groups):
        for read in range(each.reads):
            for turn in range(2 if stage.pooled else 1):
                band, between = divmod(read - each.warm, apart)
                pixels = read >= each.warm and between == 0
                if stage.whole:
                    ends = pixels and pixel == total - 1
                else:
                    ends = pixels and (not stage.pooled or (band % 2 and turn))
                if ends:
                    now = max(now, free)
                    free = now + stage.steps
                pixel += pixels
                now += 1
    return now - 1 - begin, free


POOLS = ("none", "max2x2", "global")
ENDS = (bits(3), codes(3, 1, 0), codes(3, 3, 1), codes(3, 8, 4), codes(3, 8, 31))


@pytest.mark.parametrize("from_codes", [False, True], ids=["map", "codes"])
@pytest.mark.parametrize("pool", POOLS)
def test_a_last_pass_takes_what_a_slow_walk_counts(from_codes, pool):
    """Every combination of strides, kernels, ends, groups, and of what is still on its way out."""
    config = Config(lanes=6, columns=2, groups=2, acc_bits=24, partial_sums=400)
    tried = 0
    for kernel, stride, end in product((1, 3, 5), (1, 2, 3), ENDS):
        layer = Layer(
            name="x",
            weights=np.ones((3, 2, kernel, 3), np.int8),
            input_bits=3,
            stride=(stride, 1),
            padding=(kernel // 2, 1),
            end=end,
            pool=pool,
        )
        for bands in (1, 2, 3, 9):
            stage = Stage(
                config=config, layer=layer, number=0, shape=(2, bands, 12), from_codes=from_codes,
            )
            if min(stage.bands, stage.groups) < 1:
                continue
            clock = Clock.__new__(Clock)
            each = stage.passes[-1]
            for groups, free in product((1, 2, 5), (0, 103, 160)):
                expected = slow_last_pass(stage, each, groups, 100, free)
                assert clock._last_pass(stage, each, groups, 100, free) == expected
                tried += 1
    assert tried > 500


def test_codes_are_accepted_one_a_cycle_up_to_each_limit():
    rng = np.random.default_rng(0)
    clock = Clock.__new__(Clock)
    clock.sent = 0
    for _ in range(200):
        size = int(rng.integers(1, 5))
        since = np.cumsum(rng.integers(0, 30, size))
        since[0] = 0
        limits = np.cumsum(rng.integers(1, 20, size))
        clock.limits = list(zip(since.tolist(), limits.tolist(), strict=True))
        accepted, at = 0, {}
        for cycle in range(2, 400):  # the first word is taken in cycle 0, and written from 2 on
            limit = max(n for start, n in clock.limits if start <= cycle)
            if accepted < limit:
                accepted += 1
                at[accepted] = cycle + 1  # the count shows it a cycle later
        for count, cycle in at.items():
            assert clock._accepted(count) == cycle


def test_a_wait_without_a_limit_is_an_error_of_the_plan():
    clock = Clock.__new__(Clock)
    clock.sent = 0
    clock.limits = [(0, 5)]
    with pytest.raises(AssertionError, match="codes that it does not accept"):
        clock._accepted(6)


def test_accumulates_of_the_paper_by_hand(paper):
    found = {layer.name: layer.accumulates for layer in estimate(paper, PRESETS["medium"]).layers}
    assert found == {
        "conv1": 120 * 249 * 32 * 9 * 8,
        "conv2": 60 * 124 * 32 * 32 * 9,
        "conv3": 30 * 62 * 32 * 32 * 9,
        "conv4": 15 * 31 * 64 * 32 * 9,
        "fc1": 64 * 64,
        "fc2": 64 * 64 * 8,
        "fc3": 64 * 8,
    }
    assert list(found.values())[:4] == [68_843_520, 68_567_040, 17_141_760, 8_570_880]


def test_utilisation_is_accumulates_by_all_that_could_have_been(paper):
    found = estimate(paper, PRESETS["medium"])
    cells = 32 * 32
    for layer in found.layers:
        assert layer.utilisation == layer.accumulates / (cells * layer.cycles)
        assert 0 < layer.utilisation
    total = sum(layer.accumulates for layer in found.layers)
    assert found.utilisation == total / (cells * found.cycles)
    # A machine can do no more than one accumulate in each cell and cycle in bits.
    assert all(layer.utilisation <= 1 for layer in found.layers)


def test_no_layer_takes_more_than_the_clip(paper):
    for config in PRESETS.values():
        found = estimate(paper, config)
        assert sum(layer.cycles for layer in found.layers) <= found.cycles


def test_the_presets_for_boards_hold_the_paper_and_tiny_does_not(paper):
    for name in ("small", "medium"):
        found = estimate(paper, PRESETS[name])
        assert (found.fits, found.why) == (True, ""), found.why
    found = estimate(paper, PRESETS["tiny"])
    assert not found.fits
    with pytest.raises(FitError) as caught:
        lower(paper, PRESETS["tiny"])
    assert found.why == str(caught.value)
    assert found.cycles > estimate(paper, PRESETS["medium"]).cycles


def with_weights(network, rng):
    """The same shapes with other weights, small enough for every machine."""
    layers = tuple(
        replace(layer, weights=rng.integers(-1, 2, layer.weights.shape).astype(np.int8))
        for layer in network.layers
    )
    return replace(network, layers=layers)


def test_cycles_come_from_shapes_alone():
    rng = np.random.default_rng(1)
    for seed in range(20):
        network = random_network(np.random.default_rng(seed), size="narrow")
        other = with_weights(network, rng)
        config = replace(PRESETS["small"], acc_bits=24, pool_codes=True)
        assert estimate(network, config).as_dict() == estimate(other, config).as_dict()


def test_what_fits_is_what_can_be_lowered():
    """`fits` and the refusal agree, and what fits takes no more than is there."""
    outcomes = set()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        network = random_network(rng)
        config = Config(
            lanes=4, columns=3, groups=2, acc_bits=32, strip=4, code_frames=1 + seed % 2,
            code_words=int(rng.choice([[50, 4000], [64, 4096]][seed % 2])),
            map_words=int(rng.choice([200, 4000])),
            weight_rows=int(rng.choice([300, 9000])), partial_sums=100,
            program_words=int(rng.choice([150, 4000])),
        )
        found = estimate(network, config)
        outcomes.add(found.fits)
        if not found.fits:
            with pytest.raises(FitError) as caught:
                lower(network, config)
            assert found.why == str(caught.value)
            continue
        lowered = lower(network, config)
        assert found.why == ""
        assert found.memory_bits["program"] == len(lowered.program) * 32
        assert found.memory_bits["weights"] == lowered.weights.size * 8
        assert found.memory_bits.keys() == config.memory_bits.keys()
        for name, used in found.memory_bits.items():
            assert used <= config.memory_bits[name], name
    assert outcomes == {False, True}


def test_what_is_refused_for_another_reason_than_memory_is_an_error():
    weights = np.full((1, 1, 1, 1), -128, np.int8)
    first = Layer(name="first", weights=np.repeat(weights, 64, 0), input_bits=8, end=bits(64))
    weights = np.full((1, 64, 5, 5), 127, np.int8)
    wide = Layer(name="wide", weights=weights, input_bits=1, end=raw(1))
    network = Network(input_shape=(1, 5, 5), layers=(first, wide))
    with pytest.raises(FitError, match="^layer wide does not fit: its sums need 19 bits"):
        estimate(network, Config(lanes=4, columns=2, acc_bits=18))


def test_a_longer_clip_takes_longer():
    cycles = []
    for frames in (20, 40, 80):
        network = replace(tiny_network(), input_shape=(1, 16, frames), front_end=None)
        cycles.append(estimate(network, PRESETS["medium"]).cycles)
    assert cycles == sorted(cycles)
    assert len(set(cycles)) == 3


def test_load_cycles_are_those_of_the_packets():
    """One word a cycle of program, one weight a cycle, and what the two packets add."""
    for network in (tiny_network(), corners()["requantise-edges"][0]):
        for config in PRESETS.values():
            program, weights = lower(network, config).load_packets()
            # Headers and addresses 4, two replies; a word of weights takes four cycles.
            due = (len(program) - 2) + 4 * (len(weights) - 2) + 6
            assert estimate(network, config).load_cycles == due


def test_an_estimate_is_plain_data():
    found = estimate(tiny_network(), PRESETS["tiny"]).as_dict()
    assert list(found) == [
        "layers", "cycles", "load_cycles", "utilisation", "lanes", "columns", "memory_bits",
        "fits", "why",
    ]
    assert [layer["name"] for layer in found["layers"]] == [
        layer.name for layer in tiny_network().layers
    ]
    assert set(found["layers"][0]) == {"name", "cycles", "accumulates", "utilisation"}
    assert found["memory_bits"].keys() == PRESETS["tiny"].memory_bits.keys()


def test_the_estimate_follows_the_schedule():
    """The memory that is counted is the plan's."""
    plan = schedule(tiny_network(), PRESETS["tiny"])
    found = estimate(tiny_network(), PRESETS["tiny"])
    assert found.memory_bits["codes"] == plan.rings[0].size * 8
    assert found.memory_bits["maps"] == plan.map_words * plan.config.row_bits
