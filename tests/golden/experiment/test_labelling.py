"""Labels: the same however often interrupted, failures counted, nothing half-written."""

import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import front_end as ears
from golden import labels, mixing, teacher
from golden.experiment import labelling, lists, manifests, store
from golden.experiment.labelling import label_all
from golden.experiment.render import render
from golden.experiment.sources import Sources, sources
from golden.experiment.store import Split, Store

COUNTS: dict[Split, int] = {"valid": 2, "known": 6, "unseen_kinds": 2, "train": 8}

pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture(scope="module")
def found(recordings_folder: Path) -> Sources:
    return sources(recordings_folder)


def content(cache: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(cache)): p.read_bytes() for p in sorted(cache.rglob("*")) if p.is_file()
    }


def test_any_number_of_processes_and_stops_makes_the_same(found: Sources, tmp_path: Path) -> None:
    heard: list[str] = []
    manifest = label_all(found, tmp_path / "a", COUNTS, report=heard.append)
    assert manifest["clips"] == COUNTS
    assert heard[-1].startswith("labelled 18 of 18 clips")
    label_all(found, tmp_path / "b", COUNTS, limit=0.0)
    assert len(list((tmp_path / "b").rglob("*.jsonl"))) == 1
    label_all(found, tmp_path / "b", COUNTS, processes=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert not [name for name in content(tmp_path / "a") if "tmp" in name]
    before = content(tmp_path / "a")
    label_all(found, tmp_path / "a", COUNTS | {"train": 4})
    assert {k: v for k, v in content(tmp_path / "a").items() if "manifest" not in k} == {
        k: v for k, v in before.items() if "manifest" not in k
    }


def test_features_are_those_of_the_scenes(found: Sources, tmp_path: Path) -> None:
    label_all(found, tmp_path, COUNTS)
    front_end = labels.unstandardised()
    for split, count in COUNTS.items():
        at_hand = Store(tmp_path, split)
        features = at_hand.features(count)
        for row, got in zip(at_hand.rows(count), features, strict=True):
            clip = render(found.folder, row.scene)[1]
            if split == "train":
                clip = clip * np.float32(10 ** ((store.STORED_LEVEL_DB - row.scene.level_db) / 20))
                wanted = ears.log_mel(clip, front_end)
                heard = got * store.STEP + store.LOWEST
                np.testing.assert_allclose(heard, wanted, atol=store.STEP / 2 + 1e-3)
            else:
                np.testing.assert_array_equal(got, ears.log_mel(clip, front_end))
    kinds = {row.scene.kind for row in Store(tmp_path, "unseen_kinds").rows(2)}
    assert kinds <= {"clicks", "transform"}


def test_features_that_are_missing_are_made_again_without_labels(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    label_all(found, tmp_path, COUNTS)
    before = content(tmp_path)
    (tmp_path / "train.u8").unlink()
    with (tmp_path / "known.f32").open("r+b") as file:
        file.seek(5)
        file.write(b"torn")
    monkeypatch.setattr(labels, "label", None)
    label_all(found, tmp_path, COUNTS)
    assert content(tmp_path) == before


def test_the_teacher_is_asked_for_what_it_has_not_said(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def quiet(clip: mixing.Samples) -> float:
        return float(np.abs(clip).mean())

    def rows() -> list[store.Row]:
        parts = [Store(tmp_path, split).rows(count) for split, count in COUNTS.items()]
        return [row for part in parts for row in part]

    both = ("pesq", "dnsmos")
    label_all(found, tmp_path, COUNTS)
    before = rows()
    monkeypatch.setattr(teacher, "require", None)
    with pytest.raises(TypeError):  # asked for before anything is rendered
        label_all(found, tmp_path, COUNTS, outputs=both)
    assert rows() == before
    monkeypatch.setattr(teacher, "require", lambda: Path())
    monkeypatch.setattr(teacher, "mos", quiet)
    monkeypatch.setattr(labels, "label", None)
    label_all(found, tmp_path, COUNTS, outputs=both)
    after = rows()
    assert [replace(row, dnsmos=None) for row in after] == before
    for row in after:
        assert row.dnsmos == round(quiet(render(found.folder, row.scene)[1]), 4)
        assert (row.label("pesq"), row.label("dnsmos")) == (row.pesq, row.dnsmos)
    monkeypatch.setattr(teacher, "mos", None)
    held = content(tmp_path)
    label_all(found, tmp_path, {"known": 3}, outputs=both)
    assert Store(tmp_path, "known").rows(6) == [row for row in after if row.id[:5] == "known"]
    label_all(found, tmp_path, COUNTS, outputs=both)
    label_all(found, tmp_path, COUNTS)
    assert content(tmp_path) == held
    splits: dict[Split, list[store.Row]] = {"known": after}
    assert store.digest(splits) == store.digest({"known": before})
    assert store.digest(splits) != store.digest(splits, both)


def test_a_smaller_number_of_clips_loses_no_label(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    label_all(found, tmp_path, COUNTS)
    before = Store(tmp_path, "known").rows(6)
    monkeypatch.setattr(teacher, "require", lambda: Path())
    monkeypatch.setattr(teacher, "mos", lambda clip: 3.0)
    monkeypatch.setattr(labels, "label", None)
    label_all(found, tmp_path, {"known": 3}, outputs=("pesq", "dnsmos"))
    after = Store(tmp_path, "known").rows(6)
    assert [replace(row, dnsmos=None) for row in after] == before
    assert [row.dnsmos for row in after] == [3.0] * 4 + [None] * 2


def test_labels_that_fail_are_counted(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    def unsure(clean: mixing.Samples, clip: mixing.Samples) -> float:
        nonlocal calls
        calls += 1
        if calls % 4 == 1:
            raise mixing.SilentMixError("PESQ must find speech in the reference, not none")
        if calls % 4 == 2:
            raise RuntimeError("out of luck")
        return float("nan") if calls % 4 == 3 else 2.0

    monkeypatch.setattr(labels, "probe", lambda: (np.zeros(1), np.zeros(1)))
    calls = -1
    monkeypatch.setattr(labels, "label", unsure)
    manifest = label_all(found, tmp_path, {"train": 4})
    assert manifest["failed"]["PESQ must find speech in the reference, not none"] == 4
    assert manifest["failed"]["PESQ failed (RuntimeError)"] == 4
    assert manifest["failed"]["PESQ must be from 1 to 4.7"] == 4
    assert [row.pesq for row in Store(tmp_path, "train").rows(4)] == [2.0] * 4
    assert json.loads((tmp_path / manifests.MANIFEST).read_text()) == manifest


def test_recordings_that_never_give_a_label_are_refused(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labels, "label", lambda clean, clip: 0.0)
    monkeypatch.setattr(labelling, "ATTEMPTS", 3)
    with pytest.raises(ValueError, match=r"not fail 3 times in a row \(PESQ must be"):
        label_all(found, tmp_path, {"train": 4})


@pytest.mark.parametrize("what", ["features", "rows"])
def test_a_full_disk_leaves_nothing_half_written(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str,
) -> None:
    label_all(found, tmp_path / "whole", {"train": 8})
    cache = tmp_path / "cache"
    label_all(found, cache, {"train": 4})

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        if what == "features":
            patch.setattr(os, "pwrite", full)
        else:
            patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            label_all(found, cache, {"train": 8})
    assert Store(cache, "train").available() == 4
    assert len(list(cache.rglob("*.jsonl"))) == 1
    assert {p.name for p in cache.iterdir()} == {"manifest.json", "train", "train.u8"}
    label_all(found, cache, {"train": 8})
    assert content(cache) == content(tmp_path / "whole")


def test_a_cache_of_other_recordings_or_seed_is_refused(
    found: Sources, tmp_path: Path, recordings_folder: Path,
) -> None:
    label_all(found, tmp_path / "cache", {"train": 4})
    with pytest.raises(ValueError, match="must be of these recordings and seed 2, not of others"):
        label_all(found, tmp_path / "cache", {"train": 4}, seed=2)
    other = Path(shutil.copytree(recordings_folder, tmp_path / "data"))
    (other / "noise/place0_00.flac").unlink()
    with pytest.raises(ValueError, match="must be of these recordings"):
        label_all(sources(other), tmp_path / "cache", {"train": 4})


def test_a_broken_shard_is_refused(found: Sources, tmp_path: Path) -> None:
    label_all(found, tmp_path, {"train": 4})
    Store(tmp_path, "train").path(0).write_text("{}\n")
    with pytest.raises(ValueError, match=r"00000\.jsonl: must hold labelled clips"):
        label_all(found, tmp_path, {"train": 4})


def test_a_list_gives_the_same_clips_without_labelling(
    found: Sources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    label_all(found, tmp_path / "a", COUNTS)
    lists.write(tmp_path / "a", COUNTS, tmp_path / "list.jsonl")
    given = lists.read(tmp_path / "list.jsonl")
    monkeypatch.setattr(labels, "label", None)
    tests: dict[Split, int] = {"known": 6, "unseen_kinds": 2}
    label_all(found, tmp_path / "b", tests, lists=given)
    for split, count in tests.items():
        one, other = Store(tmp_path / "a", split), Store(tmp_path / "b", split)
        assert [row.scene for row in one.rows(count)] == [row.scene for row in other.rows(count)]
        np.testing.assert_array_equal(one.features(count), other.features(count))


@pytest.mark.parametrize("text", ["", "{}\n", "no json\n", '{"set": "known", "pesq": 1}\n'])
def test_refuses_a_broken_list(tmp_path: Path, text: str) -> None:
    path = tmp_path / "list.jsonl"
    with pytest.raises(FileNotFoundError, match="must be an existing file"):
        lists.read(path)
    path.write_text(text)
    with pytest.raises(ValueError, match=r"list\.jsonl: (line 1|the test list) must"):
        lists.read(path)


def test_the_digest_changes_with_any_label(found: Sources, tmp_path: Path) -> None:
    label_all(found, tmp_path, {"train": 8})
    rows = Store(tmp_path, "train").rows(8)
    first = store.digest({"train": rows})
    assert first == store.digest({"train": list(rows)})
    other = [*rows[:7], replace(rows[7], pesq=rows[7].pesq + 0.01)]
    assert len({first, store.digest({"train": rows[:7]}), store.digest({"train": other})}) == 3
