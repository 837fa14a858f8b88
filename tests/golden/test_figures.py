"""Figures of merit on cases done by hand."""

import numpy as np
import pytest

from golden.evaluate import measure
from golden.figures import correlation, interval, ranks


def test_correlation() -> None:
    x = np.array([1.0, 2.0, 3.0, 4.0])
    assert correlation(x, 3 * x - 1) == pytest.approx(1.0)
    assert correlation(x, -x) == pytest.approx(-1.0)
    assert correlation(x, np.array([1.0, -1.0, -1.0, 1.0])) == pytest.approx(0.0)
    assert correlation(x, np.full(4, 2.0)) == 0.0


def test_equal_values_share_their_rank() -> None:
    assert ranks(np.array([7.0, 1.0, 7.0, 3.0, 7.0])).tolist() == [3.0, 0.0, 3.0, 1.0, 3.0]


def test_the_interval_is_that_of_theory() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal(1000)
    y = 0.8 * x + 0.6 * rng.standard_normal(1000)
    low, high = interval(x, y)
    middle = np.arctanh(correlation(x, y))
    expected = np.tanh([middle - 1.96 / np.sqrt(997), middle + 1.96 / np.sqrt(997)])
    np.testing.assert_allclose([low, high], expected, atol=0.01)
    assert (low, high) == interval(x, y)


def test_measure_ranks_and_errs() -> None:
    labels = np.array([1.0, 2.0, 3.0, 4.0])
    got = measure(labels, np.array([1.0, 2.0, 3.0, 8.0]))
    assert got.n == 4
    assert got.srcc == pytest.approx(1.0)
    assert got.mse == pytest.approx(4.0)
    assert got.pcc_low <= got.pcc <= got.pcc_high


@pytest.mark.parametrize("length", [1, 3])
def test_measure_refuses_vectors_that_do_not_match(length: int) -> None:
    with pytest.raises(ValueError, match="must be two vectors of one length of at least 2"):
        measure(np.zeros(length), np.zeros(1))
