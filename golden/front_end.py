"""Log-mel front-end in NumPy: samples to spectrogram to unsigned codes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from golden.mel import SCALES, hann, mel_filters
from golden.rules import check_vector, is_int, refuse

CODES_PER_DEVIATION = 32

KINDS = ("log-mel", "log-mel-centred")

FRAMES = 64
"""Frames that are transformed at once where windows share none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrontEnd:
    """How audio becomes codes: log-mel, standardised per band, quantised to unsigned codes.

    ``code = clip(round((ln(mel + floor) - offset[band]) / step[band]), 0, 2^bits - 1)``, where
    `bits` is the first layer's `input_bits`.

    Parameters
    ----------
    kind
        ``"log-mel"``: whole analysis windows only, `floor` added to the power (the paper's).
        ``"log-mel-centred"``: half a window of zeros before and behind the clip, powers below
        `floor` raised to it (librosa's way, and so that of Microsoft's DNSMOS).
    sample_rate
        Hz.
    window
        Length of the analysis window (Hann) and of the Fourier transform, samples.
    hop
        Samples from frame to frame.
    bands
        Number of mel bands, from 0 Hz to half the sample rate.
    mel_scale
        ``"htk"`` or ``"slaney"``, see `golden.mel`.
    log
        ``"ln"`` (natural logarithm) or ``"db"`` (10 log10).
    reference
        ``"absolute"``, or ``"max"``: levels relative to the clip's maximum.
    floor
        Added to the mel power before the logarithm, or its least value, as `kind` says.
    clip_seconds
        Length of the window that one prediction sees, seconds.
    clip_hop_seconds
        Distance of the starts of successive windows, seconds.
    offset, step
        Per band, float32 ``[bands]``, in units of the logarithm; step is positive.
    """

    kind: str = "log-mel"
    sample_rate: int = 16000
    window: int = 640
    hop: int = 320
    bands: int = 120
    mel_scale: str = "htk"
    log: str = "ln"
    reference: str = "absolute"
    floor: float = 1e-9
    clip_seconds: float = 5.0
    clip_hop_seconds: float = 1.0
    offset: NDArray[np.float32]
    step: NDArray[np.float32]

    def __post_init__(self) -> None:
        broken: list[str] = []
        for name, known in (
            ("kind", KINDS),
            ("mel_scale", SCALES),
            ("log", ("ln", "db")),
            ("reference", ("absolute", "max")),
        ):
            value = getattr(self, name)
            if value not in known:
                broken.append(f"{name} must be one of {', '.join(known)}, not {value!r}")
        for name in ("sample_rate", "window", "hop", "bands"):
            value = getattr(self, name)
            if not is_int(value) or value < 1:
                broken.append(f"{name} must be an integer of at least 1, not {value!r}")
        for name in ("floor", "clip_seconds", "clip_hop_seconds"):
            value = getattr(self, name)
            if not isinstance(value, float | int) or not np.isfinite(value) or value <= 0:
                broken.append(f"{name} must be a positive number, not {value!r}")
        if not broken:
            for name in ("offset", "step"):
                check_vector(broken, name, getattr(self, name), np.float32, self.bands)
        if not broken and not (np.isfinite(self.offset).all() and np.isfinite(self.step).all()):
            broken.append("offset and step must be finite")
        elif not broken and (self.step <= 0).any():
            broken.append("step must be positive in every band")
        refuse("front-end", broken)

    @property
    def clip_samples(self) -> int:
        """Length of one window, samples."""
        return round(self.clip_seconds * self.sample_rate)

    @property
    def clip_hop_samples(self) -> int:
        """Distance of the starts of successive windows, samples."""
        return round(self.clip_hop_seconds * self.sample_rate)

    @property
    def shared_frames(self) -> int:
        """Frames from window to window where successive windows share theirs, else 0."""
        alike = self.reference == "absolute" and not self.centred
        whole = self.clip_hop_samples % self.hop == 0
        return self.clip_hop_samples // self.hop if alike and whole else 0

    @property
    def centred(self) -> bool:
        """Whether frames are centred and `floor` is the least power."""
        return self.kind == "log-mel-centred"

    @property
    def margin(self) -> int:
        """Zeros before a clip, and behind it, samples."""
        return self.window // 2 if self.centred else 0

    @property
    def block_frames(self) -> int:
        """Frames that are transformed at once."""
        return self.shared_frames or FRAMES

    @property
    def frames(self) -> int:
        """Frames of one window."""
        return (self.clip_samples + 2 * self.margin - self.window) // self.hop + 1


def log_mel(samples: NDArray[np.float32], front_end: FrontEnd) -> NDArray[np.float32]:
    """Log-mel power spectrogram of `samples`.

    Frames of `window` samples every `hop`, the clip padded by `FrontEnd.margin`, weighted by a
    periodic Hann window (as librosa and torchaudio take it); squared magnitude of the Fourier
    transform; `mel_filters`; logarithm of mel + floor or, as the kind says, of the greater one.

    As many frames are done at once as windows are apart, the last ones filled up with zeros: so a
    frame gives the same numbers in every window that it falls into, whatever order of additions
    the matrix product of another shape would take. (And what is worked on stays in the caches.)

    Parameters
    ----------
    samples
        float32 ``[sample]`` at the front-end's rate, at least one window long.
    front_end
        Everything else.

    Returns
    -------
    NDArray[np.float32]
        ``[band, frame]``, in units of the logarithm.
    """
    if samples.ndim != 1 or samples.size < front_end.window:
        raise ValueError(
            f"samples must be one channel of at least {front_end.window}, not {samples.shape}",
        )
    n, size = front_end.window, front_end.block_frames
    room = np.empty((size, n))
    samples = np.pad(samples, front_end.margin) if front_end.margin else samples
    frames = np.lib.stride_tricks.sliding_window_view(samples, n)[:: front_end.hop]
    mel = np.concatenate(
        [mel_block(frames[at : at + size], front_end, room) for at in range(0, len(frames), size)],
        axis=1,
    )
    log = logarithm(mel, front_end)
    if front_end.reference == "max":
        log -= log.max()
    return log.astype(np.float32)


def mel_block(
    frames: NDArray[np.float32],
    front_end: FrontEnd,
    room: NDArray[np.float64],
    position: int = 0,
) -> NDArray[np.float64]:
    """Mel powers of some frames of one block, from `position` of it on, computed in `room`.

    Parameters
    ----------
    frames
        float32 ``[frame, sample]``, each `window` samples.
    front_end
        How to hear.
    room
        float64 ``[block_frames, window]``, to be overwritten.
    position
        Of the first one in the block; from there on at most `block_frames` fit.

    Returns
    -------
    NDArray[np.float64]
        ``[band, frame]``.
    """
    n, last = front_end.window, position + len(frames)
    np.multiply(frames, hann(n), out=room[position:last])
    room[:position] = room[last:] = 0
    spectrum = np.fft.rfft(room, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).T
    filters = mel_filters(front_end.sample_rate, n, front_end.bands, front_end.mel_scale)
    mel: NDArray[np.float64] = filters @ power
    return mel[:, position:last]


def logarithm(mel: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.float64]:
    """Logarithm of mel + floor, or of the greater one, in the front-end's unit."""
    mel = np.ascontiguousarray(mel)
    raised = np.maximum(mel, front_end.floor) if front_end.centred else mel + front_end.floor
    return np.log(raised) if front_end.log == "ln" else 10.0 * np.log10(raised)


def quantise(
    log: NDArray[np.float32], front_end: FrontEnd, bits: int = 8,
) -> NDArray[np.uint8]:
    """Unsigned codes ``[1, band, frame]`` of a log-mel spectrogram ``[band, frame]``."""
    scaled = (log - front_end.offset[:, None]) / front_end.step[:, None]
    result: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 2**bits - 1).astype(np.uint8)[None]
    return result


def codes(
    samples: NDArray[np.float32], front_end: FrontEnd, bits: int = 8,
) -> NDArray[np.uint8]:
    """Unsigned codes of `samples`: ``clip(round((log_mel - offset) / step), 0, 2^bits - 1)``.

    Parameters
    ----------
    samples
        float32 ``[sample]``; a window of the clip.
    front_end
        How to hear, and offset and step of every band.
    bits
        Bits of a code, 1 to 8.

    Returns
    -------
    NDArray[np.uint8]
        ``[1, band, frame]``.
    """
    return quantise(log_mel(samples, front_end), front_end, bits)


def window_codes(
    samples: NDArray[np.float32], front_end: FrontEnd, bits: int = 8,
) -> Iterator[NDArray[np.uint8]]:
    """Codes of each window of `samples`, the same as `codes` gives for it alone.

    Windows overlap; where they start on a frame of the one before, a frame is heard only once.

    Parameters
    ----------
    samples
        float32 ``[sample]``, as long as one window or several; `golden.audio.cut` gives such.
    front_end, bits
        As for `codes`.

    Yields
    ------
    NDArray[np.uint8]
        ``[1, band, frame]``.
    """
    length, shared = front_end.clip_samples, front_end.shared_frames
    starts = range(0, samples.size - length + 1, front_end.clip_hop_samples)
    if not shared:
        yield from (codes(samples[at : at + length], front_end, bits) for at in starts)
        return
    heard = codes(samples, front_end, bits)
    for i in range(len(starts)):
        first = i * shared
        yield np.ascontiguousarray(heard[:, :, first : first + front_end.frames])


def standardised(
    mean: NDArray[np.float32], deviation: NDArray[np.float32], bits: int = 8,
) -> FrontEnd:
    """Give the paper's front-end with codes that standardise each band.

    The middle code stands for the band's mean, a deviation is 32 codes (of 256).

    Parameters
    ----------
    mean, deviation
        float32 ``[band]``: mean and standard deviation of the log-mel values of the training
        data. A band that never changes gets a deviation of 1.
    bits
        Bits of a code, 1 to 8.
    """
    steady = deviation < 1e-3
    step = np.where(steady, 1.0, deviation) / (CODES_PER_DEVIATION * 2.0 ** (bits - 8))
    offset = mean - 2 ** (bits - 1) * step
    return FrontEnd(
        bands=len(mean), offset=offset.astype(np.float32), step=step.astype(np.float32),
    )
