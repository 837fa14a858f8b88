"""What does not fit is refused before anything is loaded: by layer and by how much."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.network import Network
from hw.config import Config
from hw.fit import FitError, accumulator_bits
from hw.lower import lower
from hw.schedule import schedule


def raw(outputs=1):
    return Raw(
        bias=np.zeros(outputs, np.int32),
        scale=np.ones(outputs),
        offset=np.zeros(outputs),
        names=tuple(f"y{i}" for i in range(outputs)),
    )


def bits(channels):
    return Threshold(threshold=np.zeros(channels, np.int32), flip=np.zeros(channels, np.bool_))


def network_of(*, shape=(1, 6, 10), out=3, kernel=(3, 3), input_bits=8, weight=1, **changes):
    """``first`` on `shape`, ``second`` that gathers, and ``out``."""
    first = Layer(
        name="first",
        weights=np.full((out, shape[0], *kernel), weight, np.int8),
        input_bits=input_bits,
        end=bits(out),
        **changes,
    )
    second = Layer(
        name="second",
        weights=np.ones((out, out, 1, 1), np.int8),
        input_bits=1,
        end=bits(out),
        pool="global",
    )
    last = Layer(name="out", weights=np.ones((1, out, 1, 1), np.int8), input_bits=1, end=raw())
    return Network(input_shape=shape, layers=(first, second, last))


ROOMY = Config(
    lanes=4,
    columns=2,
    groups=2,
    acc_bits=24,
    strip=4,
    code_words=4096,
    map_words=4096,
    weight_rows=4096,
    partial_sums=256,
    program_words=4096,
)


def refusal(network, config):
    with pytest.raises(FitError) as caught:
        lower(network, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edge(network, config, name, low=1):
    """The least value of `name` with which the network fits."""
    high = getattr(config, name)
    lower(network, config)
    while low < high:
        middle = (low + high) // 2
        try:
            lower(network, replace(config, **{name: middle}))
            high = middle
        except FitError:
            low = middle + 1
    return high


def test_too_many_codes_are_refused_by_their_number():
    network = network_of()
    least = edge(network, ROOMY, "code_words")
    assert refusal(network, replace(ROOMY, code_words=least - 1)) == (
        f"layer first does not fit: it needs {least} codes at once, {least - 1} are there"
    )


def test_too_large_maps_are_refused_by_their_words():
    network = network_of()
    least = edge(network, ROOMY, "map_words")
    message = refusal(network, replace(ROOMY, map_words=least - 1))
    assert message.endswith(
        f" does not fit: the maps need {least} words, {least - 1} are there",
    )
    assert message.startswith("layer ")
    message = refusal(network, replace(ROOMY, map_words=1))
    assert message.startswith("layer first does not fit: ")


def test_too_many_weights_are_refused_by_their_rows():
    network = network_of()
    plan = schedule(network, ROOMY)
    least = edge(network, ROOMY, "weight_rows")
    assert least == plan.weight_rows
    assert refusal(network, replace(ROOMY, weight_rows=least - 1)) == (
        f"layer out does not fit: the weights need {least} rows, {least - 1} are there"
    )
    rows = plan.stages[0].weight_rows
    assert refusal(network, replace(ROOMY, weight_rows=rows - 1)) == (
        f"layer first does not fit: the weights need {least} rows, {rows - 1} are there"
    )


def test_too_long_a_program_is_refused_by_its_words():
    network = network_of()
    least = edge(network, ROOMY, "program_words")
    assert refusal(network, replace(ROOMY, program_words=least - 1)) == (
        f"the program does not fit: it has {least} words, {least - 1} are there"
    )


def test_too_few_partial_sums_are_refused_by_their_number():
    network = network_of()  # first: 4 bands of output, several passes
    assert edge(network, ROOMY, "partial_sums") == 4
    assert refusal(network, replace(ROOMY, partial_sums=3)) == (
        "layer first does not fit: it needs 4 partial sums, 3 are there"
    )


def test_too_wide_sums_are_refused_by_their_bits():
    network = network_of(weight=-128)
    bits_needed = accumulator_bits(network.layers[0])
    low = -128 * 9 * 255
    assert -(1 << bits_needed - 1) <= low - 1  # with the offset of the threshold
    assert edge(network, ROOMY, "acc_bits", low=12) == bits_needed
    assert refusal(network, replace(ROOMY, acc_bits=bits_needed - 1)) == (
        f"layer first does not fit: its sums need {bits_needed} bits, the accumulators have"
        f" {bits_needed - 1}"
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"kernel": (33, 1), "shape": (1, 40, 3)},
            "its kernel along the bands must be at most 32, not 33",
        ),
        (
            {"kernel": (1, 33), "shape": (1, 3, 40)},
            "its kernel along the frames must be at most 32, not 33",
        ),
        (
            {"stride": (16, 1), "shape": (1, 40, 3)},
            "its stride along the bands must be at most 15, not 16",
        ),
        (
            {"stride": (1, 16), "shape": (1, 6, 40)},
            "its stride along the frames must be at most 15, not 16",
        ),
        (
            {"padding": (32, 0)},
            "its padding along the bands must be at most 31, not 32",
        ),
        (
            {"shape": (1, 2048, 3), "stride": (15, 1)},
            "its bands must be at most 2047, not 2048",
        ),
        (
            {"shape": (1, 6, 32768), "stride": (1, 15)},
            "its frames must be at most 32767, not 32768",
        ),
    ],
)
def test_numbers_beyond_the_program_are_refused_by_name(changes, message):
    config = replace(ROOMY, partial_sums=4096, code_words=65536, map_words=65536)
    text = refusal(network_of(**changes), config)
    assert text.startswith("layer first does not fit: ")
    assert message in text


@pytest.mark.parametrize("pool", ["max2x2", "global"])
def test_a_maximum_of_codes_is_refused_where_there_is_none(pool):
    """That of bits is there on every machine, and so are codes without a maximum."""
    codes = Requantise(bias=np.zeros(3, np.int32), shift=2, bits=3)
    network = network_of(pool=pool, shape=(1, 8, 10))
    first, second, last = network.layers
    alike = replace(network, layers=(
        replace(first, end=codes), replace(second, input_bits=3), last,
    ))
    single = replace(network, layers=(
        first, replace(second, end=codes, pool="none", weights=np.ones((3, 3, 1, 1), np.int8)),
        Layer(name="all", weights=np.ones((3, 3, 1, 1), np.int8), input_bits=3, end=bits(3),
              pool="global"),
        last,
    ))
    bare = replace(ROOMY, pool_codes=False)
    for each in (network, alike, single):
        lower(each, ROOMY)
    lower(network, bare)
    lower(single, bare)
    message = refusal(alike, bare)
    assert message.startswith("layer first does not fit: ")
    assert "pool_codes" in message


@pytest.mark.parametrize("width", [1, 7])
def test_short_codes_are_refused_where_lanes_take_whole_ones(width):
    """Their end limits to 8 bits; a threshold's bit is 0 or 1 on any machine."""
    network = network_of()
    first, second, last = network.layers

    def with_codes(bits):
        end = Requantise(bias=np.zeros(3, np.int32), shift=2, bits=bits)
        layers = (replace(first, end=end), replace(second, input_bits=bits), last)
        return replace(network, layers=layers)

    whole = replace(ROOMY, groups=1, cell="mac")
    for each in (network, with_codes(8)):
        lower(each, whole)
    lower(with_codes(width), ROOMY)
    message = refusal(with_codes(width), whole)
    assert message.startswith("layer first does not fit: ")
    assert "8 bits" in message


def test_all_that_a_layer_breaks_comes_in_one_error():
    text = refusal(network_of(shape=(1, 60, 60), kernel=(33, 34)), ROOMY)
    assert "kernel along the bands" in text
    assert "kernel along the frames" in text


def test_a_maximum_that_cannot_be_gathered_is_refused():
    """Several passes and one partial sum: every pixel is a piece of its own."""
    first = Layer(
        name="wide",
        weights=np.ones((5, 1, 1, 1), np.int8),
        input_bits=1,
        end=bits(5),
        pool="global",
    )
    last = Layer(name="out", weights=np.ones((1, 5, 1, 1), np.int8), input_bits=1, end=raw())
    network = Network(input_shape=(1, 1, 6), layers=(first, last))
    config = Config(lanes=2, columns=2, acc_bits=24, strip=1, partial_sums=1)
    assert refusal(network, config) == (
        "layer wide does not fit: partial_sums must be at least 2 to gather its maximum, not 1"
    )
    lower(network, replace(config, partial_sums=2))
