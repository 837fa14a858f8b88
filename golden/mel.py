"""What frames of samples are weighted with on their way to a mel spectrum."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, window: int, bands: int) -> NDArray[np.float64]:
    """Triangular filters on the HTK mel scale, from 0 Hz to half the rate, each of peak 1.

    ``mel = 2595 log10(1 + f / 700)``; the same as ``librosa.filters.mel(htk=True, norm=None)``.
    Low bands may be narrower than one Fourier bin and then hold nothing.

    Returns
    -------
    NDArray[np.float64]
        ``[band, bin]`` with ``window // 2 + 1`` bins; read-only.
    """
    top = 2595.0 * np.log10(1.0 + sample_rate / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, bands + 2) / 2595.0) - 1.0)
    bins = np.fft.rfftfreq(window, 1.0 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


@lru_cache(maxsize=8)
def hann(window: int) -> NDArray[np.float64]:
    """Periodic Hann window of so many samples; read-only."""
    weights: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    weights.flags.writeable = False
    return weights
