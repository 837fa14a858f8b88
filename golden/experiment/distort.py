"""Distortions that quality predictors meet, each a function of samples, one number and a seed.

The number is physical (a share, hertz, bits, decibels), so that a scene says what was done. None
shifts the signal in time, for PESQ would spend its alignment on that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from golden.audio import SAMPLE_RATE

Samples = NDArray[np.float32]
Kind = Literal["clip", "low_pass", "codec", "loss", "gain", "gate", "clicks", "transform"]

FRAME = 320
"""Samples of a packet, 20 ms."""

WINDOW = 512
"""Samples of the short-time spectra of `gate` and `transform`, half-overlapping."""


def clip(samples: Samples, share: float, rng: np.random.Generator) -> Samples:
    """Limit the loudest `share` of the samples, hard."""
    top = max(float(np.quantile(np.abs(samples), 1.0 - share)), 1e-6)
    return samples.clip(-top, top)


def low_pass(samples: Samples, hertz: float, rng: np.random.Generator) -> Samples:
    """Remove what lies above `hertz`, without phase; a cosine slope of a tenth of it below."""
    spectrum = np.fft.rfft(samples)
    at = np.linspace(0.0, SAMPLE_RATE / 2, spectrum.size)
    place = ((hertz - at) / (0.1 * hertz)).clip(0.0, 1.0)
    gain = 0.5 - 0.5 * np.cos(np.pi * place)
    filtered: Samples = np.fft.irfft(spectrum * gain, samples.size).astype(np.float32)
    return filtered


def codec(samples: Samples, bits: float, rng: np.random.Generator) -> Samples:
    """Companded samples of `bits` bits (mu-law, mu = 255), as of old telephone codecs."""
    top = max(float(np.abs(samples).max()), 1e-6)
    levels = 2.0 ** (round(bits) - 1)
    scaled = samples / np.float32(top)
    companded = np.sign(scaled) * np.log1p(255.0 * np.abs(scaled)) / np.log(256.0)
    coded = (np.floor(companded * levels) + 0.5) / levels
    expanded = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256.0)) / 255.0
    decoded: Samples = (expanded * top).astype(np.float32)
    return decoded


def loss(samples: Samples, share: float, rng: np.random.Generator) -> Samples:
    """Lose `share` of the 20-ms packets, in bursts of two on average.

    By chance of the seed, a gap is silent or filled with the last packet, ever quieter.
    """
    packets = samples[: samples.size // FRAME * FRAME].reshape(-1, FRAME).copy()
    leave, enter = 0.5, 0.5 * share / max(1.0 - share, 1e-3)
    concealed = rng.random() < 0.5
    chance = rng.random(len(packets))
    lost, last, faded = False, np.zeros(FRAME, np.float32), 1.0
    for i, packet in enumerate(packets):
        lost = chance[i] >= leave if lost else chance[i] < enter
        if lost:
            faded *= 0.6
            packet[:] = last * np.float32(faded) if concealed else 0.0
        else:
            last, faded = packet.copy(), 1.0
    result = samples.copy()
    result[: packets.size] = packets.reshape(-1)
    return result


def gain(samples: Samples, decibels: float, rng: np.random.Generator) -> Samples:
    """Let the gain wander: straight lines between normal values of `decibels`, two a second."""
    nodes = samples.size // (SAMPLE_RATE // 2) + 2
    values = decibels * rng.standard_normal(nodes).clip(-2.0, 2.0)
    at = np.linspace(0.0, nodes - 1.0, samples.size)
    curve = np.interp(at, np.arange(nodes), values)
    return (samples * 10.0 ** (curve / 20.0)).astype(np.float32)


def gate(samples: Samples, factor: float, rng: np.random.Generator) -> Samples:
    """Suppress what looks like noise: bins below `factor` times their quiet level, by 20 dB.

    The quiet level is the fifth part of a bin's magnitudes over time: a crude noise suppressor,
    which leaves musical noise and eats soft speech.
    """
    spectra = _spectra(samples)
    magnitude = np.abs(spectra)
    quiet = np.quantile(magnitude, 0.2, axis=0)
    kept = np.where(magnitude > factor * quiet, 1.0, 0.1)
    return _samples(spectra * kept, samples.size)


def clicks(samples: Samples, rate: float, rng: np.random.Generator) -> Samples:
    """Add `rate` clicks a second, of up to the signal's peak, each ringing for a few samples."""
    count = max(1, round(rate * samples.size / SAMPLE_RATE))
    result = samples.astype(np.float64)
    top = float(np.abs(samples).max())
    ring = np.exp(-np.arange(24) / 5.0) * np.cos(np.arange(24) * rng.uniform(0.5, 2.5))
    for at in rng.integers(samples.size - ring.size, size=count):
        result[at : at + ring.size] += top * rng.uniform(-1.0, 1.0) * ring
    return result.astype(np.float32)


def transform(samples: Samples, share: float, rng: np.random.Generator) -> Samples:
    """Keep the strongest `share` of each short-time spectrum's bins, in steps of 3 dB.

    So do transform codecs at low rates: holes in the spectrum that come and go.
    """
    spectra = _spectra(samples)
    magnitude = np.abs(spectra)
    least = np.quantile(magnitude, 1.0 - share, axis=1, keepdims=True)
    step = 3.0 / 20.0 * np.log(10.0)
    coarse = np.exp(np.rint(np.log(magnitude + 1e-9) / step) * step)
    phase = spectra / (magnitude + 1e-12)
    return _samples(np.where(magnitude >= least, coarse, 0.0) * phase, samples.size)


@dataclass(frozen=True, kw_only=True, slots=True)
class Distortion:
    """What a kind of distortion does, and from what range its number is drawn.

    Parameters
    ----------
    apply
        Samples, number and a source of chance to samples.
    low, high
        Range of the number, drawn uniformly, or uniformly in its logarithm where `logarithmic`.
    logarithmic
        See there.
    seen
        Whether training may use it; the others are kept for the test.
    """

    apply: Callable[[Samples, float, np.random.Generator], Samples]
    low: float
    high: float
    logarithmic: bool = True
    seen: bool = True

    def draw(self, rng: np.random.Generator) -> float:
        """Draw the number."""
        if self.logarithmic:
            drawn = float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        else:
            drawn = float(rng.uniform(self.low, self.high))
        return float(f"{drawn:.4g}")


KINDS: dict[Kind, Distortion] = {
    "clip": Distortion(apply=clip, low=0.001, high=0.2),
    "low_pass": Distortion(apply=low_pass, low=1500.0, high=7500.0),
    "codec": Distortion(apply=codec, low=4.5, high=9.5, logarithmic=False),
    "loss": Distortion(apply=loss, low=0.005, high=0.2),
    "gain": Distortion(apply=gain, low=2.0, high=12.0),
    "gate": Distortion(apply=gate, low=1.2, high=6.0),
    "clicks": Distortion(apply=clicks, low=0.3, high=30.0, seen=False),
    "transform": Distortion(apply=transform, low=0.04, high=0.8, seen=False),
}

SEEN = tuple(kind for kind, one in KINDS.items() if one.seen)
UNSEEN = tuple(kind for kind, one in KINDS.items() if not one.seen)


def _hann() -> NDArray[np.float64]:
    return np.sqrt(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW))


def _spectra(samples: Samples) -> NDArray[np.complex128]:
    """Half-overlapping short-time spectra ``[frame, bin]``, of the samples with silence around."""
    hop = WINDOW // 2
    padded = np.pad(samples.astype(np.float64), (hop, WINDOW))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::hop]
    spectra: NDArray[np.complex128] = np.fft.rfft(frames * _hann(), axis=1)
    return spectra


def _samples(spectra: NDArray[np.complex128], size: int) -> Samples:
    """Invert `_spectra`: overlapping and adding."""
    hop = WINDOW // 2
    frames = np.fft.irfft(spectra, WINDOW, axis=1) * _hann()
    total = np.zeros((len(frames) + 1) * hop)
    total[: len(frames) * hop] += frames[:, :hop].reshape(-1)
    total[hop:] += frames[:, hop:].reshape(-1)
    return total[hop : hop + size].astype(np.float32)
