"""Audio files of any rate and channel count, and what is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from golden import audio
from golden.front_end import FrontEnd, standardised

FRONT_END = standardised(np.zeros(120, np.float32), np.ones(120, np.float32))


def tone(rate: int, seconds: float, hertz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "FLOAT"), ("flac", "PCM_16")])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate: int, suffix: str, subtype: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    soundfile.write(path, tone(rate, 1.0), rate, subtype=subtype)
    samples = audio.load(path)
    assert samples.dtype == np.float32
    assert abs(samples.size - 16000) <= 1
    inner = slice(2000, 14000)
    np.testing.assert_allclose(samples[inner], tone(16000, 1.0)[inner], atol=2e-3)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "many.wav"
    levels = np.arange(channels) / 8
    soundfile.write(path, np.tile(levels, (100, 1)), 16000, subtype="FLOAT")
    np.testing.assert_allclose(audio.load(path), levels.mean(), atol=1e-7)


def test_a_single_sample_is_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "one.wav"
    soundfile.write(path, [0.25], 48000, subtype="FLOAT")
    assert audio.load(path).size >= 1


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("block", [1, 999, 4001])
def test_where_blocks_end_changes_no_sample(
    rate: int, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "noise.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, (5003, 2)).astype(np.float32)
    soundfile.write(path, noise, rate, subtype="FLOAT")
    whole = audio.load(path)
    mono = noise.mean(axis=1, dtype=np.float32)
    expected = mono if rate == 16000 else soxr.resample(mono, rate, 16000)
    np.testing.assert_array_equal(whole, expected)
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 2 * block)
    blocks = list(audio.stream(path))
    assert len(blocks) > 1
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


def windows(blocks: list[np.ndarray], front_end: FrontEnd) -> list[tuple[float, np.ndarray]]:
    """Cut further, into single windows."""
    length, hop = front_end.clip_samples, front_end.clip_hop_samples
    return [
        (start + at / front_end.sample_rate, part[at : at + length])
        for start, part in audio.cut(blocks, front_end)
        for at in range(0, part.size - length + 1, hop)
    ]


@pytest.mark.parametrize("hop", [0.5, 1.0, 7.0])
@pytest.mark.parametrize("size", [997, 16000, 79999, 80001, 400000])
def test_windows_of_a_stream_are_those_of_the_whole(hop: float, size: int) -> None:
    front_end = replace(FRONT_END, clip_hop_seconds=hop)
    samples = np.arange(350007, dtype=np.float32)
    found = windows([samples[i : i + size] for i in range(0, samples.size, size)], front_end)
    assert [start for start, _ in found] == list(np.arange(0, (350007 - 80000) / 16000, hop))
    for start, window in found:
        np.testing.assert_array_equal(window, samples[round(16000 * start) :][:80000])


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("text.wav", b"this is no audio at all", "must be an audio file"),
        ("nothing.wav", b"", "must be an audio file"),
        ("headerless.raw", b"\0" * 400, "must be an audio file"),
        ("short.flac", b"fLaC\0\0", "must be an audio file"),
    ],
)
def test_refuses_what_is_not_audio(tmp_path: Path, name: str, content: bytes, rule: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rule) as caught:
        audio.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 16000)
    with pytest.raises(ValueError, match=r"empty.wav: the clip must hold at least one sample"):
        audio.load(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_samples_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "bad.wav"
    samples = tone(16000, 0.1)
    samples[7] = bad
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    with pytest.raises(ValueError, match=r"bad.wav: samples must be finite"):
        audio.load(path)


@pytest.mark.parametrize("rate", [0, 7])
def test_refuses_a_rate_of_nothing(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "rate.wav"
    soundfile.write(path, tone(16000, 0.1), 16000)
    whole = bytearray(path.read_bytes())
    whole[24:28] = rate.to_bytes(4, "little")
    path.write_bytes(bytes(whole))
    with pytest.raises(ValueError, match=r"rate.wav: the (sample rate|clip) must be"):
        audio.load(path)


def test_refuses_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(FileNotFoundError, match="must be an existing file"):
            audio.load(path)


def test_a_short_clip_is_repeated_to_one_window() -> None:
    samples = np.arange(30000, dtype=np.float32)
    ((start, window),) = windows([samples], FRONT_END)
    assert start == 0.0
    np.testing.assert_array_equal(window, np.concatenate([samples] * 3)[:80000])


@pytest.mark.parametrize(
    ("extra", "starts"), [(0, [0]), (15999, [0]), (16000, [0, 1]), (40000, [0, 1, 2])],
)
def test_windows_start_every_second(extra: int, starts: list[int]) -> None:
    samples = np.arange(80000 + extra, dtype=np.float32)
    found = windows([samples], FRONT_END)
    assert [start for start, _ in found] == starts
    for start, window in found:
        np.testing.assert_array_equal(window, samples[int(start) * 16000 :][:80000])


def test_windows_of_nothing_are_refused() -> None:
    for blocks in ([], [np.zeros(0, np.float32)]):
        with pytest.raises(ValueError, match="samples must be at least one"):
            windows(blocks, FRONT_END)
