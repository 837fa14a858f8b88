"""Audio files as 16-kHz mono samples, and the windows that one prediction sees."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from golden.front_end import FrontEnd

SAMPLE_RATE = 16000
LEAST_RATE = 1000

BLOCK_SAMPLES = 2**20
BLOCK_SECONDS = 64
"""What is read at once: samples of all channels together, and a time."""

PIPE_BYTES = 2**16
"""What is read at once of a pipe, if it holds that many."""

HEADERS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM", b"ID3", b"caff")
HEADER_BYTES = 4
"""How audio files begin, and raw samples hardly ever."""


def load(path: Path | str, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read a WAV, FLAC or other file of libsndfile, any rate and channel count, as mono.

    The blocks of `stream` in one piece, with its errors.

    Returns
    -------
    NDArray[np.float32]
        ``[sample]``, at least one, all finite.
    """
    return np.concatenate(list(stream(path, sample_rate)))


def stream(path: Path | str, sample_rate: int = SAMPLE_RATE) -> Iterator[NDArray[np.float32]]:
    """Read a WAV, FLAC or other file of libsndfile block by block, as mono.

    Channels are averaged, then the rate is converted (soxr, high quality). Samples of integer
    formats are scaled to -1..1; nothing is clipped or normalised. No more than a block is held,
    and where blocks end changes no sample.

    Parameters
    ----------
    path
        The file.
    sample_rate
        Rate of the result, Hz.

    Yields
    ------
    NDArray[np.float32]
        ``[sample]``, all finite; at least one sample comes in all.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is not audio, is empty, holds NaN or infinite samples, or its rate is below
        1,000 Hz. The message is one line and names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: the clip must be an existing file")
    try:
        yield from _convert(path, sample_rate)
    except (soundfile.LibsndfileError, TypeError) as error:
        # TypeError: soundfile takes a file whose name ends in .raw for headerless audio.
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise ValueError(
            f"{path}: the clip must be an audio file (WAV, FLAC, ...), not this ({reason})",
        ) from None


def _convert(path: Path, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    with soundfile.SoundFile(path) as file:
        rate = file.samplerate
        if rate < LEAST_RATE:
            raise ValueError(
                f"{path}: the sample rate must be at least {LEAST_RATE} Hz, not {rate}",
            )
        change = Change(rate, sample_rate)
        frames = max(1, min(BLOCK_SAMPLES // file.channels, BLOCK_SECONDS * rate))
        first: NDArray[np.float32] | None = None
        given = False
        while True:
            block = file.read(frames, dtype="float32", always_2d=True)
            ended = len(block) == 0
            if not np.isfinite(block).all():
                bad = int((~np.isfinite(block)).sum())
                raise ValueError(
                    f"{path}: samples must be finite, not NaN or infinite ({bad} are)",
                )
            mono: NDArray[np.float32] = block.mean(axis=1, dtype=np.float32)
            first = mono[:1] if first is None else first
            mono = change.take(mono, last=ended)
            if mono.size:
                given = True
                yield mono
            if ended:
                break
    if first is None or first.size == 0:
        raise ValueError(f"{path}: the clip must hold at least one sample, not none")
    if not given:  # too short for the converter to make a sample of
        yield first


class Change:
    """Changes a stream's rate block by block (soxr, high quality); where they end changes nothing.

    Parameters
    ----------
    rate, sample_rate
        Of what comes and of what leaves, Hz.
    """

    def __init__(self, rate: int, sample_rate: int) -> None:
        self._stream = soxr.ResampleStream(rate, sample_rate, 1) if rate != sample_rate else None

    def take(self, block: NDArray[np.float32], *, last: bool = False) -> NDArray[np.float32]:
        """Take float32 ``[sample]``; give what has become of the stream so far."""
        if self._stream is None:
            return block
        changed: NDArray[np.float32] = self._stream.resample_chunk(block, last=last)
        return changed


class Bytes(Protocol):
    """What gives bytes as they come, such as ``sys.stdin.buffer``."""

    def read1(self, size: int, /) -> bytes:
        """Return at most `size` bytes, those that are there; none at the end."""


def pipe(
    source: Bytes, rate: int, sample_rate: int = SAMPLE_RATE,
) -> Iterator[NDArray[np.float32]]:
    """Read raw PCM as it comes: 16 bits a sample, lowest byte first, one channel.

    Parameters
    ----------
    source
        Of the bytes; read until it ends.
    rate
        Theirs, Hz.
    sample_rate
        Rate of the result, Hz.

    Yields
    ------
    NDArray[np.float32]
        ``[sample]``, from -1 to 1, at least one in all.

    Raises
    ------
    ValueError
        The rate is below 1,000 Hz; or there is no sample, half a one at the end, or a file's header
        where samples should begin.
    """
    if rate < LEAST_RATE:
        raise ValueError(f"rate must be at least {LEAST_RATE} Hz, not {rate}")
    change, rest, count = Change(rate, sample_rate), b"", 0
    while data := source.read1(PIPE_BYTES):
        data = rest + data
        if count == 0 and data.startswith(HEADERS):
            raise ValueError(
                "the pipe must hold raw samples, not an audio file with its header (name the file)",
            )
        whole = len(data) // 2 * 2 if count or len(data) >= HEADER_BYTES else 0
        rest, count = data[whole:], count + whole // 2
        mono = change.take(_floats(data[:whole]))
        if mono.size:
            yield mono
    if len(rest) % 2:
        raise ValueError(
            f"the pipe must hold whole samples of 2 bytes, not {2 * count + len(rest)} bytes",
        )
    if not rest and count == 0:
        raise ValueError("the pipe must hold at least one sample, not none")
    mono = change.take(_floats(rest), last=True)
    if mono.size:
        yield mono


def _floats(data: bytes) -> NDArray[np.float32]:
    """Scale 16-bit samples to -1..1, as libsndfile does."""
    return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)


def cut(
    blocks: Iterable[NDArray[np.float32]], front_end: FrontEnd,
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Cut a stream into stretches of whole windows, which are scored one by one.

    A clip shorter than a window is repeated until it fills one, as DNSMOS does; a longer one
    gives windows that start every `clip_hop_seconds`, and an incomplete last one is dropped.

    Parameters
    ----------
    blocks
        float32 ``[sample]`` each, at the front-end's rate, at least one sample in all.
    front_end
        Length and distance of the windows.

    Yields
    ------
    (float, NDArray[np.float32])
        Start in seconds and samples of one window, or of several that overlap or follow at
        `clip_hop_seconds`; the next stretch starts that much behind its last window.

    Raises
    ------
    ValueError
        There is no sample.
    """
    length, hop = front_end.clip_samples, front_end.clip_hop_samples
    held = np.zeros(0, np.float32)
    begins = start = 0  # of what is held, and of the next window
    for block in blocks:
        done = min(start - begins, held.size)
        held, begins = np.concatenate([held[done:], block]), begins + done
        rest = held[start - begins :]
        if rest.size >= length:
            count = (rest.size - length) // hop + 1
            yield start / front_end.sample_rate, rest[: (count - 1) * hop + length]
            start += count * hop
    if start == 0:
        if held.size == 0:
            raise ValueError("samples must be at least one, not none")
        yield 0.0, np.resize(held, length)


def save(path: Path, samples: NDArray[np.float32], sample_rate: int = SAMPLE_RATE) -> None:
    """Write `samples`, float32 ``[sample]`` from -1 to 1, as 16-bit FLAC, whatever the name."""
    soundfile.write(path, samples, sample_rate, format="FLAC", subtype="PCM_16")
