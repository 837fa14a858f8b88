"""Audio files as 16-kHz mono samples, and the windows that one prediction sees."""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from golden.front_end import FrontEnd

SAMPLE_RATE = 16000
LEAST_RATE = 1000


def load(path: Path | str, sample_rate: int = SAMPLE_RATE) -> NDArray[np.float32]:
    """Read a WAV, FLAC or other file of libsndfile, any rate and channel count, as mono.

    Channels are averaged, then the rate is converted (soxr, high quality). Samples of integer
    formats are scaled to -1..1; nothing is clipped or normalised.

    Parameters
    ----------
    path
        The file.
    sample_rate
        Rate of the result, Hz.

    Returns
    -------
    NDArray[np.float32]
        ``[sample]``, at least one, all finite.

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
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, TypeError) as error:
        # TypeError: soundfile takes a file whose name ends in .raw for headerless audio.
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        raise ValueError(
            f"{path}: the clip must be an audio file (WAV, FLAC, ...), not this ({reason})",
        ) from None
    if rate < LEAST_RATE:
        raise ValueError(f"{path}: the sample rate must be at least {LEAST_RATE} Hz, not {rate}")
    if samples.size == 0:
        raise ValueError(f"{path}: the clip must hold at least one sample, not none")
    if not np.isfinite(samples).all():
        bad = int((~np.isfinite(samples)).sum())
        raise ValueError(f"{path}: samples must be finite, not NaN or infinite ({bad} are)")
    mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    if rate == sample_rate:
        return mono
    resampled: NDArray[np.float32] = soxr.resample(mono, rate, sample_rate)
    return resampled if resampled.size else mono[:1]


def windows(
    samples: NDArray[np.float32], front_end: FrontEnd,
) -> list[tuple[float, NDArray[np.float32]]]:
    """Cut `samples` into the windows that are scored one by one.

    A clip shorter than a window is repeated until it fills one, as DNSMOS does; a longer one
    gives windows that start every `clip_hop_seconds`, and an incomplete last one is dropped.

    Parameters
    ----------
    samples
        float32 ``[sample]`` at the front-end's rate, at least one.
    front_end
        Length and distance of the windows.

    Returns
    -------
    list of (float, NDArray[np.float32])
        Start in seconds and samples ``[clip_samples]`` of every window; never empty.
    """
    if samples.ndim != 1 or samples.size == 0:
        raise ValueError(f"samples must be one channel of at least one, not {samples.shape}")
    length = front_end.clip_samples
    if samples.size < length:
        return [(0.0, np.resize(samples, length))]
    hop = round(front_end.clip_hop_seconds * front_end.sample_rate)
    return [
        (start / front_end.sample_rate, samples[start : start + length])
        for start in range(0, samples.size - length + 1, hop)
    ]
