"""The engine that only adds gives the oracles' bits, whatever it runs on."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from golden import clip, netfile
from golden.adds import plan as planning
from golden.adds.engine import NUMPY, AddsEngine
from golden.adds.native import ISAS
from golden.adds.plan import plan
from golden.corners import corners
from golden.layer import Layer, Raw, Requantise, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import Size, random_codes, random_network, tiny_network
from golden.sibling import eight_bit
from golden.torch_engine import TorchEngine
from golden.trace import compare
from golden.vectors import corner_vectors, read_vectors

NETWORKS = 1000
BLOCKS = 10


@cache
def engines() -> tuple[AddsEngine, ...]:
    """One engine of each kind that this processor has."""
    best = AddsEngine()
    kinds = (NUMPY,) if best.kind == NUMPY else (NUMPY, *ISAS[: ISAS.index(best.kind) + 1])
    return tuple(AddsEngine(kind=kind) for kind in kinds)


def same_bits(network: Network, codes: np.ndarray, *oracles: TorchEngine | NaiveEngine) -> None:
    for oracle in oracles:
        expected = oracle.predict(network, codes)
        for engine in engines():
            found = compare(network, expected, engine.predict(network, codes))
            assert found.identical, f"{engine.kind} against {oracle.name}: {found.first}"


def test_a_compiler_is_here_and_so_is_the_portable_path() -> None:
    assert {engine.kind for engine in engines()} >= {"numpy", "portable"}


@pytest.mark.parametrize("name", corners())
def test_corners(name: str) -> None:
    same_bits(*corners()[name], TorchEngine(), NaiveEngine())


def test_vectors_as_they_are_written(tmp_path: Path) -> None:
    for name in corner_vectors(tmp_path):
        stored = read_vectors(tmp_path / name)
        for engine in engines():
            found = engine.predict(stored.network, stored.codes)
            assert compare(stored.network, stored.trace, found).identical, (engine.kind, name)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_networks(block: int) -> None:
    for seed in range(block, NETWORKS, BLOCKS):
        rng = np.random.default_rng(seed)
        size = "wide" if seed % 10 == 0 else "small" if seed % 7 == 0 else "tiny"
        network = random_network(rng, size=size)
        # The nested loops take minutes for all; they are asked where they are quick.
        oracles = (TorchEngine(), NaiveEngine()) if size == "tiny" else (TorchEngine(),)
        same_bits(network, random_codes(rng, network), *oracles)


@pytest.mark.parametrize("bits", [1, 4])
def test_tables_of_fewer_bits(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_group_bits", lambda _: bits)
    for seed in range(30):
        rng = np.random.default_rng(seed)
        network = random_network(rng, size="wide" if seed % 5 == 0 else "tiny")
        assert {p.group_bits for p in plan(network) if not p.patch_low} == {bits}
        same_bits(network, random_codes(rng, network), TorchEngine())


def test_large_layers_get_small_tables() -> None:
    rng = np.random.default_rng(0)
    found = []
    for channels in (64, 4096, 2**16):
        weights = rng.integers(-9, 9, (32, channels, 1, 1)).astype(np.int8)
        zeros = np.zeros(32)
        names = tuple(str(i) for i in range(32))
        end = Raw(bias=zeros.astype(np.int32), scale=zeros + 1, offset=zeros, names=names)
        layer = Layer(name="only", weights=weights, input_bits=1, end=end)
        network = Network(input_shape=(channels, 1, 1), layers=(layer,))
        (only,) = plan(network)
        found.append(only.group_bits)
        assert only.tables.nbytes <= max(planning.TABLE_BYTES, 4 * weights.size)
        same_bits(network, random_codes(rng, network), TorchEngine())
    assert found == [8, 8, 1]


def test_the_shipped_network_and_its_eight_bit_sibling() -> None:
    network = netfile.load(clip.SHIPPED)
    (window,) = clip.windows(network)
    for each in (network, eight_bit(network)):
        same_bits(each, window.codes, TorchEngine())
    codes = np.random.default_rng(0).integers(0, 256, window.codes.shape).astype(np.uint8)
    same_bits(network, codes, TorchEngine())


def dense(weights: np.ndarray, bits: int) -> Network:
    outputs = len(weights)
    zeros = np.zeros(outputs)
    end = Raw(
        bias=zeros.astype(np.int32),
        scale=zeros + 1,
        offset=zeros,
        names=tuple(str(i) for i in range(outputs)),
    )
    layer = Layer(name="only", weights=weights, input_bits=bits, end=end)
    return Network(input_shape=(weights.shape[1], 1, 1), layers=(layer,))


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize("channels", [15, 31, 32, 33, 255, 256, 257, 258, 1025])
def test_sums_at_the_edge_of_16_bits(bits: int, weight: int, channels: int) -> None:
    network = dense(np.full((3, channels, 1, 1), weight, np.int8), bits)
    codes = np.full((channels, 1, 1), 2**bits - 1, np.uint8)
    total = weight * channels * (2**bits - 1)
    (only,) = plan(network)
    assert only.wide == (abs(total) > 2**15 - 1)
    for engine in engines():
        assert engine.predict(network, codes).raw.tolist() == [total] * 3


def test_bounds_hold_for_every_subset_of_a_step() -> None:
    # All that a 16-bit sum meets between two folds is within the bounds: the worst codes of each
    # channel, positive weights' bits 1 or negative weights' bits 1, are exact.
    rng = np.random.default_rng(3)
    weights = rng.integers(-128, 128, (5, 300, 1, 1)).astype(np.int8)
    network = dense(weights, 8)
    for row in weights[:, :, 0, 0]:
        for codes in (np.where(row > 0, 255, 0), np.where(row < 0, 255, 0)):
            same_bits(network, codes.astype(np.uint8).reshape(300, 1, 1), TorchEngine())


@pytest.mark.parametrize("bits", range(1, 9))
@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 4), (8, 1), (9, 1), (1, 9), (4, 2)])
def test_patches(bits: int, kernel: tuple[int, int]) -> None:
    rng = np.random.default_rng(bits)
    weights = rng.choice([-128, 127, 5], (40, 1, *kernel)).astype(np.int8)
    for stride, pool in (((1, 1), "max2x2"), ((2, 1), "none"), ((1, 2), "global")):
        zeros = np.zeros(40, np.int32)
        totals = Layer(
            name="first", weights=weights, input_bits=bits, stride=stride, padding=(2, 1),
            end=Requantise(bias=zeros + 7, shift=bits, bits=3), pool=pool,
        )
        top = 2**bits - 1
        levels = rng.integers(-200 * top, 200 * top, 40).astype(np.int32)
        limits = np.iinfo(np.int32)
        levels[:4] = [limits.min, limits.max, 0, -1]
        fired = replace(totals, end=Threshold(threshold=levels, flip=rng.integers(0, 2, 40) == 1))
        for first in (totals, fired):
            shape = first.output_shape((1, 10, 11))
            last = dense(np.ones((2, shape[0], 1, 1), np.int8), 1).layers[0]
            last = replace(
                last,
                weights=np.ones((2, *shape), np.int8),
                input_bits=first.end.output_bits,
            )
            network = Network(input_shape=(1, 10, 11), layers=(first, last))
            codes = rng.integers(0, 2**bits, (1, 10, 11)).astype(np.uint8)
            same_bits(network, codes, TorchEngine(), NaiveEngine())


def test_maps_may_be_left_out() -> None:
    network = tiny_network()
    codes = random_codes(np.random.default_rng(0), network)
    for engine in engines():
        full, bare = engine.predict(network, codes), engine.predict(network, codes, maps=False)
        assert bare.outputs == {}
        assert bare.raw.tolist() == full.raw.tolist()


def test_an_engine_takes_one_network_after_another() -> None:
    rng = np.random.default_rng(0)
    drawn = [random_network(rng, size=Size(channels=40)) for _ in range(4)]
    codes = [random_codes(rng, network) for network in drawn]
    for engine in engines():
        first = [engine.predict(*pair).raw for pair in zip(drawn, codes, strict=True)]
        again = [engine.predict(*pair).raw for pair in zip(drawn, codes, strict=True)]
        assert [a.tolist() for a in first] == [a.tolist() for a in again]


def test_codes_are_checked() -> None:
    for engine in engines():
        with pytest.raises(ValueError, match=r"codes must have shape \(1, 16, 20\)"):
            engine.predict(tiny_network(), np.zeros((1, 16, 19), np.uint8))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind must be one of numpy, .* here, not 'neon'"):
        AddsEngine(kind="neon")
