"""Labels without PESQ, and few of them."""

from pathlib import Path

import numpy as np
import pytest

from golden import labels, mixing
from golden.experiment import store
from golden.experiment.experiment import Options
from golden.experiment.recipe import Recipe


def loudness(clean: mixing.Samples, clip: mixing.Samples) -> float:
    """Stand in for PESQ: something that a spectrogram shows."""
    return 1.0 + 3.0 * min(1.0, float(np.square(clean).sum() / np.square(clip).sum()))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label without PESQ, in shards of a size for tests."""
    monkeypatch.setattr(labels, "label", loudness)
    monkeypatch.setattr(store, "SHARD", 4)
    for user in ("labelling", "manifests"):
        monkeypatch.setattr(f"golden.experiment.{user}.SHARD", 4)


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr("golden.experiment.recipe.LEAST_CLIPS", 4)
    return Recipe(clips=8, epochs=2, batch=4, rate=1e-3, settle=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


@pytest.fixture
def options(
    recordings_folder: Path, tmp_path: Path, cache: Path, recipe: Recipe, small: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Options:
    monkeypatch.setattr("golden.experiment.lists.TEST_LIST", tmp_path / "none.jsonl")
    return Options(
        data=recordings_folder, out=tmp_path / "out", cache=cache, seeds=1, recipe=recipe,
        threads=1, valid=4, known=4, unseen_kinds=4, variants=("float", "bam-w8"),
    )
