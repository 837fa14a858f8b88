"""The committed test list: enough mixes, unseen voices and noises, labels that repeat."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from golden import data, labels, mixing, testlist
from golden.testlist import TestMix

DATA = Path(
    os.environ.get("BAMBINO_DATA", Path(__file__).parents[2].parent / "shared" / "data"),
)
HAS_DATA = (DATA / "manifest.csv").is_file()
needs_data = pytest.mark.skipif(not HAS_DATA, reason="set BAMBINO_DATA to the recordings")


@pytest.fixture(scope="module")
def mixes() -> tuple[TestMix, ...]:
    return testlist.read()


def test_the_list_is_large_and_varied(mixes: tuple[TestMix, ...]) -> None:
    assert len(mixes) >= 1000
    assert len({m.recipe for m in mixes}) == len(mixes)
    assert len({path for m in mixes for path, _ in m.recipe.noises}) >= 15
    assert all(m.recipe.room is None and len(m.recipe.noises) == 1 for m in mixes)


def test_snr_and_level_are_uniform(mixes: tuple[TestMix, ...]) -> None:
    for name, (low, high) in (("snr_db", mixing.SNR_DB), ("level_db", mixing.LEVEL_DB)):
        values = (np.array([getattr(m.recipe, name) for m in mixes]) - low) / (high - low)
        assert values.min() >= 0
        assert values.max() <= 1
        # Kolmogorov and Smirnov's distance from the uniform distribution, 1 % level.
        expected = (np.arange(values.size) + 0.5) / values.size
        assert np.abs(np.sort(values) - expected).max() < 1.63 / np.sqrt(values.size)


def test_labels_are_pesq_of_noisy_speech(mixes: tuple[TestMix, ...]) -> None:
    pesq = np.array([m.pesq for m in mixes])
    assert pesq.min() >= 1.0
    # 4.64 is what a clean clip gets: there is none.
    assert pesq.max() < 4.5
    assert pesq.std() > 0.4


@needs_data
def test_speakers_and_noises_are_unseen(mixes: tuple[TestMix, ...]) -> None:
    sides = data.split(data.read_manifest(DATA))
    group = {r.path: r.group for side in sides.values() for r in side}
    seen = {r.group for side in ("train", "valid") for r in sides[side]}
    speakers = {group[m.recipe.speech[0]] for m in mixes}
    noises = {group[path] for m in mixes for path, _ in m.recipe.noises}
    assert not (speakers | noises) & seen
    assert len(speakers) >= 30
    assert len(noises) >= 15


@needs_data
def test_every_mix_can_be_made(mixes: tuple[TestMix, ...]) -> None:
    for one in mixes[::40]:
        _, noisy = mixing.mix(DATA, one.recipe)
        assert np.isfinite(noisy).all()


@needs_data
def test_labels_repeat(mixes: tuple[TestMix, ...]) -> None:
    pytest.importorskip("pesq")
    for one in mixes[::300]:
        assert labels.label(*mixing.mix(DATA, one.recipe)) == pytest.approx(one.pesq, abs=0.02)


def test_a_made_list_reads_back(recordings_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"

    def fake(clean: mixing.Samples, noisy: mixing.Samples) -> float:
        return 1.25

    testlist.make(recordings_folder, path, 5, fake)
    mixes = testlist.read(path)
    assert [m.pesq for m in mixes] == [1.25] * 5
    clean, noisy = mixing.mix(recordings_folder, mixes[0].recipe)
    assert not np.array_equal(clean, noisy)
    assert [p.name for p in tmp_path.iterdir()] == ["list.csv"]


@pytest.mark.parametrize(
    ("edit", "rule"),
    [
        (lambda text: "", "columns must be"),
        (lambda text: text.replace("pesq", "mos"), "columns must be"),
        (lambda text: ",".join(testlist.COLUMNS) + "\n", "must hold at least one mix"),
        (lambda text: text.replace("-3.382", "loud", 1), "line 2 must hold numbers"),
    ],
)
def test_refuses_a_broken_list(tmp_path: Path, edit: Callable[[str], str], rule: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(edit(testlist.PATH.read_text()))
    with pytest.raises(ValueError, match=rule):
        testlist.read(path)


def test_refuses_a_missing_list(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        testlist.read(tmp_path / "none.csv")
