"""Many jobs: cached, resumed, none lost by another's failure, ended by an interruption."""

import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from boards.compare import flows, runs
from boards.compare.job import Job
from boards.compare.results import load, merged
from boards.compare.store import Store
from boards.compare.tools import Runner, ToolError, find
from golden import cache

pytestmark = pytest.mark.usefixtures("made_up")

TABLE = Job(target="ecp5", level="array", kind="table", lanes=16, columns=16)
GATED = replace(TABLE, kind="gated")
ICE40 = replace(TABLE, target="ice40", lanes=8)
NAMES = ("yosys", "nextpnr-ecp5", "nextpnr-ice40")


def seeds(job, count):
    return [replace(job, seed=seed) for seed in range(1, count + 1)]


def measure(*jobs):
    runner = Runner()
    store = Store({name: find(name) for name in NAMES}, runner)
    return runs.run(jobs, store, runner, workers=2, title="test")


def test_a_design_is_synthesised_once_for_all_its_seeds(tools):
    results, failures = measure(*seeds(TABLE, 3))
    assert not failures
    assert sorted(call[0] for call in tools.calls()) == ["nextpnr-ecp5"] * 3 + ["yosys"]
    (joined,) = merged(results)
    assert [each.seed for each in joined.routed] == [1, 2, 3]
    assert joined.fmax_mhz == 102
    assert joined.fmax_range == (101, 103)
    assert joined.used == {"lut": 12, "ff": 7, "bram": 0, "dsp": 0}
    assert joined.device == "ECP5-25F"
    assert joined.routed[0].slowest == "a -> b"


def test_a_second_call_starts_no_tool(tools):
    first = measure(*seeds(TABLE, 2))
    calls = tools.calls()
    assert measure(*seeds(TABLE, 2)) == first
    assert tools.calls() == calls


def test_another_tool_version_measures_anew(tools, monkeypatch):
    measure(TABLE)
    find_now = find

    def newer(name):
        return replace(find_now(name), version="2.0")

    monkeypatch.setattr(f"{__name__}.find", newer)
    measure(TABLE)
    assert len(tools.calls()) == 2


def test_the_harness_is_subtracted(tools):
    (result,), _ = measure(replace(ICE40, seed=1))
    around = 3 + 1  # the input's 3 bits; 2 outputs and the shift register's end in one XOR
    assert result.synthesis.harness == around
    assert result.synthesis.counts["ff"] == 30 - around
    assert result.used["lut"] == 40 - around


def test_a_failure_loses_no_other_job(tools):
    tools.fail_on("gated")
    results, failures = measure(TABLE, GATED, replace(TABLE, seed=1))
    assert [each.job.kind for each in results] == ["table", "table"]
    (failure,) = failures
    assert failure.job == "ecp5 array gated 16x16"
    assert "yosys failed (1): ERROR: no such luck; see " in failure.why
    assert "\n" not in failure.why
    log = Path(failure.why.partition("; see ")[2])
    assert "so far so good" in log.read_text()
    assert not [p for p in cache.folder().iterdir() if p.suffix == ".log"]


def test_a_router_that_goes_round_in_circles_is_replaced(tools, monkeypatch):
    tools.circle()
    monkeypatch.setitem(flows.PATIENCE_S, "ice40", 0.5)
    (result,), failures = measure(replace(ICE40, seed=1))
    assert not failures
    assert result.routed[0].fmax_mhz == 101
    first, second = (call for call in tools.calls() if call[0] == "nextpnr-ice40")
    assert second == [*first, *flows.OTHER_ROUTER]


def test_what_failed_is_tried_again(tools):
    tools.fail_on("gated")
    measure(GATED)
    tools.fail_on("nothing")
    assert not measure(GATED)[1]


@pytest.fixture
def heeded():
    """Interruptions are heeded, also where the shell started the tests with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_an_interruption_ends_the_tools_and_leaves_nothing_half_made(tools):
    measure(TABLE)
    tools.hang()
    main = threading.main_thread().ident
    assert main is not None

    def interrupt():
        while len(tools.calls()) < 3:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGINT)

    threading.Thread(target=interrupt).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        measure(TABLE, GATED, *seeds(TABLE, 4))
    assert time.monotonic() - began < 20
    kept = [p for p in cache.folder().iterdir() if p.is_dir() and p.name.startswith("compare-")]
    assert len(kept) == 1
    assert all("." not in p.name for p in kept)


def test_no_part_holds_it(tools, monkeypatch):
    monkeypatch.setattr("boards.compare.store.chain_ends", lambda *_: 10**6)
    (result,), failures = measure(replace(TABLE, seed=1))
    assert not failures
    assert result.device is None
    assert result.routed == ()
    assert result.used == result.synthesis.counts
    assert [call[0] for call in tools.calls()] == ["yosys"]


def test_a_tool_that_is_missing(tools, monkeypatch):
    monkeypatch.setenv("NEXTPNR_ECP5", "/nowhere/nextpnr")
    with pytest.raises(ToolError, match="nextpnr-ecp5 must be there.*pip install yowasp-nextpnr"):
        find("nextpnr-ecp5")


def test_the_wheels_versions_are_known_without_starting_them(monkeypatch):
    for name, variable in (("yosys", "YOSYS"), ("nextpnr-ice40", "NEXTPNR_ICE40")):
        monkeypatch.delenv(variable, raising=False)
        assert find(name).version.startswith(f"yowasp-{name} 0.")


def test_results_of_another_version_are_refused(tmp_path):
    path = tmp_path / "results.json"
    path.write_text('{"version": 0}')
    with pytest.raises(ValueError, match="results must be of version 1"):
        load(path)
