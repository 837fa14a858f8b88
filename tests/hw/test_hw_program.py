"""Words and widths, and the program's fields."""

import numpy as np
import pytest
from amaranth.lib import data

from hw.packets import HEADER, header
from hw.program import LAYER, PASS, READ, RESULT, RUN, SIMPLE, Op, words
from hw.words import bits_for, signed_bits, sum_bits

LAYOUTS = {"SIMPLE": SIMPLE, "RUN": RUN, "LAYER": LAYER, "PASS": PASS, "READ": READ,
           "RESULT": RESULT}


@pytest.mark.parametrize(
    ("greatest", "bits"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (255, 8), (256, 9)],
)
def test_bits_of_an_unsigned_number(greatest, bits):
    assert bits_for(greatest) == bits


@pytest.mark.parametrize(
    ("low", "high", "bits"),
    [
        (0, 0, 1), (-1, 0, 1), (0, 1, 2), (-1, 1, 2), (-2, 1, 2), (-3, 1, 3), (-128, 127, 8),
        (-129, 0, 9), (0, 128, 9), (5, 5, 4), (-(2**31), 2**31 - 1, 32),
    ],
)
def test_bits_of_a_signed_number(low, high, bits):
    assert signed_bits(low, high) == bits


def test_bits_of_a_signed_number_are_the_least_that_hold_it():
    for low in range(-20, 21):
        for high in range(low, 21):
            width = next(
                w for w in range(1, 9) if -(1 << w - 1) <= low and high <= (1 << w - 1) - 1
            )
            assert signed_bits(low, high) == width


@pytest.mark.parametrize("terms", [1, 2, 3, 9, 32, 1024])
def test_a_sum_of_weights_fits_and_would_not_with_a_bit_less(terms):
    bits = sum_bits(terms)
    assert -(1 << bits - 1) <= -128 * terms < -(1 << bits - 2)
    assert 127 * terms <= (1 << bits - 1) - 1


def ends_of(layout, name):
    field = layout[name]
    if getattr(field.shape, "signed", False):
        return -(1 << field.width - 1), (1 << field.width - 1) - 1
    return 0, (1 << field.width) - 1


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_fields_come_back_from_their_words(layout, unpack):
    rng = np.random.default_rng(0)
    for _ in range(20):
        values = {}
        for name in layout.members:
            low, high = ends_of(layout, name)
            values[name] = int(rng.choice([low, high, rng.integers(low, high + 1)]))
        packed = words(layout, **values)
        assert len(packed) == layout.size // 32
        assert all(0 <= word < 1 << 32 for word in packed)
        assert unpack(layout, packed) == values


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_no_field_crosses_a_word_and_every_bit_has_a_field(layout):
    covered = 0
    for name, _ in layout.members.items():
        field = layout[name]
        assert field.offset // 32 == (field.offset + field.width - 1) // 32, name
        covered += field.width
    assert covered == layout.size
    assert layout.size % 32 == 0


@pytest.mark.parametrize("layout", [SIMPLE, RUN, READ, RESULT], ids=str)
def test_the_operation_stands_in_the_top_bits_of_the_first_word(layout):
    assert words(layout, op=15)[0] == 15 << 28
    assert max(Op) <= 15


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_what_does_not_fit_a_field_is_refused(layout):
    for name in layout.members:
        low, high = ends_of(layout, name)
        for value in (low - 1, high + 1):
            with pytest.raises(
                ValueError, match=f"^program field {name} must be from {low} to {high}, not",
            ):
                words(layout, **{name: value})


def test_an_unknown_field_is_refused():
    with pytest.raises(KeyError):
        words(SIMPLE, nonsense=1)


@pytest.mark.parametrize(("kind", "value"), [(0x80, 0), (1, 2**24 - 1), (255, 12345)])
def test_a_header_is_what_its_layout_says(kind, value):
    fields = HEADER.from_bits(header(kind, value))
    assert isinstance(fields, data.Const)
    assert (fields.kind, fields.value) == (kind, value)
