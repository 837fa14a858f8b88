"""Splits that do not leak, recipes that repeat, mixes of the SNR and level they claim."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from golden import data, mixing
from golden.data import Recording


@pytest.fixture(scope="module")
def recordings(recordings_folder: Path) -> tuple[Recording, ...]:
    return data.read_manifest(recordings_folder)


def decibels(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples, dtype=np.float64))))


def test_only_clean_licensed_speech_is_used(recordings: tuple[Recording, ...]) -> None:
    paths = {r.path for r in recordings if r.kind == "speech"}
    assert paths == {f"speech/s{i}.flac" for i in range(9)} | {"speech/p.flac"}


def test_no_group_stands_on_two_sides(recordings: tuple[Recording, ...]) -> None:
    sides = data.split(recordings)
    assert sorted(r.path for side in sides.values() for r in side) == sorted(
        r.path for r in recordings
    )
    groups = [{r.group for r in side} for side in sides.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    for kind in ("speech", "noise"):
        assert any(r.kind == kind for r in sides["test"])
    # Parts of one noise recording are one group; a set without names and rooms train only.
    assert {r.group for r in recordings if r.path.startswith("noise/place1_")} == {"noise/place1"}
    trained = {r.path for r in sides["train"]}
    assert {"speech/p.flac", "rir/hall.flac"} <= trained


def test_the_split_does_not_depend_on_the_order(recordings: tuple[Recording, ...]) -> None:
    there, back = data.split(recordings), data.split(recordings[::-1])
    for side in data.SPLITS:
        assert {r.path for r in there[side]} == {r.path for r in back[side]}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (None, "must hold a manifest.csv"),
        ("path,kind\n", "must have columns"),
        ("path,kind,set,speaker,licence,seconds\n", "must have columns"),
        ("path,kind,set,speaker,licence,seconds\na,rir,x,,MIT,1\n", "must list speech"),
    ],
)
def test_refuses_a_folder_that_is_no_data(tmp_path: Path, text: str | None, rule: str) -> None:
    if text is not None:
        (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(ValueError, match=rule):
        data.read_manifest(tmp_path)


def test_recipes_repeat_by_seed(recordings: tuple[Recording, ...]) -> None:
    drawn = [
        [mixing.draw(recordings, np.random.default_rng([seed, i])) for i in range(5)]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_draws_stay_within_their_ranges(recordings: tuple[Recording, ...]) -> None:
    rng = np.random.default_rng(0)
    recipes = [mixing.draw(recordings, rng, babble=0.5, room=0.5) for _ in range(300)]
    snr = np.array([r.snr_db for r in recipes])
    level = np.array([r.level_db for r in recipes])
    for values, (low, high) in ((snr, mixing.SNR_DB), (level, mixing.LEVEL_DB)):
        assert low <= values.min() < low + 2
        assert high - 2 < values.max() <= high
    babble = [r for r in recipes if len(r.noises) > 1]
    assert 100 < len(babble) < 200
    assert {len(r.noises) for r in babble} == {3, 4, 5, 6, 7, 8}
    assert all(r.speech[0] not in {path for path, _ in r.noises} for r in babble)
    assert 100 < sum(r.room is not None for r in recipes) < 200


def test_one_speaker_alone_gives_no_babble(recordings: tuple[Recording, ...]) -> None:
    alone = tuple(r for r in recordings if r.kind != "speech" or r.path == "speech/s0.flac")
    rng = np.random.default_rng(0)
    assert all(len(mixing.draw(alone, rng, babble=1.0).noises) == 1 for _ in range(5))


@pytest.mark.parametrize("snr", [-5.0, 0.0, 25.0])
@pytest.mark.parametrize("noises", [1, 3])
def test_the_mix_has_its_snr_and_level(recordings_folder: Path, snr: float, noises: int) -> None:
    recipe = mixing.Recipe(
        speech=("speech/s0.flac", 100),
        noises=tuple((f"noise/place0_0{i % 2}.flac", 50 * i) for i in range(noises)),
        room=None,
        snr_db=snr,
        level_db=-30.0,
    )
    clean, noisy = mixing.mix(recordings_folder, recipe)
    assert clean.shape == noisy.shape == (mixing.SAMPLES,)
    assert decibels(noisy) == pytest.approx(-30.0, abs=0.01)
    assert decibels(clean) - decibels(noisy - clean) == pytest.approx(snr, abs=0.01)


def test_a_room_changes_the_mix_but_not_the_reference(recordings_folder: Path) -> None:
    dry = mixing.Recipe(
        speech=("speech/s0.flac", 0), noises=(("noise/place0_00.flac", 0),), room=None,
        snr_db=25.0, level_db=-25.0,
    )
    clean, noisy = mixing.mix(recordings_folder, dry)
    in_room = replace(dry, room="rir/hall.flac")
    reference, wet = mixing.mix(recordings_folder, in_room)
    assert np.corrcoef(clean, reference)[0, 1] == pytest.approx(1.0, abs=1e-6)
    assert np.corrcoef(noisy, wet)[0, 1] < 0.95


def test_silence_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "still.wav", np.zeros(80000), 16000)
    burst = np.zeros(80000)
    burst[:16000] = 0.3 * np.sin(np.arange(16000))
    soundfile.write(tmp_path / "burst.wav", burst, 16000)
    soundfile.write(tmp_path / "tone.wav", 0.3 * np.sin(np.arange(80000)), 16000)
    recipe = mixing.Recipe(
        speech=("tone.wav", 0), noises=(("tone.wav", 7),), room=None, snr_db=0.0, level_db=-20.0,
    )
    mixing.mix(tmp_path, recipe)
    for broken in (
        replace(recipe, speech=("still.wav", 0)),
        replace(recipe, speech=("burst.wav", 0)),
        replace(recipe, noises=(("tone.wav", 7), ("still.wav", 0))),
    ):
        with pytest.raises(mixing.SilentMixError, match="must"):
            mixing.mix(tmp_path, broken)
