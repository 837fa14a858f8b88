"""A small data folder of synthetic recordings, laid out as the real one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

SPEAKERS = 9
NOISES = 9
HEADER = "path,kind,set,speaker,seconds,licence"


def syllables(rng: np.random.Generator, seconds: float) -> np.ndarray:
    """Harmonic bursts, three a second, never long silent."""
    time = np.arange(round(16000 * seconds)) / 16000
    pitch = rng.uniform(90, 250)
    voice = sum(np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 12))
    return 0.1 * voice * (0.3 + np.sin(2 * np.pi * 3 * time + rng.uniform(0, 6)) ** 2)


@pytest.fixture(scope="session")
def recordings_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`SPEAKERS` named speakers, a nameless set, noises, a room and rows not to be used."""
    folder = tmp_path_factory.mktemp("recordings")
    rng = np.random.default_rng(0)
    rows = [HEADER]

    def add(path: str, kind: str, of: str, speaker: str, samples: np.ndarray, licence: str) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / path, samples, 16000)
        rows.append(f"{path},{kind},{of},{speaker},{samples.size / 16000},{licence}")

    for i in range(SPEAKERS):
        speech = syllables(rng, 6.0)
        add(f"speech/s{i}.flac", "speech", "librispeech_x", f"{i}", speech, "CC-BY-4.0")
    add("speech/p.flac", "speech", "picovoice_x", "", syllables(rng, 3.0), "Apache-2.0")
    add("speech/noisy.flac", "speech", "df_conformer", "", syllables(rng, 3.0), "Apache-2.0")
    add("speech/whose.flac", "speech", "librispeech_x", "77", syllables(rng, 3.0), "")
    for i in range(NOISES):
        hiss = 0.05 * rng.standard_normal(16000 * 7)
        add(f"noise/place{i // 2}_{i % 2:02d}.flac", "noise", "places", "", hiss, "CC0-1.0")
    room = np.exp(-np.arange(1600) / 300) * rng.standard_normal(1600) / 9
    add("rir/hall.flac", "rir", "rooms", "", room, "MIT")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return folder
