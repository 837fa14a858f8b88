"""From a scene to samples: the dry reference, and what has become of it."""

from pathlib import Path

import numpy as np

from golden import mixing
from golden.audio import SAMPLE_RATE
from golden.experiment.distort import KINDS
from golden.experiment.scene import Scene
from golden.mixing import SAMPLES, Samples, SilentMixError


def render(data: Path, scene: Scene) -> tuple[Samples, Samples]:
    """Reference and clip of `scene`, float32 ``[SAMPLES]`` at 16 kHz each.

    The reference is the dry speech through the same microphone.

    Parameters
    ----------
    data
        Folder of the recordings.
    scene
        What to make.

    Raises
    ------
    golden.mixing.SilentMixError
        Speech or noise is silent, less than half of the speech window is active, or nothing is
        left of the clip.
    ValueError, FileNotFoundError
        A file cannot be read.
    """
    clean = mixing.cut(data, scene.speech)
    if mixing.power(clean) < 10 ** (mixing.QUIETEST_DB / 10):
        raise SilentMixError(f"speech must not be silent: {scene.speech}")
    if mixing.active_share(clean) < mixing.LEAST_ACTIVE:
        raise SilentMixError(f"speech must be active: {scene.speech}")
    clean = equalise(clean, scene.speech_equaliser)
    clip = clean
    if scene.room is not None:
        response = mixing.read(data, scene.room)
        clip = _reverberate(clean, response[int(np.abs(response).argmax()) :])
    elif scene.decay is not None:
        clip = _reverberate(clean, decaying_room(*scene.decay))
    if scene.noises:
        noise = _noise(data, scene)
        wanted = mixing.power(clip) / mixing.power(noise) / 10 ** (scene.snr_db / 10)
        clip = clip + np.float32(np.sqrt(wanted)) * noise
    for kind, number, seed in scene.distortions:
        clip = KINDS[kind].apply(clip, number, np.random.default_rng(seed))
    left = mixing.power(clip)
    if not left > 1e-12:
        raise SilentMixError("clip must not be silent")
    loud = np.float32(10 ** (scene.level_db / 20) / np.sqrt(left))
    return clean * loud, clip * loud


def _noise(data: Path, scene: Scene) -> Samples:
    """Sum of the scene's noises at equal power, at its speed, through its equaliser."""
    heard = round(SAMPLES * scene.speed)
    total = np.zeros(SAMPLES, np.float32)
    for place in scene.noises:
        part = mixing.cut(data, place, heard)
        power = mixing.power(part)
        if power < 1e-9:
            raise SilentMixError(f"noise must not be silent: {place}")
        if heard != SAMPLES:
            at = np.linspace(0.0, heard - 1.0, SAMPLES)
            part = np.interp(at, np.arange(heard), part).astype(np.float32)
        total += part / np.float32(np.sqrt(power))
    total = equalise(total, scene.noise_equaliser)
    if mixing.power(total) < 1e-9:
        raise SilentMixError(f"noise must not be silent: {scene.noises}")
    return total


def equalise(samples: mixing.Samples, gains: tuple[float, ...] | None) -> mixing.Samples:
    """Filter `samples` without phase; `gains` as in `Scene`."""
    if gains is None:
        return samples
    spectrum = np.fft.rfft(samples)
    at = np.linspace(0.0, SAMPLE_RATE / 2, spectrum.size).clip(50.0)
    points = np.geomspace(100.0, SAMPLE_RATE / 2, len(gains))
    curve = np.interp(np.log(at), np.log(points), gains)
    return np.fft.irfft(spectrum * 10.0 ** (curve / 20.0), samples.size).astype(np.float32)


def _reverberate(samples: mixing.Samples, response: mixing.Samples) -> mixing.Samples:
    size = 1 << int(np.ceil(np.log2(samples.size + response.size)))
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(response, size), size)
    return wet[: samples.size].astype(np.float32)


def decaying_room(seconds: float, seed: int) -> mixing.Samples:
    """Response of a made room: the direct sound, then decaying noise 0 to 12 dB below it."""
    rng = np.random.default_rng(seed)
    size = round(seconds * SAMPLE_RATE)
    tail = rng.standard_normal(size) * 10.0 ** (-3.0 * np.arange(size) / size)
    tail[: round(0.002 * SAMPLE_RATE)] = 0.0
    tail *= 10.0 ** (-rng.uniform(0.0, 12.0) / 20.0) / np.sqrt(np.sum(tail**2))
    tail[0] = 1.0
    return tail.astype(np.float32)
