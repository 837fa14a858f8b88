"""Scenes: repeat by seed, go through JSON, and have the level and the noise they claim."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from golden import data, mixing
from golden.experiment import scene as scenes
from golden.experiment.distort import SEEN, UNSEEN
from golden.experiment.render import decaying_room, equalise, render
from golden.experiment.scene import Scene

PLAIN = Scene(
    speech=("speech/s0.flac", 100), noises=(("noise/place0_00.flac", 50),), snr_db=10.0,
    level_db=-30.0,
)


@pytest.fixture(scope="module")
def drawn(recordings_folder: Path) -> list[Scene]:
    recordings = data.read_manifest(recordings_folder)
    rng = np.random.default_rng(0)
    return [scenes.draw(recordings, rng) for _ in range(600)]


def decibels(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def test_scenes_repeat_by_seed(recordings_folder: Path) -> None:
    recordings = data.read_manifest(recordings_folder)
    first, again, other = (
        [scenes.draw(recordings, np.random.default_rng([seed, i])) for i in range(8)]
        for seed in (1, 1, 2)
    )
    assert first == again != other


def test_all_that_is_named_is_drawn(drawn: list[Scene]) -> None:
    counts = Counter(kind for one in drawn for kind, _, _ in one.distortions)
    assert set(counts) == set(SEEN)
    assert min(counts.values()) > 30
    assert all(len({kind for kind, _, _ in one.distortions}) == len(one.distortions)
               for one in drawn)
    kinds = Counter(one.kind for one in drawn)
    assert {"clean", "noise", "babble", "room", "several", *SEEN} == set(kinds)
    for what in ("room", "decay", "speech_equaliser", "noise_equaliser"):
        assert any(getattr(one, what) is not None for one in drawn)
    assert any(one.speed != 1.0 for one in drawn)
    assert any(len(one.noises) == 2 for one in drawn)


def test_unseen_kinds_are_drawn_alone_where_they_are_asked_for(recordings_folder: Path) -> None:
    recordings = data.read_manifest(recordings_folder)
    rng = np.random.default_rng(0)
    drawn = [scenes.draw(recordings, rng, UNSEEN, (0.0, 1.0)) for _ in range(60)]
    assert {one.distortions[0][0] for one in drawn} == set(UNSEEN)
    assert all(len(one.distortions) == 1 for one in drawn)


def test_a_scene_goes_through_json(drawn: list[Scene]) -> None:
    assert [scenes.parse(json.loads(one.line())) for one in drawn] == drawn


@pytest.mark.parametrize(
    "edit",
    [
        {"speech": None}, {"speech": ["a"]}, {"speech": [1, 2]}, {"loud": 1},
        {"distortions": [["wobble", 1.0, 2]]}, {"distortions": [["clip"]]},
    ],
)
def test_what_is_no_scene_is_refused(edit: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="a scene must hold"):
        scenes.parse(json.loads(PLAIN.line()) | edit)


def test_its_text_says_what_was_done() -> None:
    one = replace(PLAIN, decay=(0.5, 1), distortions=(("clip", 0.01, 3), ("loss", 0.1, 4)))
    assert one.text == "room 0.5 s + noise 10.0 dB + clip 0.01 + loss 0.1"
    assert one.kind == "several"
    assert replace(PLAIN, noises=()).text == "clean"
    assert one.files == ("speech/s0.flac", "noise/place0_00.flac")


@pytest.mark.parametrize("snr", [-5.0, 12.0, 40.0])
@pytest.mark.parametrize("speed", [0.75, 1.0, 1.3])
def test_a_clip_has_its_noise_and_level(recordings_folder: Path, snr: float, speed: float) -> None:
    one = replace(PLAIN, snr_db=snr, speed=speed, noise_equaliser=(8.0, 0, 0, 0, 0, -8.0))
    clean, clip = render(recordings_folder, one)
    assert clean.shape == clip.shape == (mixing.SAMPLES,)
    assert decibels(clip) == pytest.approx(-30.0, abs=0.01)
    assert decibels(clean) - decibels(clip - clean) == pytest.approx(snr, abs=0.05)


def test_the_microphone_is_the_references_too_and_the_room_is_not(recordings_folder: Path) -> None:
    dry = replace(PLAIN, noises=(), speech_equaliser=(8.0, 8.0, 0.0, 0.0, -8.0, -8.0))
    clean, clip = render(recordings_folder, dry)
    np.testing.assert_array_equal(clean, clip)
    plain, _ = render(recordings_folder, replace(dry, speech_equaliser=None))
    assert np.corrcoef(clean, plain)[0, 1] < 0.99
    for wet in (replace(dry, room="rir/hall.flac"), replace(dry, decay=(0.5, 7))):
        reference, heard = render(recordings_folder, wet)
        assert np.corrcoef(clean, reference)[0, 1] == pytest.approx(1.0, abs=1e-6)
        assert np.corrcoef(heard, reference)[0, 1] < 0.98


def test_distortions_come_last_and_in_order(recordings_folder: Path) -> None:
    both = (("low_pass", 2000.0, 1), ("clip", 0.1, 2))
    one = render(recordings_folder, replace(PLAIN, distortions=both))[1]
    other = render(recordings_folder, replace(PLAIN, distortions=both[::-1]))[1]
    assert np.mean(np.abs(one) >= np.abs(one).max() * 0.9999) == pytest.approx(0.1, abs=0.01)
    assert not np.allclose(one, other)


def test_an_equaliser_has_the_gains_it_says() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(80000).astype(np.float32)
    got = np.abs(np.fft.rfft(equalise(noise, (6.0, 6.0, 6.0, -6.0, -6.0, -6.0))))
    ratio = 20 * np.log10(got / np.abs(np.fft.rfft(noise)))
    assert ratio[500:2500] == pytest.approx(6.0, abs=0.1)  # 100 to 500 Hz
    assert ratio[-20000:] == pytest.approx(-6.0, abs=0.1)  # 4 to 8 kHz
    np.testing.assert_array_equal(equalise(noise, None), noise)


def test_a_made_room_decays_by_sixty_decibels() -> None:
    response = decaying_room(0.6, 3)
    assert response[0] == 1.0
    assert np.abs(response[1:30]).max() == 0.0
    early, late = np.square(response[100:1060]).mean(), np.square(response[-960:]).mean()
    assert 10 * np.log10(early / late) == pytest.approx(60 * (1 - 0.1), abs=3)


def test_silence_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "still.wav", np.zeros(80000), 16000)
    burst = np.zeros(80000)
    burst[:16000] = 0.3 * np.sin(np.arange(16000))
    soundfile.write(tmp_path / "burst.wav", burst, 16000)
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(np.arange(80000)), 16000)
    good = Scene(speech=("tone.wav", 0), noises=(("tone.wav", 7),))
    render(tmp_path, good)
    for speech in ("still.wav", "burst.wav"):
        with pytest.raises(mixing.SilentMixError, match="speech must"):
            render(tmp_path, replace(good, speech=(speech, 0)))
    with pytest.raises(mixing.SilentMixError, match="noise must not be silent"):
        render(tmp_path, replace(good, noises=(("tone.wav", 7), ("still.wav", 0))))
