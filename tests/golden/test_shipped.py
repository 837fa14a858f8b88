"""The shipped network is one of the experiment's, and its card tells that run's figures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from golden import clip, netfile
from golden.experiment import reading
from tests.golden.living import living

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "experiment" / "results"
CARD = clip.SHIPPED.with_suffix(".md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def origin() -> Path:
    text = netfile.load(clip.SHIPPED).about["origin"]
    found = re.fullmatch(r"(docs/experiment/results/runs/bam-w8-\d\.npz), output pesq", text)
    assert found is not None
    return ROOT / found[1]


def test_it_is_one_output_of_a_run(origin: Path) -> None:
    shipped, run = netfile.load(clip.SHIPPED), netfile.load(origin).only("pesq")
    assert [layer.name for layer in shipped.layers] == [layer.name for layer in run.layers]
    for ours, theirs in zip(shipped.layers, run.layers, strict=True):
        np.testing.assert_array_equal(ours.weights, theirs.weights)
        assert type(ours.end) is type(theirs.end)
        for name in type(ours.end).__dataclass_fields__:
            np.testing.assert_array_equal(getattr(ours.end, name), getattr(theirs.end, name))
    assert shipped.front_end is not None
    assert run.front_end is not None
    np.testing.assert_array_equal(shipped.front_end.offset, run.front_end.offset)
    np.testing.assert_array_equal(shipped.front_end.step, run.front_end.step)


def test_it_is_the_best_in_validation(origin: Path) -> None:
    best = {}
    for path in (RESULTS / "runs").glob("bam-w8-*.json"):
        best[path.stem] = max(row["valid_pcc"] for row in json.loads(path.read_text())["history"])
    assert max(best, key=best.__getitem__) == origin.stem


def test_card_and_readme_tell_its_figures(origin: Path) -> None:
    runs = {run.name: run for run in reading.load(RESULTS).runs}
    integer = runs[origin.stem].integer
    assert integer is not None
    for name, says in (("known", "known kinds of distortion"), ("unseen_kinds", "two kinds kept")):
        wanted = integer.metrics[name]
        figures = rf"^\| integer network.*{says}.*\| ([\d.]+) \(.*?\) \| ([\d.]+) \|"
        row = re.search(figures, CARD, re.MULTILINE)
        assert row is not None
        assert float(row[1]) == pytest.approx(wanted.pcc, abs=6e-4)
        assert float(row[2]) == pytest.approx(wanted.srcc, abs=6e-4)
    said = f"{integer.metrics['known'].pcc:.3f}"
    assert re.search(rf"^\| PCC with PESQ.*known kinds.*\| {said} \(", README, re.MULTILINE)


def test_all_hidden_units_are_alive_as_the_card_says() -> None:
    units = living(netfile.load(clip.SHIPPED)).values()
    assert [int(each.sum()) for each in units] == [64, 64]
    assert "All 128 units of its hidden dense layers can fire." in " ".join(CARD.split())
