"""`bambino compare` from its options to its files, with made-up tools and, once, with real ones."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bambino
from boards.compare.designs import generate
from boards.compare.job import Job
from boards.compare.matrix import Entry
from boards.compare.store import Store
from boards.compare.tools import Runner, find
from golden import cache

ROOT = Path(__file__).parent.parent.parent
TABLE = Job(target="ecp5", level="array", kind="table", lanes=16, columns=16)


@pytest.fixture
def short(monkeypatch, made_up):
    """List two designs, one of them with two seeds."""
    entries = [Entry(job=TABLE, seeds=2), Entry(job=Job(
        target="ice40", level="array", kind="gated", lanes=8, columns=8,
    ))]
    monkeypatch.setattr(
        "boards.compare.matrix.entries",
        lambda name, targets: [e for e in entries if e.job.target in targets],
    )


def run(capsys, *argv):
    code = bambino.main(["compare", *map(str, argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.usefixtures("short")
def test_files_and_tables(tools, tmp_path, capsys):
    code, out, err = run(capsys, "--out", tmp_path / "out", "--jobs", 1)
    assert code == 0
    assert "ECP5: cells and arrays" in out
    assert f"written: {tmp_path / 'out'}" in err
    saved = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [len(each["routed"]) for each in saved["results"]] == [2, 0]
    assert saved["versions"]["yosys"] == "yosys 1.0"
    assert "| table | 16 x 16 |" in (tmp_path / "out" / "table.md").read_text()


@pytest.mark.usefixtures("short")
def test_what_is_known_is_shown_without_the_rest(tools, tmp_path, capsys):
    out = tmp_path / "out"
    code, text, err = run(capsys, "--known", "--out", out)
    assert (code, err) == (0, f"written: {out}\n")
    assert "ecp5 array table 16x16: 1" in json.loads((out / "results.json").read_text())["missing"]
    assert run(capsys, "--out", out)[0] == 0
    routes = [p for p in sorted(cache.folder().glob("compare-route-*")) if p.is_dir()]
    assert len(routes) == 2
    shutil.rmtree(routes[0])
    assert run(capsys, "--known", "--out", out)[0] == 0
    found = json.loads((out / "results.json").read_text())
    assert [len(each["routed"]) for each in found["results"]] == [1, 0]
    assert found["missing"] == ["ecp5 array table 16x16: 1"]
    assert "not measured yet (runs): ecp5 array table 16x16: 1" in (out / "table.md").read_text()
    assert not routes[0].exists()


@pytest.mark.usefixtures("short")
def test_json_and_one_target(tools, tmp_path, capsys):
    code, out, _ = run(capsys, "--json", "--targets", "ice40", "--out", tmp_path / "out")
    assert code == 0
    assert [each["job"]["target"] for each in json.loads(out)["results"]] == ["ice40"]


@pytest.mark.usefixtures("short")
def test_a_job_that_fails_is_told_at_the_end(tools, tmp_path, capsys):
    tools.fail_on("gated")
    code, out, err = run(capsys, "--out", tmp_path / "out")
    assert code == 1
    assert "table" in out
    last = err.splitlines()[-1]
    assert last.startswith("failed: ice40 array gated 8x8: yosys failed")
    assert len(json.loads((tmp_path / "out" / "results.json").read_text())["results"]) == 1


def test_bad_input(tools, tmp_path, capsys, monkeypatch):
    for argv, rule in (
        (["--targets", "xc7"], "targets must be of ecp5, ice40, not 'xc7'"),
        (["--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--fit", "--jobs", "0"], "jobs must be at least 1, not 0"),
        (["--fit", "--targets", "xc7"], "targets must be of ecp5, ice40, not 'xc7'"),
    ):
        code, out, err = run(capsys, *argv, "--out", tmp_path / "out")
        assert (code, out) == (2, "")
        assert err == f"bambino compare: {rule}\n"
    monkeypatch.setenv("YOSYS", "/nowhere/yosys")
    code, _, err = run(capsys, "--out", tmp_path / "out")
    assert code == 2
    assert "yosys must be there" in err
    assert not (tmp_path / "out").exists()


def test_help_loads_nothing_heavy():
    code = (
        "import sys, bambino\n"
        "try: bambino.main(['compare', '--help'])\n"
        "except SystemExit: pass\n"
        "print({'numpy', 'amaranth', 'matplotlib', 'rich', 'boards.compare'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_designs_come_from_the_generator(target):
    job = Job(target=target, level="array", kind="gated", lanes=4, columns=2)
    design = generate(job)
    assert f"module {design.top}" in design.text
    assert ("clk", 1) in design.inputs
    assert sum(width for _, width in design.outputs) == 2 * 10


@pytest.mark.synth
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_real_tools_on_a_tiny_array(target, tmp_path, monkeypatch):
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path))
    job = Job(target=target, level="array", kind="gated", lanes=4, columns=2, seed=1)
    names = ("yosys", f"nextpnr-{target}")
    result = Store({name: find(name) for name in names}, Runner()).measure(job)
    (routed,) = result.routed
    assert 100 < routed.fmax_mhz < 600
    assert routed.slowest
    assert result.job.cells == 8
    # What is counted before placement is what nextpnr counts, but for its two constants.
    assert routed.used["lut"] - result.synthesis.counts["lut"] in (0, 1, 2)
    assert routed.used["ff"] == result.synthesis.counts["ff"]
    if target == "ecp5":
        assert result.synthesis.trimmed > 0
    else:
        assert result.synthesis.harness > 0
