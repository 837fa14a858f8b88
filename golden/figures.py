"""Figures of merit in NumPy: correlation, rank correlation, bootstrap interval."""

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000

Floats = NDArray[np.float64]


def correlation(x: Floats, y: Floats) -> float:
    """Pearson's correlation of `x` and `y`; 0 where one of them never changes."""
    if x.std() < 1e-12 or y.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def ranks(values: Floats) -> Floats:
    """Ranks of `values` from 0; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean = np.cumsum(counts) - (counts + 1) / 2
    shared: Floats = mean[inverse]
    return shared


def interval(x: Floats, y: Floats, seed: int = 0) -> tuple[float, float]:
    """95 % interval of `correlation`: percentiles of `RESAMPLES` bootstrap resamplings of pairs."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(x.size, size=(RESAMPLES, x.size))
    low, high = np.percentile([correlation(x[pick], y[pick]) for pick in picks], [2.5, 97.5])
    return float(low), float(high)
