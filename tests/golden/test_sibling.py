"""The 8-bit sibling: legal, the same in both oracles, and as near to its parent as it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from golden import clip, netfile
from golden.layer import Layer, Raw, Requantise, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_codes, random_network, tiny_network
from golden.rules import NetworkError
from golden.sibling import eight_bit, shipped_sibling
from golden.torch_engine import TorchEngine
from golden.trace import Trace, compare
from tests.golden.living import living

ACCUMULATOR_BITS = 24
"""What the machine's accumulators hold."""


@pytest.fixture(scope="module")
def shipped() -> Network:
    return netfile.load(clip.SHIPPED)


@pytest.fixture(scope="module")
def sibling() -> Network:
    return shipped_sibling()


@pytest.fixture(scope="module")
def demo(sibling: Network) -> Trace:
    return TorchEngine().predict(sibling, clip.windows(sibling)[0].codes)


def two_layers(weights: list[list[int]], threshold: list[int], flip: list[bool]) -> Network:
    """Give a 1x1 layer ``[out, in]`` that ends in bits on a 1x4 map, and a sum of all of it."""
    kernels = np.array(weights, np.int8)[:, :, None, None]
    end = Threshold(threshold=np.array(threshold, np.int32), flip=np.array(flip))
    first = Layer(name="first", weights=kernels, input_bits=8, end=end)
    raw = Raw(
        bias=np.array([-6], np.int32), scale=np.full(1, 0.5), offset=np.ones(1), names=("y",),
    )
    ones = np.ones((1, len(weights), 1, 4), np.int8)
    sums = Layer(name="sums", weights=ones, input_bits=1, end=raw)
    return Network(input_shape=(kernels.shape[1], 1, 4), layers=(first, sums))


def test_the_shipped_one_has_the_same_shape_in_8_bits(shipped: Network, sibling: Network) -> None:
    assert sibling.shapes == shipped.shapes
    assert sibling.front_end is not None
    assert [layer.input_bits for layer in sibling.layers] == [8] * 7
    for old, new in zip(shipped.layers, sibling.layers, strict=True):
        assert (old.name, old.pool, old.stride, old.padding) == (
            new.name, new.pool, new.stride, new.padding,
        )
        assert np.array_equal(old.weights, new.weights)  # the shipped network flips nothing
        assert isinstance(new.end, Raw) or (isinstance(new.end, Requantise) and new.end.bits == 8)


def test_the_shipped_one_fits_the_accumulators(sibling: Network) -> None:
    bits = [layer.sum_bits for layer in sibling.layers]
    assert bits == [19, 22, 22, 23, 21, 21, 20]
    assert max(bits) <= ACCUMULATOR_BITS


def test_codes_of_the_demo_clip_are_spread(sibling: Network, demo: Trace) -> None:
    # Of the dense layers, the units that can fire. They have but one code a clip, so that the clip
    # is heard at several levels.
    units = living(sibling)
    heard = clip.windows(sibling)[0].codes.astype(np.int64)
    louder = [
        TorchEngine().predict(sibling, (heard + up).clip(0, 255).astype(np.uint8)).outputs
        for up in (-24, -16, -8, 8, 16, 24)
    ]
    for name, every in demo.outputs.items():
        codes = every[units[name]]
        assert (codes == 255).mean() <= 0.6, name
        assert (codes > 0).mean() >= 0.1, name
        more = [one[name][units[name]] for one in louder] if name.startswith("dense") else []
        assert len(np.unique([codes, *more])) >= 8, name


def test_at_most_half_of_the_codes_that_fire_saturate(sibling: Network, demo: Trace) -> None:
    for layer in sibling.layers[:4]:
        codes, end = demo.outputs[layer.name], layer.end
        assert isinstance(end, Requantise)
        assert 2 * (codes == 255).sum() <= (codes > 0).sum()
        # One shift less would double the codes: more than half would then be 255.
        assert 2 * (codes >= 128).sum() > (codes > 0).sum()


def test_the_score_stays_in_range_and_the_file_holds_it(
    sibling: Network, demo: Trace, tmp_path: Path,
) -> None:
    assert 1 <= sibling.scores(demo.raw)["pesq"] <= 4.6
    netfile.save(sibling, tmp_path / "sibling.npz")
    assert netfile.dumps(netfile.load(tmp_path / "sibling.npz")) == netfile.dumps(sibling)


def test_the_same_bytes_every_time_and_who_it_is(sibling: Network) -> None:
    assert netfile.dumps(sibling) == netfile.dumps(shipped_sibling())
    assert sibling.about["name"].startswith("8-bit activations, made from: paper network")
    assert "calibrated on 1 window, not trained" in sibling.about["origin"]
    assert sibling.about["licence"] == "Apache-2.0"
    assert "clamped" not in sibling.about


def test_the_codes_to_calibrate_on_matter(shipped: Network, sibling: Network) -> None:
    quiet = eight_bit(shipped, [clip.windows(shipped)[0].codes // 2])
    assert netfile.dumps(quiet) != netfile.dumps(sibling)  # their texts are the same


def check_first_layer(parent: Network, child: Network, codes: NDArray[np.uint8]) -> int:
    """Hold codes above 0 against the old bits of the first layer; count its exact channels."""
    first = parent.layers[0]
    assert isinstance(first.end, Threshold)
    bits, fired = (TorchEngine().predict(n, codes).outputs[first.name] for n in (parent, child))
    exact = ~(first.end.flip & (first.weights == -128).any((1, 2, 3)))
    assert np.array_equal(bits[exact], (fired > 0)[exact])
    return int(exact.sum())


def test_the_first_layer_fires_exactly_where_its_bits_did(
    shipped: Network, sibling: Network,
) -> None:
    for seed in range(3):  # none of which it was calibrated on
        codes = random_codes(np.random.default_rng(seed), shipped)
        assert check_first_layer(shipped, sibling, codes) == 32


def test_first_layers_of_random_networks_fire_exactly_where_their_bits_did() -> None:
    checked = flipped = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        parent = random_network(rng)
        end = parent.layers[0].end
        if isinstance(end, Threshold):
            checked += check_first_layer(parent, eight_bit(parent), random_codes(rng, parent))
            flipped += int(end.flip.sum())
    assert checked > 100
    assert flipped > 5


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_have_siblings_that_both_oracles_agree_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parent = random_network(rng)
    child = eight_bit(parent)
    assert all(layer.input_bits == 8 for layer in child.layers[1:])
    assert child.input_bits == parent.input_bits
    codes = random_codes(rng, parent)
    expected, got = (engine.predict(child, codes) for engine in (NaiveEngine(), TorchEngine()))
    assert compare(child, expected, got).identical


def test_flips_by_hand() -> None:
    parent = two_layers([[2, -3], [2, -3]], [4, 4], [False, True])
    codes = np.array([[[3, 2, 200, 255]], [[0, 0, 131, 0]]], np.uint8)
    # Sums 6, 4, 7, 510: above 4 by 2, 0, 3, 506; -sum is above -5 by -1, 1, -2, -505.
    child = eight_bit(parent, [codes])
    first = child.layers[0]
    assert first.weights[..., 0, 0].tolist() == [[2, -3], [-2, 3]]
    assert isinstance(first.end, Requantise)
    assert (first.end.shift, first.end.bias.tolist()) == (0, [-4, 5])
    outputs = TorchEngine().predict(child, codes)
    assert outputs.outputs["first"].tolist() == [[[2, 0, 3, 255]], [[0, 1, 0, 0]]]
    # Four bits became 261 units: a bit stands for 65.25, and so do bias and scale.
    assert child.raw.bias.tolist() == [round(-6 * 65.25)]
    assert child.raw.scale.tolist() == [0.5 / 65.25]
    assert child.scores(outputs.raw)["y"] == pytest.approx(1 + 0.5 * (4 - 6), abs=0.01)


def test_a_shift_leaves_half_below_255_and_rounds_up() -> None:
    parent = two_layers([[8]], [7], [False])
    codes = np.array([[[1, 2, 200, 255]]], np.uint8)
    child = eight_bit(parent, [codes])  # above the threshold by 1, 9, 1593 and 2033
    end = child.layers[0].end
    assert isinstance(end, Requantise)
    assert (end.shift, end.bias.tolist()) == (0, [-7])
    child = eight_bit(parent, [np.array([[[0, 100, 200, 255]]], np.uint8)])
    end = child.layers[0].end
    assert isinstance(end, Requantise)
    assert (end.shift, end.bias.tolist()) == (3, [0])  # by 793, 1593, 2033: 100, 200, 255 of 8
    assert TorchEngine().predict(child, codes).outputs["first"].tolist() == [[[1, 2, 200, 255]]]


def test_a_second_layer_by_hand_and_the_greatest_level() -> None:
    parent = two_layers([[8, 0], [0, 1]], [7, 0], [False, False])
    end = Threshold(threshold=np.array([3], np.int32), flip=np.array([False]))
    second = Layer(name="second", weights=np.full((1, 2, 1, 1), 3, np.int8), input_bits=1, end=end)
    sums = replace(parent.layers[1], weights=np.ones((1, 1, 1, 4), np.int8))
    parent = replace(parent, layers=(parent.layers[0], second, sums))
    # Codes 1, 9, 255, 255 and 1, 0, 0, 0: five bits became 521 units, and 3.5 bits are 364.7.
    child = eight_bit(parent, [np.array([[[1, 2, 200, 255]], [[1, 0, 0, 0]]], np.uint8)])
    end_8 = child.layers[1].end
    assert isinstance(end_8, Requantise)
    assert (end_8.shift, end_8.bias.tolist()) == (1, [1 - 364])
    # 765 is above 364 by 401, two codes of 201 for one bit: more than a code can hold.
    assert child.raw.bias.tolist() == [-6 * 255]


def test_a_flipped_weight_of_minus_128_becomes_127_and_is_counted() -> None:
    parent = two_layers([[-128, 1], [-128, -128], [-128, 5]], [0, 0, 0], [True, True, False])
    child = eight_bit(parent)
    assert child.layers[0].weights[..., 0, 0].tolist() == [[127, -1], [127, 127], [-128, 5]]
    assert child.about["clamped"] == "weights of -128 in flipped channels, now 127: first 3"


@pytest.mark.parametrize("flip", [False, True])
def test_thresholds_that_never_or_always_decide_keep_doing_so(flip: bool) -> None:
    edge = np.iinfo(np.int32)
    parent = two_layers([[1, -1]] * 3, [edge.min, edge.max, 0], [flip] * 3)
    child = eight_bit(parent)
    for seed in range(4):
        codes = random_codes(np.random.default_rng(seed), parent)
        fired = TorchEngine().predict(child, codes).outputs["first"] > 0
        assert (fired[0] != flip).all()
        assert (fired[1] == flip).all()
    assert child.layers[0].sum_bits <= 12  # the edges of the sums, not those of int32


def test_8_bit_networks_come_back_with_the_same_integers(sibling: Network) -> None:
    assert netfile.dumps(replace(eight_bit(sibling), about={})) == netfile.dumps(
        replace(sibling, about={}),
    )


def test_a_layer_whose_bits_never_fire_is_legal() -> None:
    parent = two_layers([[1]], [300], [False])
    child = eight_bit(parent)
    assert child.raw.bias.tolist() == [-6 * 255]


def test_a_network_that_hears_is_calibrated_on_the_demo_clip() -> None:
    parent = tiny_network()
    codes = [window.codes for window in clip.windows(parent)]
    assert netfile.dumps(eight_bit(parent)) == netfile.dumps(eight_bit(parent, codes))


def test_codes_are_checked() -> None:
    with pytest.raises(ValueError, match="codes must hold at least one input, not 0"):
        eight_bit(tiny_network(), [])
    with pytest.raises(ValueError, match=r"codes must have shape \(1, 16, 20\)"):
        eight_bit(tiny_network(), [np.zeros((1, 16, 19), np.uint8)])


def test_sums_and_biases_beyond_int32_are_refused_in_one_line() -> None:
    wide = two_layers([[1]] * 66_500, [0] * 66_500, [False] * 66_500)
    heavy = replace(wide.layers[1], weights=np.full((1, 66_500, 1, 4), 127, np.int8))
    rule = "^with 8-bit activations, layer sums: sums must stay within int32, not reach -6 to 86144"
    with pytest.raises(NetworkError, match=rule):
        eight_bit(replace(wide, layers=(wide.layers[0], heavy)))
    parent = two_layers([[1]], [300], [False])
    raw = replace(parent.raw, bias=np.array([2**30], np.int32))
    rule = "^with 8-bit activations, layer sums: biases must stay within int32, not reach [0-9]+$"
    with pytest.raises(NetworkError, match=rule):
        eight_bit(replace(parent, layers=(parent.layers[0], replace(parent.layers[1], end=raw))))
