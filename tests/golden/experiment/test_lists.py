"""The committed test list: enough clips, unseen voices and noises, labels that repeat."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from golden import labels
from golden.experiment import lists
from golden.experiment.distort import SEEN, UNSEEN
from golden.experiment.render import render
from golden.experiment.sources import sources

DATA = Path(
    os.environ.get("BAMBINO_DATA", Path(__file__).parents[3].parent / "shared" / "data"),
)
HAS_DATA = (DATA / "manifest.csv").is_file()
needs_data = pytest.mark.skipif(not HAS_DATA, reason="set BAMBINO_DATA to the recordings")


@pytest.fixture(scope="module")
def listed() -> dict[str, lists.Listed]:
    return {split: pairs for split, pairs in lists.read(lists.TEST_LIST).items()}


def test_the_list_is_large_and_varied(listed: dict[str, lists.Listed]) -> None:
    assert len(listed["known"]) >= 1000
    assert len(listed["unseen_kinds"]) >= 500
    scenes = [scene for pairs in listed.values() for scene, _ in pairs]
    assert len(set(scenes)) == len(scenes)
    kinds = Counter(scene.kind for scene, _ in listed["known"])
    assert {"clean", "noise", "babble", "room", "several", *SEEN} == set(kinds)
    assert min(kinds.values()) >= 15
    assert not any(
        kind in UNSEEN for scene, _ in listed["known"] for kind, _, _ in scene.distortions
    )
    assert {scene.kind for scene, _ in listed["unseen_kinds"]} == set(UNSEEN)


def test_labels_reach_from_bad_to_clean(listed: dict[str, lists.Listed]) -> None:
    for pairs in listed.values():
        pesq = np.array([label for _, label in pairs])
        assert pesq.min() >= 1.0
        assert pesq.max() <= 4.65
        assert pesq.std() > 0.9


@needs_data
def test_nothing_in_it_was_trained_on(listed: dict[str, lists.Listed]) -> None:
    sides = sources(DATA).sides
    group = {r.path: r.group for side in sides.values() for r in side}
    seen = {r.group for r in (*sides["train"], *sides["valid"])}
    used = {group[path] for pairs in listed.values() for scene, _ in pairs for path in scene.files}
    assert not used & seen
    assert sum(name.startswith("noise/") for name in used) >= 15
    assert len(used) >= 60


@needs_data
def test_labels_repeat(listed: dict[str, lists.Listed]) -> None:
    pytest.importorskip("pesq")
    for pairs in listed.values():
        for scene, label in pairs[::300]:
            assert labels.label(*render(DATA, scene)) == pytest.approx(label, abs=0.02)
