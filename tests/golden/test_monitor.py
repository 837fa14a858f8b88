"""Endless audio: what a score hears, on the engines that need no hardware."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from golden import clip, netfile
from golden.adds.engine import AddsEngine
from golden.layer import Threshold
from golden.monitor import Endless, Windows, endless, windows
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_network, tiny_network
from golden.torch_engine import TorchEngine
from golden.torch_monitor import TorchFollower

Codes = NDArray[np.uint8]


def stream(network: Network, frames: int, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    channels, bands, _ = network.input_shape
    return rng.integers(2**network.input_bits, size=(channels, bands, frames), dtype=np.uint8)


def pieces(codes: Codes, seed: int) -> Iterator[Codes]:
    """Cut a stream into pieces of any length, none included."""
    rng, at = np.random.default_rng(seed), 0
    while at < codes.shape[2]:
        end = at + int(rng.integers(0, 30))
        yield codes[:, :, at:end]
        at = end


def right(endless: Endless, codes: Codes) -> list[NDArray[np.int32]]:
    """Score by score, from the definition."""
    count = (codes.shape[2] - endless.frames) // endless.hop + 1
    starts = [k * endless.hop for k in range(count)]
    return [
        TorchEngine().predict(endless.unpadded, codes[:, :, at : at + endless.frames]).raw
        for at in starts
    ]


def drawn(count: int, size: str = "tiny") -> Iterator[tuple[int, Endless]]:
    """Yield random networks that hear without end, with a random distance of their scores."""
    found, seed = 0, 0
    while found < count:
        rng = np.random.default_rng(seed)
        seed += 1
        network = random_network(rng, size=size)
        if any(layer.pool == "global" for layer in network.layers):
            most = Endless(network=network, every=1).window
            yield seed, Endless(network=network, every=int(rng.integers(1, most + 1)))
            found += 1


def test_the_shipped_network() -> None:
    found = endless(netfile.load(clip.SHIPPED))
    assert (found.window, found.every, found.stride, found.hop) == (31, 6, 8, 48)
    assert (found.frames, found.edge) == (278, 15)
    assert found.unpadded.input_shape == (1, 120, 278)
    assert found.unpadded.shapes[found.last] == (32, 15, 33)
    front_end = found.network.front_end
    assert front_end is not None
    assert found.hop * front_end.hop / front_end.sample_rate == pytest.approx(0.96)


def test_a_window_of_fewer_frames_is_its_own_hop() -> None:
    found = endless(tiny_network())
    assert (found.window, found.every, found.hop, found.frames) == (2, 2, 16, 46)


def test_the_shipped_network_follows_a_stream() -> None:
    network = netfile.load(clip.SHIPPED)
    it = endless(network)
    codes = stream(network, 278 + 48 * 3 + 47)
    expected = right(it, codes)
    assert len(expected) == 4
    got = list(TorchFollower().follow(it, pieces(codes, 1)))
    np.testing.assert_array_equal(got, expected)
    predict = AddsEngine().predict
    adds = Windows("adds", lambda network, codes: predict(network, codes, maps=False).raw)
    np.testing.assert_array_equal(list(adds.follow(it, pieces(codes, 2))), expected)


def test_random_networks_follow_streams() -> None:
    strides = set()
    for seed, it in drawn(60, "small"):
        codes = stream(it.network, it.frames + 3 * it.hop + it.hop - 1, seed)
        expected = right(it, codes)
        assert len(expected) == 4
        got = list(TorchFollower().follow(it, pieces(codes, seed)))
        np.testing.assert_array_equal(got, expected)
        assert all(raw.dtype == np.int32 for raw in got)
        strides |= {(layer.kernel[1], layer.stride[1], layer.pool) for layer in it.convolutions}
    assert (1, 2, "none") in strides  # frames that nobody looks at
    assert {(3, 1, "max2x2"), (5, 2, "global")} <= strides


def test_the_nested_loops_agree() -> None:
    naive = NaiveEngine()
    for seed, it in drawn(8):
        codes = stream(it.network, it.frames + it.hop, seed)
        loops = Windows("naive", lambda network, codes: naive.predict(network, codes).raw)
        np.testing.assert_array_equal(list(loops.follow(it, [codes])), right(it, codes))


def test_a_network_that_pads_no_frames_scores_as_it_does_alone() -> None:
    network = tiny_network()
    layers = tuple(replace(layer, padding=(layer.padding[0], 0)) for layer in network.layers)
    bare = Network(input_shape=(1, 16, 46), layers=layers)
    it = endless(bare)
    assert (it.edge, it.frames) == (0, 46)
    codes = stream(bare, 46 + 2 * it.hop)
    alone = [
        TorchEngine().predict(bare, codes[:, :, at : at + 46]).raw for at in (0, it.hop, 2 * it.hop)
    ]
    np.testing.assert_array_equal(list(TorchFollower().follow(it, [codes])), alone)


def test_the_window_alone_lies_within_what_a_score_hears() -> None:
    """Where padding is unlike any code that the stream holds, only the edges' frames differ."""
    it = endless(netfile.load(clip.SHIPPED))
    codes = stream(it.network, it.frames)
    alone = codes[:, :, it.edge : it.edge + it.network.input_shape[2]]
    layer = it.last - 1
    name = it.network.layers[layer].name
    within = TorchEngine().predict(it.network, alone).outputs[name]
    beyond = TorchEngine().predict(it.unpadded, codes).outputs[name]
    assert beyond.shape[2] == within.shape[2] + 2
    inside = within[:, :, 2:-2]
    np.testing.assert_array_equal(inside, beyond[:, :, 3:-3])
    assert (within[:, :, 0] != beyond[:, :, 1]).any()


def test_memory_does_not_grow() -> None:
    import tracemalloc

    it = endless(tiny_network())
    codes = stream(it.network, 8)
    follower = TorchFollower().follow(it, repeat(codes))
    next(follower)
    tracemalloc.start()
    for _ in range(100):
        next(follower)
    before = tracemalloc.take_snapshot()
    for _ in range(400):
        next(follower)
    grown = tracemalloc.take_snapshot().compare_to(before, "filename")
    tracemalloc.stop()
    assert sum(each.size_diff for each in grown if "tracemalloc" not in str(each)) < 20_000
    held = [kept.shape[2] for kept in windows(it, (codes for _ in range(100)))]
    assert set(held) == {it.frames}


def test_without_a_maximum_over_the_map_nothing_is_endless() -> None:
    network = tiny_network()
    rest = replace(network.layers[-1], weights=np.ones((2, 1, 16, 20), np.int8), input_bits=8)
    with pytest.raises(ValueError, match="must take a maximum over a whole map"):
        endless(Network(input_shape=(1, 16, 20), layers=(rest,)))


@pytest.mark.parametrize("every", [0, 3, -1])
def test_every_is_within_the_window(every: int) -> None:
    with pytest.raises(ValueError, match=f"every must be from 1 to 2, not {every}"):
        endless(tiny_network(), every)


@pytest.mark.parametrize("every", [True, 1.0])
def test_every_is_an_integer(every: Any) -> None:
    with pytest.raises(TypeError, match="every must be an integer, not "):
        endless(tiny_network(), every)


@pytest.mark.parametrize("follower", [TorchFollower(), Windows("any", lambda *_: np.zeros(1))])
def test_codes_that_do_not_fit_are_refused(follower: TorchFollower) -> None:
    it = endless(tiny_network())
    for codes, error in (
        (np.zeros((1, 16, 3), np.int16), "uint8 array, not .*int16"),
        (np.zeros((1, 15, 3), np.uint8), r"must have shape \(1, 16, frames\), not \(1, 15, 3\)"),
        (np.zeros((16, 3), np.uint8), r"must have shape \(1, 16, frames\), not \(16, 3\)"),
    ):
        with pytest.raises((TypeError, ValueError), match=error):
            list(follower.follow(it, [codes]))
    assert isinstance(it.network.layers[0].end, Threshold)


def test_codes_beyond_their_bits_are_refused() -> None:
    for _, it in drawn(40):
        if it.network.input_bits < 8:
            codes = stream(it.network, 2)
            codes[0, 0, 1] = 2**it.network.input_bits
            with pytest.raises(ValueError, match="codes must be at most"):
                list(TorchFollower().follow(it, [codes]))
            return
    raise AssertionError
