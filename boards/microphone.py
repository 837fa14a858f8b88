"""A microphone as a stream of samples."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from golden.audio import LEAST_RATE, Change
from golden.extras import install

BLOCK_SECONDS = 0.02
"""What is read at once: a hop of the paper's front-end."""

EXTRA = install("microphone")


class MicrophoneError(OSError):
    """There is no microphone to be heard."""


def microphone(
    device: str, rate: int, sample_rate: int, report: Callable[[str], None],
) -> Iterator[NDArray[np.float32]]:
    """Record one channel until nobody listens any more.

    Parameters
    ----------
    device
        Its number or a part of its name; nothing for the system's default.
    rate
        At which it records, Hz.
    sample_rate
        Rate of the result, Hz.
    report
        Is told in one line when samples were lost.

    Yields
    ------
    NDArray[np.float32]
        ``[sample]``, from -1 to 1.

    Raises
    ------
    MicrophoneError
        There is no microphone of that name or rate, or nothing to record with.
    """
    if rate < LEAST_RATE:
        raise ValueError(f"rate must be at least {LEAST_RATE} Hz, not {rate}")
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise MicrophoneError(
            f"sounddevice must be installed to hear a microphone ({EXTRA}), not missing",
        ) from error
    except OSError as error:
        raise MicrophoneError(
            "PortAudio must be installed to hear a microphone (apt install libportaudio2), not"
            " missing",
        ) from error
    which: int | str | None = (int(device) if device.isdecimal() else device) or None
    if device == "0":
        which = 0
    change, block = Change(rate, sample_rate), max(1, round(BLOCK_SECONDS * rate))
    try:
        with sounddevice.InputStream(
            samplerate=rate, channels=1, dtype="float32", device=which,
        ) as stream:
            while True:
                samples, lost = stream.read(block)
                if lost:
                    report("microphone: samples were lost")
                heard = change.take(np.ascontiguousarray(samples[:, 0]))
                if heard.size:
                    yield heard
    except (sounddevice.PortAudioError, ValueError) as error:
        raise MicrophoneError(
            f"the microphone must record one channel at {rate} Hz, not give: {error}",
        ) from error
