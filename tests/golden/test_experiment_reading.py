"""The results folder: what is read, what is refused, what disagrees; and what it comes to."""

import json
from pathlib import Path

import numpy as np
import pytest

from golden.experiment import summary
from golden.experiment.claims import claims
from golden.experiment.fields import ResultsError
from golden.experiment.reading import DisagreementError, load
from tests.golden import made_up_results as made_up

RUNS = ("float-1", "float-2", "bam-1", "bam-w8-3", "bam-w8-7", "codes-4-1", "beta-0.5-1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made_up.write(tmp_path / "results", RUNS, teacher=True)


def test_a_folder_is_read_in_the_papers_order(folder: Path) -> None:
    found = load(folder)
    assert [run.name for run in found.runs] == list(RUNS)
    assert set(found.sets) == {
        "known", "unseen_kinds", "known:teacher", "unseen_kinds:teacher",
    }
    run = found.of("bam-w8")[0]
    stored = json.loads((folder / "runs" / "bam-w8-3.json").read_text())
    for name, metrics in run.metrics.items():
        want = stored["sets"][name]
        assert (metrics.n, metrics.mse, metrics.pcc, metrics.srcc) == pytest.approx(
            (want["n"], want["mse"], want["pcc"], want["srcc"]),
        )
    assert (run.seconds, run.device, run.threads, run.epochs) == (103.0, "AMD EPYC", 2, 2)
    assert [line.valid_pcc for line in run.history] == [0.4, 0.8]
    assert run.integer is not None
    assert (run.integer.elements, run.integer.mismatches, run.integer.as_stored) == (1000, 3, True)
    assert found.of("float")[0].integer is None
    assert found.of("a8w8") == ()


def test_without_the_teacher_there_is_none(tmp_path: Path) -> None:
    found = load(made_up.write(tmp_path, ("float-1",)))
    assert set(found.sets) == set(found.runs[0].metrics) == {"known", "unseen_kinds"}


def test_an_empty_folder_is_good_and_a_missing_one_is_not(tmp_path: Path) -> None:
    assert load(tmp_path).runs == ()
    with pytest.raises(FileNotFoundError, match="results must be an existing folder"):
        load(tmp_path / "none")


def test_runs_without_a_test_list_are_refused(folder: Path) -> None:
    (folder / "test.json").unlink()
    with pytest.raises(ResultsError, match=r"^test\.json must be there, not missing$"):
        load(folder)


RUN, WHOLE = "runs/bam-1.json", "runs/bam-w8-3.json"
BROKEN = {
    "schema": ((RUN, "schema"), 2, "runs/bam-1.json schema must be 1, not 2"),
    "data": ((RUN, "data"), "f00d", "data must be 0123abcd as in test.json, not \"f00d\""),
    "variant": ((RUN, "variant"), "ternary", "variant must be one of float, .*not \"ternary\""),
    "beta": ((RUN, "variant"), "beta-x", "variant must be one of float, .*beta-NUMBER, not"),
    "seed": ((RUN, "seed"), 2, "runs/bam-1.json must be called bam-2.json"),
    "source": ((RUN, "source"), "a8w8", "source must be float, not \"a8w8\""),
    "own source": ((RUN, "source"), "bam", "source must be float, not \"bam\""),
    "no text": ((WHOLE, "source"), 1, "source must be a text that is not empty, not 1"),
    "unknown source": ((WHOLE, "source"), "bam-w8", "source must be float or bam, not"),
    "no seed": ((RUN, "seed"), True, "seed must be an integer of at least 0, not true"),
    "seconds": ((RUN, "seconds"), -1, "seconds must be a finite number of at least 0, not -1"),
    "not finite": ((RUN, "seconds"), float("nan"), "must be JSON: numbers must be finite, not NaN"),
    "device": ((RUN, "device"), "", "device must be a text that is not empty, not \"\""),
    "history": ((RUN, "history", 1, "valid_pcc"), 1.5, "valid_pcc must be .* from -1 to 1, not"),
    "history of lists": ((RUN, "history", 0), [], r"history\[0\] must be an object, not \[\]"),
    "no list": ((RUN, "history"), {}, "history must be a list of objects, not {}"),
    "predictions": ((RUN, "predictions", "known", 3), "x", r"known\[3\] must be a finite number"),
    "too few": ((RUN, "predictions", "known"), [1], "known must hold 12 numbers as .*, not 1"),
    "no predictions": ((RUN, "predictions"), {}, "predictions must be of known, .* not of none"),
    "foreign set": ((RUN, "predictions", "other"), [1], "predictions must be of known, .*other"),
    "set not predicted": ((RUN, "sets", "other"), {}, "sets must be of known, .* as the predict"),
    "ones": ((RUN, "ones", "conv1"), 1.01, "ones conv1 must be a finite number from 0 to 1"),
    "integer": ((WHOLE, "integer", "differing", "mismatches"), 1001, "must be at most 1000"),
    "integer n": ((WHOLE, "integer", "known", "n"), 5, "n must be 12 as in test"),
    "no integer": ((WHOLE, "integer"), {}, "integer must hold figures of known"),
    "test list": (("test.json", "sets", "known"), [], "known must hold clips of different ids"),
    "ids": (("test.json", "sets", "known", 1, "id"), "known-0", "must hold clips of different ids"),
    "label": (("test.json", "sets", "known", 0, "pesq"), None, r"known\[0\] pesq must be a finite"),
    "sets": (("test.json", "sets"), {"known": []}, "sets must be the sets known and unseen_kinds"),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_every_rule(folder: Path, case: tuple[tuple[str | int, ...], object, str]) -> None:
    (file, *keys), value, message = case
    made_up.change(folder / str(file), *keys, to=value)
    with pytest.raises(ResultsError, match=message) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(file))


@pytest.mark.parametrize("text", ["{", "[]", "\xff", '{"schema": 1}'])
def test_a_broken_file_is_refused(folder: Path, text: str) -> None:
    (folder / RUN).write_bytes(text.encode("latin-1"))
    with pytest.raises(ResultsError, match=r"^runs/bam-1\.json .*must be"):
        load(folder)


@pytest.mark.parametrize("what", ["mse", "pcc", "srcc"])
def test_a_figure_that_predictions_do_not_give_disagrees(folder: Path, what: str) -> None:
    for off, good in ((5e-5, True), (-2e-4, False)):
        path = folder / RUN
        said = json.loads(path.read_text())["sets"]["unseen_kinds"][what]
        made_up.change(path, "sets", "unseen_kinds", what, to=said + off)
        if good:
            load(folder)
        else:
            match = f"runs/bam-1.json sets unseen_kinds {what} must be"
            with pytest.raises(DisagreementError, match=match):
                load(folder)


def test_a_label_that_was_changed_later_disagrees(folder: Path) -> None:
    made_up.change(folder / "test.json", "sets", "known", 0, "pesq", to=4.64)
    with pytest.raises(DisagreementError, match=r"runs/bam-1\.json sets known mse must be"):
        load(folder)


def test_integer_predictions_are_measured_too(folder: Path) -> None:
    path = folder / "runs" / "bam-w8-3.json"
    predictions = json.loads(path.read_text())["predictions"]
    made_up.change(path, "integer", "predictions", to=predictions)
    integer = load(folder).of("bam-w8")[0].integer
    assert integer is not None
    assert not integer.as_stored
    made_up.change(path, "integer", "known", "pcc", to=0.5)
    with pytest.raises(DisagreementError, match="integer known pcc must be"):
        load(folder)


def test_a_training_takes_what_it_starts_from_as_well(tmp_path: Path) -> None:
    folder = made_up.write(tmp_path / "results", ("float-1", "bam-1", "bam-2", "bam-w8-1"))
    for name, source, seconds in (  # the float network of seed 2 is not there
        ("float-1", None, 1000), ("bam-1", "float", 2000), ("bam-2", "float", 9900),
        ("bam-w8-1", "bam", 400),
    ):
        made_up.change(folder / f"runs/{name}.json", "source", to=source)
        made_up.change(folder / f"runs/{name}.json", "seconds", to=seconds)
    found = load(folder)
    assert [run.source for run in found.runs] == [None, "float", "float", "bam"]
    (time,) = (one for one in claims(found, factor=1, products=0) if "two CPU cores" in one.what)
    assert time.measured == "3,400 s at most with what it starts from, 3 runs (bam-w8-1)"
    assert time.met
    assert time.runs_missing
    made_up.change(folder / "runs/bam-1.json", "seconds", to=6000)
    (time,) = (each for each in claims(load(folder), factor=1, products=0) if "CPU" in each.what)
    assert not time.met
    (folder / "runs/bam-1.json").unlink()  # what bam-w8-1 took in all nobody knows now
    (time,) = (each for each in claims(load(folder), factor=1, products=0) if "CPU" in each.what)
    assert time.measured == "1,000 s at most with what it starts from, 1 runs (float-1)"
    assert time.met
    assert time.runs_missing


@pytest.mark.parametrize(("settle", "chosen"), [("0", [1, 2]), ("1", [2]), ("2", [1, 2])])
def test_where_a_network_settled_its_best_is_of_then(
    folder: Path, settle: str, chosen: list[int],
) -> None:
    recipe = {"epochs": "2" if settle == "0" else "1", "settle": settle}
    made_up.change(folder / RUN, "recipe", to=recipe)
    assert [line.epoch for line in load(folder).of("bam")[0].chosen] == chosen


def test_spread() -> None:
    assert summary.spread([]) is None
    assert summary.spread([3.0]) == summary.Spread(n=1, mean=3.0, deviation=None)
    found = summary.spread([1.0, 2.0, 3.0])
    assert found == summary.Spread(n=3, mean=2.0, deviation=1.0)  # sample deviation: n - 1


def test_what_is_missing(folder: Path, tmp_path: Path) -> None:
    assert summary.missing(load(folder)) == {
        "float": 2, "bam": 3, "bam-w8": 2, "a8w8": 4, "codes-8": 1, "codes-3": 1,
        "dense-binary": 1, "maxima-codes": 1, "maxima-2bit": 1, "pow2-scales": 1,
    }
    nothing = summary.missing(load(made_up.write(tmp_path / "none", ())))
    assert nothing["float"] == 4
    assert nothing["beta-*"] == 1


def test_errors_by_kind_make_the_error_of_all(folder: Path) -> None:
    found = load(folder)
    for variant in ("float", "bam"):
        kinds = summary.by_kind(found, variant)["known"]
        assert list(kinds) == list(made_up.KINDS["known"])
        overall = summary.across(found.of(variant), "known", lambda m: m.mse)
        assert overall is not None
        assert np.mean([each.mean for each in kinds.values()]) == pytest.approx(overall.mean)


def test_settings(folder: Path) -> None:
    made_up.change(folder / RUN, "recipe", "rate", to=0.5)
    shared, own = summary.settings(load(folder))
    assert shared == {}
    assert own["bam-1"] == {"rate": "0.5"}
    made_up.change(folder / RUN, "recipe", "rate", to=0.001)
    assert summary.settings(load(folder))[0] == {"rate": "0.001"}


def test_claims(folder: Path) -> None:
    def found(**figures: float) -> list[tuple[bool | None, bool]]:
        given = {"factor": 25.7, "products": 0} | figures
        return [(each.met, each.runs_missing) for each in claims(load(folder), **given)]

    pcc, teacher, memory, products, cpu, gpu = found()
    assert pcc == teacher == (True, True)
    assert memory == products == cpu == (True, False)
    assert gpu == (None, False)
    assert found(factor=24.9)[2] == (False, False)
    assert found(products=1)[3] == (False, False)
    for seed in (3, 7):
        path = folder / "runs" / f"bam-w8-{seed}.json"
        made_up.change(path, "integer", "known", "pcc", to=0.8799)
    made_up.change(folder / "runs" / "float-2.json", "seconds", to=7201)
    assert found()[0] == (False, True)
    assert found()[4] == (False, False)
    made_up.change(folder / "runs" / "float-2.json", "threads", to=8)  # not two cores
    assert found()[4] == (True, False)
    made_up.change(folder / "runs" / "float-2.json", "device", to="NVIDIA H200")
    assert found()[5] == (False, False)
    made_up.change(folder / "runs" / "float-2.json", "seconds", to=90)
    assert found()[5] == (True, False)
    for path in (folder / "runs").glob("float-*"):
        path.unlink()
    assert found()[0] == (None, False)
