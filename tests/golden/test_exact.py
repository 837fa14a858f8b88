"""Exact arithmetic of a layer's end: against brute force over the sums around every edge."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from golden import exact
from golden.exact import Affine
from golden.layer import INT32, Requantise, Threshold


def fires(end: Threshold, channel: int, total: int) -> bool:
    return bool((total > end.threshold[channel]) != end.flip[channel])


def code(end: Requantise, channel: int, total: int) -> int:
    return min(max((total + int(end.bias[channel])) >> end.shift, 0), 2**end.bits - 1)


def test_a_threshold_is_exact_where_a_float_floor_is_not() -> None:
    # In floats 0.3 / 0.1 is 2.9999999999999996, and 0.1 * 3 > 0.3; exactly, 0.1 * 3 > 0.3 too.
    for gain, offset in ((0.1, -0.3), (0.1, -0.7), (1 / 3, -1.0), (1e-3, -4.0), (0.5, -3.0)):
        affine = Affine((Fraction(gain),), (Fraction(offset),))
        end = exact.threshold(affine)
        middle = round(-offset / gain)
        for total in range(middle - 3, middle + 4):
            assert fires(end, 0, total) == (Fraction(gain) * total + Fraction(offset) > 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_bit_is_the_sign_of_u_for_any_gain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain = exact.fractions(rng.normal(0, 1, 40).astype(np.float32))
    offset = exact.fractions(rng.normal(0, 100, 40).astype(np.float32))
    end = exact.threshold(Affine(gain, offset))
    assert end.flip.any()
    assert not end.flip.all()
    for channel in range(40):
        edge = int(end.threshold[channel])
        for total in (edge - 2, edge - 1, edge, edge + 1, edge + 2):
            u = gain[channel] * total + offset[channel]
            assert fires(end, channel, total) == (u > 0), (channel, total)


def test_u_of_exactly_0_does_not_fire_either_way() -> None:
    end = exact.threshold(Affine((Fraction(2), Fraction(-2)), (Fraction(-10), Fraction(10))))
    assert [fires(end, 0, total) for total in (4, 5, 6)] == [False, False, True]
    assert [fires(end, 1, total) for total in (4, 5, 6)] == [True, False, False]


def test_gain_0_and_bounds_beyond_int32_fire_always_or_never() -> None:
    tiny = Fraction(1, 2**60)
    gain = (Fraction(0), Fraction(0), Fraction(0), tiny, tiny, -tiny, -tiny)
    offset = tuple(map(Fraction, (1, 0, -1, 1, -1, 1, -1)))
    end = exact.threshold(Affine(gain, offset))
    for total in (INT32.min + 1, -1, 0, 1, INT32.max):
        found = [fires(end, channel, total) for channel in range(7)]
        assert found == [True, False, False, True, False, True, False]


@pytest.mark.parametrize("shift", [0, 1, 5, 12])
def test_requantising_is_floor_of_u_over_step_and_a_half(shift: int) -> None:
    rng = np.random.default_rng(shift)
    step = Fraction(1, 8)
    offset = exact.fractions(rng.normal(0, 2, 6).astype(np.float32))
    affine = Affine((step / 2**shift,) * 6, offset)
    end = exact.requantise(affine, step, 5)
    assert (end.shift, end.bits) == (shift, 5)
    for channel in range(6):
        for total in range(-40 << shift, 40 << shift, max(1, (1 << shift) // 3)):
            u = affine.gain[channel] * total + offset[channel]
            wanted = min(max(floor(u / step + Fraction(1, 2)), 0), 31)
            assert code(end, channel, total) == wanted


@pytest.mark.parametrize(
    "gain", [(1.0, 2.0), (3.0, 3.0), (0.0, 0.0), (-1.0, -1.0), (32.0, 32.0), (2.0**-30, 2.0**-30)],
)
def test_a_scale_that_is_no_shift_is_refused(gain: tuple[float, ...]) -> None:
    affine = Affine(tuple(map(Fraction, gain)), (Fraction(0),) * 2)
    with pytest.raises(ValueError, match="step must be the same power of two, 1 to 2"):
        exact.requantise(affine, Fraction(16), 8)


def test_a_bias_beyond_int32_is_refused() -> None:
    affine = Affine((Fraction(1),), (Fraction(2**31),))
    with pytest.raises(ValueError, match="bias must stay within int32, not reach 2147483648"):
        exact.requantise(affine, Fraction(1), 8)


def test_the_raw_end_keeps_the_value() -> None:
    affine = Affine((Fraction(1, 3), Fraction(-2), Fraction(0)), tuple(map(Fraction, (10, 5, 7))))
    end = exact.raw(affine, ("a", "b", "c"))
    assert end.bias.tolist() == [30, -2, 0]
    for total in (-100, 0, 77):
        values = (total + end.bias) * end.scale + end.offset
        assert values == pytest.approx([total / 3 + 10, -2 * total + 5, 7])


def test_batch_norm_is_exact_where_the_root_is() -> None:
    one = Fraction(1)
    gain, offset = exact.batch_norm([3 * one], [one], [5 * one], [Fraction(15, 4)], Fraction(1, 4))
    assert (gain, offset) == ((Fraction(3, 2),), (1 - Fraction(15, 2),))
    (gain,), _ = exact.batch_norm([one], [one], [one], [2 * one], Fraction(0))
    assert abs(gain * gain * 2 - 1) < Fraction(1, 2**250)


def test_rows_are_quantised_each_to_its_own_scale() -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (5, 3, 3, 3)) * np.array([1, 10, 100, 1e-3, 0]).reshape(5, 1, 1, 1)
    codes, scales = exact.quantise_rows(weights)
    assert np.abs(codes[:4]).reshape(4, -1).max(1).tolist() == [127] * 4
    assert not codes[4].any()
    real = codes * np.array([float(s) for s in scales]).reshape(5, 1, 1, 1)
    assert (np.abs(real - weights).reshape(5, -1).max(1) <= [float(s) / 2 for s in scales]).all()


def test_a_shared_scale_is_the_least_that_holds_all_rows() -> None:
    weights = np.array([[0.5, -0.25], [0.1, 0.0]])
    codes, scales = exact.quantise_shared(weights, Fraction(1))
    assert scales == (Fraction(1, 128),) * 2
    assert codes.tolist() == [[64, -32], [13, 0]]
    with pytest.raises(ValueError, match="step must be at least 2 times as large"):
        exact.quantise_shared(weights * 508, Fraction(1))
