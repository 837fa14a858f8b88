"""Agreement over many predictions: sums, and the first difference of all."""

from dataclasses import replace

import numpy as np
import pytest

from golden.agreement import agreement
from golden.naive import NaiveEngine
from golden.random_networks import random_codes, tiny_network
from golden.trace import Trace


@pytest.fixture
def traces() -> list[Trace]:
    network = tiny_network()
    rng = np.random.default_rng(3)
    return [NaiveEngine().predict(network, random_codes(rng, network)) for _ in range(3)]


def test_identical(traces: list[Trace]) -> None:
    found = agreement(tiny_network(), traces, traces)
    assert found.identical
    assert [layer.mismatches for layer in found.layers] == [0] * 7
    assert found.layers[0].elements == 3 * 4 * 8 * 10
    assert found.layers[-1].elements == 3 * 2


def test_first_difference_of_all(traces: list[Trace]) -> None:
    wrong = list(traces)
    raw = traces[2].raw.copy()
    raw[1] += 1
    wrong[2] = replace(traces[2], raw=raw)
    bits = traces[1].outputs["conv2"].copy()
    bits[5, 3, 4] ^= 1
    bits[0, 0, 0] ^= 1
    wrong[1] = replace(traces[1], outputs=traces[1].outputs | {"conv2": bits})
    found = agreement(tiny_network(), traces, wrong)
    assert not found.identical
    assert {layer.name: layer.mismatches for layer in found.layers if layer.mismatches} == {
        "conv2": 2,
        "out": 1,
    }
    assert found.first is not None
    window, first = found.first
    assert (window, first.layer) == (1, "conv2")
    assert (first.channel, first.band, first.frame) == (0, 0, 0)


@pytest.mark.parametrize(("left", "right"), [(0, 0), (2, 1)])
def test_pairs_only(left: int, right: int, traces: list[Trace]) -> None:
    with pytest.raises(ValueError, match=f"in pairs, at least one, not {left} and {right}"):
        agreement(tiny_network(), traces[:left], traces[:right])
