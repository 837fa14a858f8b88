"""`bambino score` with many files: lines out, the unreadable at the end, Ctrl-C in between."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import bambino

ROOT = Path(__file__).parent.parent
NAMES = ["score", "noise"]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """Three clips."""
    folder = tmp_path / "calls"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        soundfile.write(folder / f"{i}.wav", rng.normal(0, 0.1, 16000 * (5 + i)).clip(-1, 1), 16000)
    return folder


def score(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = bambino.main(["score", "--preset", "tiny", *(str(a) for a in argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_csv(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = score(capsys, calls, "--jobs", 2)
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["file", "windows", *NAMES]
    assert [row["file"] for row in rows] == [str(calls / f"{i}.wav") for i in range(3)]
    assert [row["windows"] for row in rows] == ["1", "2", "3"]
    _, alone, _ = score(capsys, calls / "2.wav", "--json")
    assert {n: float(rows[2][n]) for n in NAMES} == json.loads(alone)["scores"]


def test_json_lines(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = score(capsys, calls / "*.wav", "--json", "--engine", "torch", "--jobs", 1)
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    assert [list(line) for line in lines] == [["file", "windows", "scores"]] * 3
    assert list(lines[0]["scores"]) == NAMES


def test_names_that_csv_must_quote(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = calls / 'one, "two"\nthree.wav'
    (calls / "0.wav").rename(odd)
    _, out, _ = score(capsys, calls, "--jobs", 1)
    assert str(odd) in [row["file"] for row in csv.DictReader(io.StringIO(out))]


def test_unreadable_files_are_listed_and_counted(
    calls: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    (calls / "1.wav").write_text("no sound")
    code, out, err = score(capsys, calls, calls / "none.wav", "--jobs", 1)
    assert code == 1
    assert len(out.splitlines()) == 3
    first, second, count = err.splitlines()
    assert first.startswith(f"unreadable: {calls / '1.wav'}: the clip must be an audio file")
    assert second == f"unreadable: {calls / 'none.wav'}: the clip must be an existing file"
    assert count == "2 of 4 files could not be read"


@pytest.mark.parametrize(
    ("argv", "rule"),
    [
        (["empty"], "empty: the folder must hold audio"),
        (["*.ogg"], "the pattern must match a file"),
        (["calls", "--jobs", "0"], "jobs must be at least 1, not 0"),
        (["calls", "--engine", "rtl"], "engine must be one of adds, torch, naive, not 'rtl'"),
    ],
)
def test_bad_input(
    argv: list[str], rule: str, calls: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(calls.parent)
    Path("empty").mkdir()
    code, out, err = score(capsys, *argv)
    assert code == 2
    assert out == ""
    assert err.startswith("bambino score: ")
    assert rule in err
    assert err.count("\n") == 1


def test_no_process_of_the_pool_loads_torch(calls: Path) -> None:
    # The processes are started anew, so what they cannot import they do not need.
    (calls / "torch.py").write_text("raise ImportError('torch is not wanted here')\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bambino.py"), "score", "--preset", "tiny", calls],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": f"{calls}{os.pathsep}{ROOT}"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


@pytest.mark.parametrize("lines", ["csv", "json"])
def test_ctrl_c_leaves_whole_lines(lines: str, calls: Path) -> None:
    long = calls / "long.wav"
    soundfile.write(long, np.resize(np.sin(np.arange(99999) * 0.1), 16000 * 3600), 16000)
    argv = [calls / "0.wav", calls / "1.wav", long, long.with_name("absent.wav"), "--jobs", "2"]
    command = [sys.executable, str(ROOT / "bambino.py"), "score", "--preset", "tiny", *argv]
    with subprocess.Popen(
        [*command, *(["--json"] if lines == "json" else [])], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        expected = 3 if lines == "csv" else 2
        read = [process.stdout.readline() for _ in range(expected)]
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        rest, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert rest == ""
    assert err == "bambino score: interrupted\n"
    files = (
        [json.loads(line)["file"] for line in read]
        if lines == "json"
        else [row["file"] for row in csv.DictReader(read)]
    )
    assert files == [str(calls / "0.wav"), str(calls / "1.wav")]
