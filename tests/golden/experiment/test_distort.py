"""Distortions: each does what its number says, repeats by its seed and shifts nothing."""

import numpy as np
import pytest

from golden.experiment import distort
from golden.experiment.distort import KINDS, SEEN, UNSEEN, Kind, Samples

SIZE = 80000


@pytest.fixture(scope="module")
def voice() -> Samples:
    """Bursts of noise with a falling spectrum, and pauses."""
    rng = np.random.default_rng(0)
    white = np.fft.rfft(rng.standard_normal(SIZE))
    coloured = np.fft.irfft(white / (1 + np.arange(white.size) / 5000.0), SIZE)
    loud = 0.02 + np.sin(2 * np.pi * 1.5 * np.arange(SIZE) / 16000).clip(0)
    return (0.1 * coloured * loud / coloured.std()).astype(np.float32)


def apply(kind: Kind, samples: Samples, number: float, seed: int = 1) -> Samples:
    return KINDS[kind].apply(samples, number, np.random.default_rng(seed))


def error(samples: Samples, distorted: Samples) -> float:
    return float(np.square(distorted - samples).mean() / np.square(samples).mean())


def test_two_kinds_are_kept_out() -> None:
    assert len(UNSEEN) == 2
    assert not set(UNSEEN) & set(SEEN)
    assert {"clip", "low_pass", "codec", "loss", "gain", "gate"} <= set(SEEN)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_repeats_keeps_its_place_and_grows(kind: Kind, voice: Samples) -> None:
    one = KINDS[kind]
    mild, strong = one.low, one.high
    if kind in ("low_pass", "codec", "transform"):
        mild, strong = strong, mild
    before = voice.copy()
    got = apply(kind, voice, strong)
    np.testing.assert_array_equal(voice, before)
    np.testing.assert_array_equal(got, apply(kind, voice, strong))
    assert got.shape == voice.shape
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    assert 1e-4 < error(voice, got)
    assert error(voice, apply(kind, voice, mild)) < error(voice, got)
    size = 2 * SIZE
    meeting = np.fft.irfft(np.fft.rfft(got, size) * np.fft.rfft(voice, size).conj(), size)
    assert np.argmax(meeting) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_are_drawn_from_their_range(kind: Kind) -> None:
    rng = np.random.default_rng(2)
    drawn = [KINDS[kind].draw(rng) for _ in range(400)]
    low, high = KINDS[kind].low, KINDS[kind].high
    assert low <= min(drawn) < low * 1.1 + 0.1 * (high - low)
    assert high - 0.1 * (high - low) < max(drawn) <= high


def test_clipping_limits_the_share_it_says(voice: Samples) -> None:
    got = apply("clip", voice, 0.05)
    assert np.mean(np.abs(got) >= np.abs(got).max() * 0.9999) == pytest.approx(0.05, abs=0.002)


def test_a_low_pass_removes_what_lies_above(voice: Samples) -> None:
    power = np.abs(np.fft.rfft(apply("low_pass", voice, 2000.0))) ** 2
    before = np.abs(np.fft.rfft(voice)) ** 2
    edge = round(2000 / 8000 * power.size)
    assert power[edge + 1 :].sum() < 1e-6 * before[edge:].sum()
    np.testing.assert_allclose(power[: edge * 4 // 5], before[: edge * 4 // 5], rtol=1e-3, atol=1)


def test_a_codec_has_the_levels_of_its_bits(voice: Samples) -> None:
    assert np.unique(apply("codec", voice, 5.0)).size <= 2**5 + 1


@pytest.mark.parametrize("seed", range(6))
def test_packets_are_lost_or_whole(voice: Samples, seed: int) -> None:
    got = apply("loss", voice, 0.2, seed).reshape(-1, distort.FRAME)
    whole = (got == voice.reshape(-1, distort.FRAME)).all(axis=1)
    assert 0.05 < 1 - whole.mean() < 0.4


def test_packets_are_lost_as_often_as_it_says(voice: Samples) -> None:
    packets = voice.reshape(-1, distort.FRAME)
    lost = [
        (apply("loss", voice, 0.1, seed).reshape(-1, distort.FRAME) != packets).any(axis=1).mean()
        for seed in range(40)
    ]
    assert np.mean(lost) == pytest.approx(0.1, abs=0.02)


def test_short_time_spectra_give_the_samples_back(voice: Samples) -> None:
    back = distort._samples(distort._spectra(voice), voice.size)
    np.testing.assert_allclose(back, voice, atol=1e-6)


def test_a_gate_spares_the_loud_and_eats_the_soft(voice: Samples) -> None:
    got = apply("gate", voice, 3.0)
    loud = np.abs(np.sin(2 * np.pi * 1.5 * np.arange(SIZE) / 16000) - 1) < 0.1
    soft = np.sin(2 * np.pi * 1.5 * np.arange(SIZE) / 16000) < -0.5
    assert error(voice[loud], got[loud]) < 0.1
    assert np.square(got[soft]).sum() < 0.3 * np.square(voice[soft]).sum()
