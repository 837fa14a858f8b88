"""Make the demo clip: ``.venv/bin/python tools/demo_clip.py`` (needs Debian's ``espeak-ng``).

A formant synthesiser speaks a sentence of the project's own; seeded pink noise keeps the pauses
from digital silence. `docs/demo-clip.md` tells where it comes from.
"""

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import soxr

TEXT = "Bambino turns a spoken clip into bits, and the bits into a score."
VOICE = ("-v", "en-gb", "-s", "155", "-p", "45")
RATE = 16000
SECONDS = 5.0
LEAD_SECONDS = 0.2
SNR_DB = 25.0
PEAK = 0.5
SEED = 2407

out = Path(__file__).parent.parent / "golden" / "clips" / "demo.flac"


def pink_noise(length: int) -> np.ndarray:
    """Noise whose power falls with 1/f from 50 Hz on, unit variance, float64 ``[length]``."""
    white = np.fft.rfft(np.random.default_rng(SEED).standard_normal(length))
    frequencies = np.fft.rfftfreq(length, 1 / RATE)
    pink = np.fft.irfft(white / np.sqrt(np.maximum(frequencies, 50.0)), length)
    return pink / pink.std()


def main() -> None:
    """Speak, resample, place in 5 s, add noise, write."""
    said = subprocess.run(
        ["espeak-ng", *VOICE, "--stdout", TEXT], check=True, capture_output=True,
    ).stdout
    speech, rate = soundfile.read(io.BytesIO(said))
    speech = soxr.resample(speech, rate, RATE)
    clip = np.zeros(round(SECONDS * RATE))
    lead = round(LEAD_SECONDS * RATE)
    if lead + len(speech) > len(clip):
        raise ValueError(f"the speech must fit {SECONDS} s, not last {len(speech) / RATE:.2f} s")
    clip[lead : lead + len(speech)] = speech
    clip += pink_noise(len(clip)) * speech.std() * 10 ** (-SNR_DB / 20)
    clip *= PEAK / np.abs(clip).max()
    soundfile.write(out, clip, RATE, subtype="PCM_16")
    print(f"{out.name}: {len(speech) / RATE:.2f} s of speech, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
