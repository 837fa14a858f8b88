"""The log-mel front-end against librosa, and its codes."""

from dataclasses import replace

import numpy as np
import pytest

from golden.dnsmos import FRONT_END as DNSMOS
from golden.front_end import codes, log_mel, standardised, window_codes
from golden.mel import mel_filters

MEAN = np.linspace(-6, 2, 120).astype(np.float32)
DEVIATION = np.linspace(2, 4, 120).astype(np.float32)
FRONT_END = standardised(MEAN, DEVIATION)


def noise(samples: int = 80000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(samples)).astype(np.float32)


def test_filters_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(
        sr=16000, n_fft=640, n_mels=120, htk=True, norm=None, dtype=np.float64,
    )
    np.testing.assert_allclose(mel_filters(16000, 640, 120), expected, atol=1e-9)


@pytest.mark.parametrize(("rate", "window", "bands"), [(16000, 321, 120), (8000, 256, 40)])
def test_slaneys_filters_are_librosas(rate: int, window: int, bands: int) -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=rate, n_fft=window, n_mels=bands, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(rate, window, bands, "slaney"), expected, atol=1e-9)


def test_slaneys_scale_below_its_knee_is_linear() -> None:
    librosa = pytest.importorskip("librosa")
    expected = librosa.filters.mel(sr=1600, n_fft=64, n_mels=5, dtype=np.float64)
    np.testing.assert_allclose(mel_filters(1600, 64, 5, "slaney"), expected, atol=1e-9)


def test_centred_frames_are_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    samples = noise(16000) * np.float32(1e-3)
    front_end = replace(FRONT_END, kind="log-mel-centred", floor=1e-5)
    mel = librosa.feature.melspectrogram(
        y=samples.astype(np.float64), sr=16000, n_fft=640, hop_length=320, n_mels=120, htk=True,
        norm=None,
    )
    expected = np.log(np.maximum(mel, 1e-5))
    assert 0.01 < (mel < 1e-5).mean() < 0.99
    np.testing.assert_allclose(log_mel(samples, front_end), expected, atol=2e-4)


def test_a_centred_window_of_nine_seconds_is_900_frames() -> None:
    assert DNSMOS.frames == 900
    assert codes(noise(DNSMOS.clip_samples), DNSMOS).shape == (1, 120, 900)


def test_log_mel_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    mel = librosa.feature.melspectrogram(
        y=noise().astype(np.float64), sr=16000, n_fft=640, hop_length=320, window="hann",
        center=False, power=2.0, n_mels=120, htk=True, norm=None,
    )
    np.testing.assert_allclose(log_mel(noise(), FRONT_END), np.log(mel + 1e-9), atol=2e-4)


def test_five_seconds_are_249_frames() -> None:
    assert log_mel(noise(), FRONT_END).shape == (120, 249)
    assert codes(noise(), FRONT_END).shape == (1, 120, 249)


@pytest.mark.parametrize(
    "changes",
    [{}, {"clip_hop_seconds": 0.5}, {"clip_hop_seconds": 7.0}, {"clip_hop_seconds": 0.33},
     {"reference": "max"}, {"hop": 160}, {"kind": "log-mel-centred"}],
)
def test_a_window_has_the_same_codes_alone_and_among_others(changes: dict[str, object]) -> None:
    front_end = replace(FRONT_END, **changes)
    hop, length = front_end.clip_hop_samples, front_end.clip_samples
    for count in (1, 2, 7):
        samples = noise(length + (count - 1) * hop, seed=count)
        # A tone that stops makes the windows unlike in level.
        samples[: length // 2] += np.sin(np.arange(length // 2) * 0.3).astype(np.float32)
        found = list(window_codes(samples, front_end))
        assert len(found) == count
        for i, got in enumerate(found):
            alone = codes(samples[i * hop : i * hop + length].copy(), front_end)
            np.testing.assert_array_equal(got, alone)


def test_frames_are_shared_where_windows_start_on_them() -> None:
    assert FRONT_END.shared_frames == 50
    assert replace(FRONT_END, hop=160).shared_frames == 100
    assert replace(FRONT_END, hop=333).shared_frames == 0
    assert replace(FRONT_END, reference="max").shared_frames == 0
    assert replace(FRONT_END, kind="log-mel-centred").shared_frames == 0


def test_silence_is_the_floor() -> None:
    np.testing.assert_allclose(log_mel(np.zeros(960, np.float32), FRONT_END), np.log(1e-9))


def test_decibels_and_the_clips_maximum() -> None:
    natural = log_mel(noise(), FRONT_END)
    decibels = log_mel(noise(), replace(FRONT_END, log="db"))
    np.testing.assert_allclose(decibels, natural * (10 / np.log(10)), atol=1e-3)
    relative = log_mel(noise(), replace(FRONT_END, reference="max"))
    assert relative.max() == 0
    np.testing.assert_allclose(relative, natural - natural.max(), atol=1e-4)


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_codes_are_the_rounded_clipped_formula(bits: int) -> None:
    front_end = standardised(MEAN, DEVIATION, bits)
    got = codes(noise(), front_end, bits)
    value = (log_mel(noise(), front_end) - MEAN[:, None]) / DEVIATION[:, None]
    exact = value * 32 * 2.0 ** (bits - 8) + 2 ** (bits - 1)
    assert got.dtype == np.uint8
    assert got.max() < 2**bits
    inside = np.abs(exact % 1 - 0.5) > 0.01
    expected = np.clip(np.rint(exact), 0, 2**bits - 1)
    np.testing.assert_array_equal(got[0][inside], expected[inside])


def test_a_band_that_never_changes_keeps_a_positive_step() -> None:
    front_end = standardised(MEAN, np.zeros(120, np.float32))
    assert (front_end.step > 0).all()


def test_refuses_less_than_one_frame() -> None:
    with pytest.raises(ValueError, match="samples must be one channel of at least 640"):
        log_mel(noise(639), FRONT_END)
