"""Raw samples from a pipe: the same as from a file, and one clear line for what is none."""

import io

import numpy as np
import pytest
import soundfile

from golden.audio import load, pipe


class Drips(io.BytesIO):
    """Gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, seed: int = 0) -> None:
        super().__init__(data)
        self._rng = np.random.default_rng(seed)

    def read1(self, size: int | None = -1, /) -> bytes:
        """Return one to nine bytes."""
        return self.read(int(self._rng.integers(1, 10)))


def sound(samples: int = 5000) -> np.ndarray:
    return np.random.default_rng(1).integers(-32768, 32768, samples).astype("<i2")


@pytest.mark.parametrize("rate", [16000, 44100, 8000])
@pytest.mark.parametrize("source", [io.BytesIO, Drips])
def test_samples_are_those_of_a_file(rate, source, tmp_path) -> None:
    samples = sound()
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="PCM_16")
    blocks = list(pipe(source(samples.tobytes()), rate))
    assert all(block.dtype == np.float32 and block.size for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), load(tmp_path / "a.wav"))


def test_one_sample_is_enough() -> None:
    (block,) = pipe(io.BytesIO(b"\x00\x80"), 16000)
    assert block.tolist() == [-1.0]


@pytest.mark.parametrize("count", [1, 3, 4001])
@pytest.mark.parametrize("source", [io.BytesIO, Drips])
def test_half_a_sample_is_refused(count, source) -> None:
    with pytest.raises(ValueError, match=f"whole samples of 2 bytes, not {count} bytes"):
        list(pipe(source(bytes(count)), 16000))


def test_an_empty_pipe_is_refused() -> None:
    with pytest.raises(ValueError, match="the pipe must hold at least one sample, not none"):
        list(pipe(io.BytesIO(), 16000))


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "CAF"])
@pytest.mark.parametrize("source", [io.BytesIO, Drips])
def test_a_file_is_no_raw_audio(kind, source) -> None:
    file = io.BytesIO()
    soundfile.write(file, sound(), 16000, format=kind)
    with pytest.raises(ValueError, match="not an audio file with its header"):
        list(pipe(source(file.getvalue()), 16000))


@pytest.mark.parametrize("rate", [0, -16000, 999])
def test_a_rate_that_is_none(rate) -> None:
    with pytest.raises(ValueError, match=f"rate must be at least 1000 Hz, not {rate}"):
        list(pipe(io.BytesIO(b"12"), rate))
