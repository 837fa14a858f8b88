"""The contract: each broken rule is refused with its own message."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from golden.front_end import FrontEnd
from golden.layer import Layer, Raw, Requantise, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_codes, tiny_network
from golden.rules import NetworkError, is_int


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def ones(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


THRESHOLD = Threshold(threshold=ints(3, -4), flip=np.array([False, True]))
REQUANTISE = Requantise(bias=ints(8, -8), shift=4, bits=6)
RAW = Raw(bias=ints(1), scale=np.ones(1), offset=np.zeros(1), names=("score",))
FIRST = Layer(
    name="first",
    weights=np.ones((2, 1, 3, 3), np.int8),
    input_bits=8,
    padding=(1, 1),
    end=THRESHOLD,
    pool="global",
)
LAST = Layer(name="last", weights=np.ones((1, 2, 1, 1), np.int8), input_bits=1, end=RAW)
NETWORK = Network(input_shape=(1, 6, 7), layers=(FIRST, LAST))


def front_end(**changes: Any) -> FrontEnd:
    vectors = {"offset": np.zeros(6, np.float32), "step": np.ones(6, np.float32)}
    return FrontEnd(**({"bands": 6, "hop": 12000, **vectors} | changes))


@pytest.mark.parametrize(
    ("layer", "changes", "message"),
    [
        (FIRST, {"name": ""}, "name must be a non-empty string, not ''"),
        (
            FIRST,
            {"weights": np.ones((2, 1, 3, 3), np.int16)},
            r"weights must be int8 \[out, in, kh, kw\], not int16 \[2, 1, 3, 3\]",
        ),
        (FIRST, {"weights": np.ones((2, 9), np.int8)}, r"kh, kw\], not int8 \[2, 9\]"),
        (FIRST, {"weights": np.ones((2, 0, 3, 3), np.int8)}, r"not int8 \[2, 0, 3, 3\]"),
        (FIRST, {"weights": [1]}, r"kh, kw\], not list"),
        (FIRST, {"input_bits": 0}, "input_bits must be an integer from 1 to 8, not 0"),
        (FIRST, {"input_bits": 9}, "input_bits must be an integer from 1 to 8, not 9"),
        (FIRST, {"input_bits": True}, "input_bits must be an integer from 1 to 8, not True"),
        (FIRST, {"stride": (0, 1)}, r"stride must be two integers of at least 1, not \(0, 1\)"),
        (FIRST, {"padding": (1, -1)}, r"padding must be two integers of at least 0, not \(1, -1"),
        (FIRST, {"pool": "mean"}, "pool must be one of none, max2x2, global, not 'mean'"),
        (FIRST, {"end": None}, "end must be Threshold, Requantise or Raw, not NoneType"),
        (
            FIRST,
            {"end": replace(THRESHOLD, threshold=ints(1))},
            r"threshold must be int32 \[2\], not int32 \[1\]",
        ),
        (
            FIRST,
            {"end": replace(THRESHOLD, threshold=np.zeros(2))},
            r"threshold must be int32 \[2\], not float64 \[2\]",
        ),
        (FIRST, {"end": replace(THRESHOLD, flip=ints(0, 1))}, r"flip must be bool \[2\], not int"),
        (FIRST, {"end": replace(REQUANTISE, bias=ints(0))}, r"bias must be int32 \[2\], not int32"),
        (FIRST, {"end": replace(REQUANTISE, shift=32)}, "shift must be an integer from 0 to 31"),
        (FIRST, {"end": replace(REQUANTISE, bits=9)}, "bits must be an integer from 1 to 8, not 9"),
        (LAST, {"end": replace(RAW, bias=[0])}, r"bias must be int32 \[1\], not list"),
        (LAST, {"end": replace(RAW, scale=ints(1))}, r"scale must be float64 \[1\], not int32"),
        (LAST, {"end": replace(RAW, offset=np.ones(2))}, r"offset must be float64 \[1\]"),
        (LAST, {"end": replace(RAW, offset=np.full(1, np.nan))}, "scale and offset must be finite"),
        (LAST, {"end": replace(RAW, names=("a", "b"))}, "names must be 1 different non-empty name"),
        (LAST, {"end": replace(RAW, names=("",))}, "names must be 1 different non-empty names"),
        (LAST, {"pool": "global"}, "pool of a raw layer must be none, not 'global'"),
        (
            LAST,
            {"end": replace(RAW, bias=ints(2**31 - 2))},
            "sums must stay within int32, not reach 0 to 2147483648",
        ),
    ],
)
def test_a_layer_that_breaks_a_rule_is_refused(
    layer: Layer, changes: dict[str, Any], message: str,
) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        replace(layer, **changes)
    assert "\n" not in str(caught.value)


def test_all_broken_rules_come_in_one_error() -> None:
    with pytest.raises(NetworkError, match="layer first: input_bits .*; stride .*; pool .*"):
        replace(FIRST, input_bits=99, stride=(0, 0), pool="mean")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_shape": (1, 6)}, r"input_shape must be three positive integers, not \(1, 6\)"),
        ({"input_shape": (1, 0, 7)}, r"input_shape must be three positive integers"),
        ({"layers": ()}, "layers must hold at least one layer"),
        ({"layers": (FIRST, replace(LAST, name="first"))}, "layer names must differ"),
        ({"input_shape": (3, 6, 7)}, "layer first must take 3 channels, not 1"),
        ({"layers": (FIRST,)}, "layer first must end raw"),
        (
            {"layers": (FIRST, LAST, replace(LAST, name="more", weights=ones(1, 1, 1, 1)))},
            "layer last must not end raw",
        ),
        (
            {"layers": (FIRST, replace(LAST, input_bits=4))},
            "layer last must take 1-bit inputs as first gives them, not 4-bit",
        ),
        (
            {"layers": (replace(FIRST, pool="max2x2"), LAST)},
            "the last layer must give a 1x1 map, not 3x3",
        ),
        (
            {"layers": (replace(FIRST, weights=ones(2, 1, 9, 1), padding=(0, 0)), LAST)},
            r"layer first must leave a map, not \(2, -2, 7\)",
        ),
        (
            {"layers": (replace(FIRST, weights=ones(2, 1, 7, 1), padding=(0, 0)), LAST)},
            r"layer first must leave a map, not \(2, 0, 7\)",
        ),
        (
            {"input_shape": (1, 6, 1), "layers": (replace(FIRST, pool="max2x2"), LAST)},
            r"layer first must leave a map, not \(2, 3, 0\)",
        ),
        (
            {"front_end": front_end(bands=5, offset=np.zeros(5, "f"), step=np.ones(5, "f"))},
            r"input_shape must be \(1, 5, 7\) as the front-end gives it, not \(1, 6, 7\)",
        ),
    ],
)
def test_a_network_that_breaks_a_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        replace(NETWORK, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "mfcc"}, "kind must be one of log-mel, log-mel-centred, not 'mfcc'"),
        ({"mel_scale": "bark"}, "mel_scale must be one of htk, slaney, not 'bark'"),
        ({"log": "log2"}, "log must be one of ln, db, not 'log2'"),
        ({"reference": "mean"}, "reference must be one of absolute, max, not 'mean'"),
        ({"sample_rate": 0}, "sample_rate must be an integer of at least 1, not 0"),
        ({"hop": 1.5}, "hop must be an integer of at least 1, not 1.5"),
        ({"floor": 0}, "floor must be a positive number, not 0"),
        ({"clip_seconds": float("inf")}, "clip_seconds must be a positive number, not inf"),
        ({"offset": np.zeros(5, np.float32)}, r"offset must be float32 \[6\], not float32 \[5\]"),
        ({"offset": np.full(6, np.nan, np.float32)}, "offset and step must be finite"),
        ({"step": np.zeros(6, np.float32)}, "step must be positive in every band"),
    ],
)
def test_a_front_end_that_breaks_a_rule_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        front_end(**changes)


def test_the_front_end_of_the_paper_gives_120_x_249_codes() -> None:
    whole = FrontEnd(offset=np.zeros(120, np.float32), step=np.ones(120, np.float32))
    assert (whole.bands, whole.frames, whole.clip_samples) == (120, 249, 80000)


@pytest.mark.parametrize(
    ("codes", "error", "message"),
    [
        (np.zeros((1, 6, 7)), TypeError, "codes must be a uint8 array, not dtype"),
        ([[[0]]], TypeError, "codes must be a uint8 array, not"),
        (np.zeros((6, 7), np.uint8), ValueError, r"codes must have shape \(1, 6, 7\), not \(6, 7"),
        (np.full((1, 6, 7), 16, np.uint8), ValueError, "codes must be at most 15, not 16"),
    ],
)
def test_codes_that_do_not_fit_are_refused(
    codes: Any, error: type[Exception], message: str,
) -> None:
    network = replace(NETWORK, layers=(replace(FIRST, input_bits=4), LAST))
    with pytest.raises(error, match=message):
        network.check_codes(codes)


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_sum_range_is_reached_and_never_left(bits: int) -> None:
    rng = np.random.default_rng(bits)
    weights = rng.integers(-128, 128, (4, 3, 3, 1)).astype(np.int8)
    layer = Layer(
        name="l",
        weights=weights,
        input_bits=bits,
        end=Threshold(threshold=np.zeros(4, np.int32), flip=np.zeros(4, np.bool_)),
    )
    top = 2**bits - 1
    rows = weights.reshape(4, -1).astype(int)
    low, high = layer.sum_range
    assert low == min(sum(top * w for w in row if w < 0) for row in rows)
    assert high == max(sum(top * w for w in row if w > 0) for row in rows)
    width = layer.sum_bits
    assert -(2 ** (width - 1)) <= low
    assert high < 2 ** (width - 1)
    assert low < -(2 ** (width - 2)) or high >= 2 ** (width - 2)  # one bit less would not do


def test_the_paper_counts_its_accumulates() -> None:
    end = Threshold(threshold=np.zeros(32, np.int32), flip=np.zeros(32, np.bool_))
    conv2 = replace(FIRST, weights=ones(32, 32, 3, 3), input_bits=1, end=end)
    assert conv2.accumulates((32, 60, 124)) == 68_567_040


def test_scores_are_named_and_scaled() -> None:
    raw = Raw(
        bias=ints(0, 0), scale=np.array([0.5, 2]), offset=np.array([1.0, -1]), names=("a", "b"),
    )
    last = replace(LAST, weights=ones(2, 2, 1, 1), end=raw)
    network = replace(NETWORK, layers=(FIRST, last))
    assert network.scores(ints(4, -3)) == {"a": 3.0, "b": -7.0}


def test_some_outputs_alone_say_what_they_said() -> None:
    network = tiny_network()
    names = network.raw.names
    codes = random_codes(np.random.default_rng(2), network)
    engine = NaiveEngine()
    said = network.scores(engine.predict(network, codes).raw)
    for kept in ((names[1],), tuple(reversed(names))):
        few = network.only(*kept)
        assert few.raw.names == kept
        assert few.scores(engine.predict(few, codes).raw) == {name: said[name] for name in kept}
        assert few.layers[:-1] == network.layers[:-1]
    wrong: tuple[tuple[str, ...], ...] = ((), ("mos",), (names[0], names[0]))
    for each in wrong:
        with pytest.raises(ValueError, match=f"outputs must be some of {', '.join(names)}, each"):
            network.only(*each)


@pytest.mark.parametrize(
    ("value", "yes"), [(1, True), (np.int8(1), True), (True, False), (1.0, False)],
)
def test_true_is_no_integer(value: object, yes: bool) -> None:
    assert is_int(value) is yes
