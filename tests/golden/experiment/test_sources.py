"""What a folder gives: sides that do not leak, licences, files that cannot be read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from golden import data
from golden.data import Recording
from golden.experiment import sources
from golden.experiment.sources import allowed


@pytest.fixture
def copy(recordings_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recordings_folder, tmp_path / "data"))


def some(speakers: int = 9, noises: int = 5, rooms: int = 0) -> tuple[Recording, ...]:
    counts = {"speech": speakers, "noise": noises, "rir": rooms}
    return tuple(
        Recording(
            path=f"{kind}/{i}.flac", kind=kind, group=f"{kind}/{i}", set=kind, licence="MIT",
            seconds=6.0,
        )
        for kind, count in counts.items()
        for i in range(count)
    )


@pytest.mark.parametrize("rooms", [0, 2, 3, 5, 10])
@pytest.mark.parametrize("voices", [3, 8, 40])
def test_no_speaker_noise_or_room_stands_on_two_sides(rooms: int, voices: int) -> None:
    recordings = some(voices, 3 * voices // 4 + 1, rooms)
    sides = sources.split(recordings)
    assert sorted(r.path for side in sides.values() for r in side) == sorted(
        r.path for r in recordings
    )
    groups = [{r.group for r in side} for side in sides.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))
    heard = {side: sum(r.kind == "rir" for r in rows) for side, rows in sides.items()}
    assert heard["train"] >= 1 or not rooms
    assert (heard["test"] >= 1) == (rooms >= 3)
    assert sources.split(recordings[::-1]).keys() == sides.keys()
    for side, rows in sources.split(recordings[::-1]).items():
        assert {r.path for r in rows} == {r.path for r in sides[side]}


def test_the_real_folder_does_not_leak(recordings_folder: Path) -> None:
    found = sources.sources(recordings_folder)
    assert found.licensed
    groups = [{r.group for r in side} for side in found.sides.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize(("speakers", "noises", "what"), [(2, 9, "speakers"), (9, 2, "noise")])
def test_too_few_to_split_are_refused(speakers: int, noises: int, what: str) -> None:
    with pytest.raises(ValueError, match=f"{what}.* must be enough for training.*not 2"):
        sources.split(some(speakers, noises))


@pytest.mark.parametrize(
    ("licence", "good"),
    [
        ("CC0-1.0", True), ("CC-BY", True), ("CC-BY-3.0", True), ("MIT (repo)", True),
        ("MIT (repo); VCTK is CC-BY-4.0", True), ("Public domain", True),
        ("Apache-2.0 (repo); noise from Freesound per README", True),
        ("CC-BY-4.0 (LICENSE.TXT beside the files); Apache-2.0 (repo)", True),
        ("", False), ("CC-BY-NC-4.0", False), ("CC-BY-SA-4.0", False), ("ask me", False),
        ("MIT (repo); the audio CC-BY-NC", False), ("unknown; MIT", False),
    ],
)
def test_licences_by_name(licence: str, good: bool) -> None:
    assert allowed(licence) == good


def test_files_of_other_licences_are_skipped_by_name(copy: Path) -> None:
    manifest = copy / "manifest.csv"
    text = manifest.read_text()
    line = next(line for line in text.splitlines() if line.startswith("speech/s3"))
    manifest.write_text(text.replace(line, line.replace("CC-BY-4.0", "CC-BY-NC-4.0")))
    found = sources.sources(copy)
    assert ("speech/s3.flac", "licence 'CC-BY-NC-4.0'") in found.skipped
    assert ("speech/whose.flac", "licence ''") in found.skipped
    paths = {r.path for side in found.sides.values() for r in side}
    assert not {"speech/s3.flac", "speech/whose.flac"} & paths


def test_unreadable_files_are_listed_and_left_out(copy: Path) -> None:
    whole = (copy / "speech/s1.flac").read_bytes()
    (copy / "speech/s1.flac").write_bytes(whole[: len(whole) // 2])
    (copy / "noise/place1_00.flac").write_bytes(b"no audio")
    (copy / "noise/place1_01.flac").unlink()
    soundfile.write(copy / "speech/p.flac", np.zeros(100), 16000)
    found = sources.sources(copy)
    reasons = {path: why for path, why in found.skipped if not why.startswith("licence")}
    assert set(reasons) == {
        "speech/s1.flac", "noise/place1_00.flac", "noise/place1_01.flac", "speech/p.flac",
    }
    assert reasons["speech/p.flac"] == "shorter than 50 ms"
    assert all(str(copy) not in why for why in reasons.values())
    assert not set(reasons) & {r.path for side in found.sides.values() for r in side}
    assert found.digest != sources.sources(copy.parent / "data").digest or found.skipped


def test_folders_without_a_manifest_are_searched(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for path in [f"speech/voice{i}/{j}.wav" for i in range(6) for j in range(2)] + [
        f"noise/{name}.flac" for name in ("rain_00", "rain_01", "wind", "sea", "road", "bar")
    ]:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / path, rng.uniform(-0.1, 0.1, 8000), 16000)
    (tmp_path / "speech/voice0/notes.txt").write_text("not audio")
    found = sources.sources(tmp_path)
    assert not found.licensed
    assert found.skipped == ()
    every = [r for side in found.sides.values() for r in side]
    assert {r.group for r in every if r.kind == "speech"} == {f"folder/voice{i}" for i in range(6)}
    assert all(r.seconds == 0.5 for r in every)
    groups = [{r.group for r in side} for side in found.sides.values()]
    assert sum(map(len, groups)) == len(set().union(*groups))


@pytest.mark.parametrize("make", [None, "speech", "other"])
def test_a_folder_without_audio_is_refused(tmp_path: Path, make: str | None) -> None:
    folder = tmp_path / "data"
    if make is not None:
        (folder / make).mkdir(parents=True)
    with pytest.raises(ValueError, match="must exist|must hold a manifest.csv, or audio"):
        sources.sources(folder)


def test_a_folder_whose_files_are_all_broken_is_refused(copy: Path) -> None:
    for path in (copy / "noise").iterdir():
        path.write_bytes(b"no audio")
    with pytest.raises(ValueError, match=r"must hold noise that can be read.*skipped: 1\d"):
        sources.sources(copy)


def test_data_splits_agree(recordings_folder: Path) -> None:
    old = data.split(data.read_manifest(recordings_folder))
    new = sources.sources(recordings_folder).sides
    for side in data.SPLITS:
        kept = {r.path for r in old[side] if r.kind != "rir" and allowed(r.licence)}
        assert {r.path for r in new[side] if r.kind != "rir"} == kept
