"""What frames of samples are weighted with on their way to a mel spectrum, on two scales."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SCALES = ("htk", "slaney")

Floats = NDArray[np.float64]

_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
"""Slaney's scale is linear below, logarithmic above; 27 mel are a factor of 6.4."""


@lru_cache(maxsize=8)
def mel_filters(sample_rate: int, window: int, bands: int, scale: str = "htk") -> Floats:
    """Triangular filters from 0 Hz to half the rate.

    ``"htk"``: ``mel = 2595 log10(1 + f / 700)``, each filter of peak 1; the same as
    ``librosa.filters.mel(htk=True, norm=None)``. ``"slaney"``: linear up to 1 kHz, logarithmic
    above, each filter of area 1 (in Hz); the same as ``librosa.filters.mel`` with its defaults.
    Low bands may be narrower than one Fourier bin and then hold nothing.

    Parameters
    ----------
    sample_rate
        Hz.
    window
        Length of the Fourier transform, samples; odd ones, too.
    bands
        Number of filters.
    scale
        One of `SCALES`.

    Returns
    -------
    NDArray[np.float64]
        ``[band, bin]`` with ``window // 2 + 1`` bins; read-only.
    """
    edges = (_htk if scale == "htk" else _slaney)(sample_rate / 2, bands + 2)
    bins = np.fft.rfftfreq(window, 1.0 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters: Floats = np.maximum(0.0, np.minimum(rising, falling))
    if scale == "slaney":
        filters *= (2.0 / (edges[2:] - edges[:-2]))[:, None]
    filters.flags.writeable = False
    return filters


@lru_cache(maxsize=8)
def hann(window: int) -> Floats:
    """Periodic Hann window of so many samples; read-only."""
    weights: Floats = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    weights.flags.writeable = False
    return weights


def _htk(top: float, count: int) -> Floats:
    """Frequencies, Hz, equally far apart on the HTK scale from 0 to `top` Hz."""
    mel = np.linspace(0.0, 2595.0 * np.log10(1.0 + top / 700.0), count)
    hertz: Floats = 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    return hertz


def _slaney(top: float, count: int) -> Floats:
    """Frequencies, Hz, equally far apart on Slaney's scale from 0 to `top` Hz."""
    per_mel = np.log(6.4) / 27.0
    last = (
        top * _KNEE_MEL / _KNEE_HZ
        if top < _KNEE_HZ
        else _KNEE_MEL + np.log(top / _KNEE_HZ) / per_mel
    )
    mel = np.linspace(0.0, last, count)
    hertz: Floats = np.where(
        mel < _KNEE_MEL,
        mel * (_KNEE_HZ / _KNEE_MEL),
        _KNEE_HZ * np.exp(per_mel * np.maximum(mel - _KNEE_MEL, 0.0)),
    )
    return hertz
