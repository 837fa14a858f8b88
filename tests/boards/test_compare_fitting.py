"""`bambino compare --fit`: what it measures and writes; what `estimate` tells of clocks then."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

import bambino
from boards import resources
from boards.compare import fitting
from boards.compare.job import KINDS, Job
from boards.compare.matrix import Entry
from boards.compare.store import Store
from boards.compare.tools import Runner, find
from boards.features import features
from hw.config import Config

SMALL = Config(lanes=8, columns=8, acc_bits=24, weight_rows=2048)


def run(capsys, *argv):
    code = bambino.main([*map(str, argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_least_squares_without_negatives():
    table = np.array([[1.0, 0, 2], [0, 1, 1], [1, 1, 0], [2, 0, 1]])
    assert fitting.non_negative(table, table @ [3, 5, 7]) == pytest.approx([3, 5, 7])
    clipped = fitting.non_negative(table, table @ [3, -1, 7])
    assert clipped[1] == 0
    assert (clipped >= 0).all()
    assert fitting.non_negative(table, -np.ones(4)) == pytest.approx([0, 0, 0])


def test_a_part_that_no_machine_had_gets_no_coefficient():
    configs = [replace(SMALL, lanes=lanes, columns=columns) for lanes, columns in
               ((8, 4), (16, 8), (24, 24), (32, 8), (64, 16), (12, 6), (48, 3), (20, 20))]
    seen = [{"config": asdict(each), "counts": {"lut": 50 * each.lanes}} for each in configs]
    found = fitting.coefficients("ecp5", seen, "lut")
    assert {"gated cells", "machine"} < set(found)
    assert "further frames of codes" not in found
    wide = replace(SMALL, lanes=16, code_frames=3)
    assert resources.unknown(features(SMALL, "ecp5", "lut"), found) == []
    assert resources.unknown(features(wide, "ecp5", "lut"), found) == ["further frames of codes"]
    seen.append({"config": asdict(wide), "counts": {"lut": 800}})
    assert fitting.coefficients("ecp5", seen, "lut")["further frames of codes"] >= 0


def routed(cell, lanes, columns, *speeds):
    """Make up a machine that was placed and routed."""
    return {
        "cell": cell, "lanes": lanes, "columns": columns, "cells": lanes * columns,
        "device": "ECP5-25F", "fmax_mhz": list(speeds),
    }


def test_the_clock_is_that_of_the_likest_machine():
    small, large = routed("gated", 4, 2, 120.0), routed("gated", 16, 16, 90.0)
    other = routed("mac", 8, 8, 70.0)
    known = [small, large, other]
    assert resources.likest("gated", 64, [other]) is other  # for want of any such
    assert resources.likest("gated", 64, []) is None
    assert resources.likest("gated", 40, known) is small  # 5 times as large, not a 6.4th
    assert resources.likest("gated", 50, known) is large
    assert resources.likest("mac", 256, known) is other


def test_the_error_of_clocks_is_of_each_machine_from_the_others():
    assert fitting.clock_error([]) is None
    one, two = routed("gated", 4, 2, 120.0), routed("gated", 16, 16, 99.0, 100.0, 108.0)
    assert fitting.clock_error([one]) is None
    assert fitting.clock_error([one, two]) == {"median": 0.1833, "worst": 0.2, "shapes": 2}


@pytest.fixture
def clock(monkeypatch):
    """A committed model whose clocks a test makes up."""
    saved = json.loads(json.dumps(resources.saved()))
    monkeypatch.setattr(resources, "saved", lambda: saved)
    made: dict[str, object] = {"machines": [], "error": None}
    saved["targets"]["ecp5"]["clock"] = made
    return made


def test_the_clock_is_predicted_as_soon_as_one_is_known(clock):
    assert resources.predict(SMALL, "ecp5").fmax_mhz is None
    clock["machines"].append(routed("gated", 4, 2, 101.0, 103.0, 108.0))
    found = resources.predict(SMALL, "ecp5").fmax_mhz
    assert (found.median, found.low, found.high, found.runs) == (103.0, 101.0, 108.0, 3)
    assert found.of == "gated 4x2 on ECP5-25F"
    assert found.error is None
    clock["machines"].append(routed("gated", 8, 8, 97.5))
    clock["error"] = fitting.clock_error(clock["machines"])
    found = resources.predict(SMALL, "ecp5").fmax_mhz
    assert (found.median, found.error.shapes) == (97.5, 2)


def test_estimate_shows_the_clock(clock, capsys):
    clock["machines"] += [routed("gated", 4, 2, 101.0, 103.0), routed("gated", 4, 8, 96.9)]
    clock["error"] = {"median": 0.05, "worst": 0.0526, "shapes": 2}
    code, out, _ = run(capsys, "estimate", "--preset", "tiny", "--columns", 2)
    assert code == 0
    assert "clock: 102 MHz (101 to 103) as in 2 runs of gated 4x2 on ECP5-25F" in out
    assert "such clocks were off by 5.0% in the median, 5.3% at worst" in out
    code, out, _ = run(capsys, "estimate", "--preset", "tiny", "--json")
    assert json.loads(out)["resources"]["fmax_mhz"]["of"] == "gated 4x8 on ECP5-25F"


@pytest.fixture
def few(monkeypatch, made_up, tmp_path):
    """Three machines a kind, and a place of its own for the model."""
    def listed(target):
        name = "groups=1 acc_bits=24"
        job = Job(target=target, level="accelerator", kind="gated", lanes=8, columns=8)
        return [
            (replace(job, lanes=lanes, options=name), lanes == 16) for lanes in (8, 16, 24)
        ]

    monkeypatch.setattr(fitting, "shapes", listed)
    monkeypatch.setattr(resources, "PATH", tmp_path / "resources.json")
    resources.saved.cache_clear()
    yield resources.PATH
    resources.saved.cache_clear()


def test_fit(few, tools, capsys):
    code, out, err = run(capsys, "compare", "--fit", "--jobs", 1)
    assert code == 0
    assert "ecp5 LUT4" in out
    assert f"written: {few}" in err
    first = json.loads(few.read_text())
    assert [shape["held_back"] for shape in first["targets"]["ice40"]["shapes"]] == [0, 1, 0]
    assert first["targets"]["ecp5"]["tools"]["yosys"] == "yosys 1.0"
    assert first["targets"]["ecp5"]["clock"] == {"machines": [], "error": None}
    lines = [line for line in err.splitlines() if line.startswith("synthesis ")]
    assert [line.partition(":")[0] for line in lines] == [f"synthesis {n}/6" for n in range(1, 7)]
    assert lines[0].endswith("accelerator gated 24x8 groups=1 acc_bits=24")
    calls = tools.calls()
    assert len(calls) == 6
    assert {call[0] for call in calls} == {"yosys"}
    code, out, _ = run(capsys, "compare", "--fit", "--targets", "ecp5", "--json")
    assert code == 0
    assert json.loads(out) == first
    assert tools.calls() == calls


def test_a_fit_that_was_interrupted_goes_on(few, tools, capsys):
    tools.fail_on("gated 8")  # the smallest is the last
    assert run(capsys, "compare", "--fit", "--targets", "ecp5", "--jobs", 1)[0] == 1
    assert len(tools.calls()) == 3
    tools.fail_on("")
    assert run(capsys, "compare", "--fit", "--targets", "ecp5", "--jobs", 1)[0] == 0
    assert len(tools.calls()) == 4


def test_estimate_shows_the_clock_of_what_was_routed_before(few, tools, capsys, monkeypatch):
    job = Job(target="ecp5", level="accelerator", kind="gated", lanes=8, columns=8)
    listed = [Entry(job=replace(job, kind=kind), seeds=3) for kind in KINDS]
    listed += [Entry(job=replace(job, level="array"), seeds=3)]
    monkeypatch.setattr("boards.compare.matrix.entries", lambda name, targets: listed)
    named = {name: find(name) for name in ("yosys", "nextpnr-ecp5")}
    fitted = ("compare", "--fit", "--targets", "ecp5", "--json")
    assert run(capsys, *fitted)[0] == 0
    assert resources.predict(SMALL, "ecp5").fmax_mhz is None
    for seed in (1, 3):
        Store(named, Runner()).measure(replace(job, seed=seed))
    for level, kind in (("array", "gated"), ("accelerator", "mac-booth")):  # neither counts
        Store(named, Runner()).measure(replace(job, level=level, kind=kind, seed=1))
    calls = tools.calls()
    code, out, _ = run(capsys, *fitted)
    assert code == 0
    assert tools.calls() == calls
    assert json.loads(out)["targets"]["ecp5"]["clock"] == {
        "machines": [routed("gated", 8, 8, 101.0, 103.0)], "error": None,
    }
    code, out, _ = run(capsys, "estimate", "--preset", "tiny")
    assert code == 0
    assert "clock: 102 MHz (101 to 103) as in 2 runs of gated 8x8 on ECP5-25F" in out


def test_a_fit_that_fails_leaves_the_model(few, tools, capsys):
    tools.fail_on("gated 16")
    few.write_text("what was there")
    code, _, err = run(capsys, "compare", "--fit", "--targets", "ecp5")
    assert code == 1
    assert err.splitlines()[-1].startswith("failed: ecp5 accelerator gated 16x8 groups=1")
    assert few.read_text() == "what was there"
