"""Models are built once, never half, and known by all that went into them."""

import multiprocessing
import time
from pathlib import Path

import pytest

from golden import cache
from sim import build as build_module
from sim.bench import component_design
from sim.build import BuildError, Design, build
from sim.job import Job, Phase
from sim.runner import control_file
from sim.simulation import run
from sim.toolchain import ToolError, has_icarus

BLINK = """
module blink(clk, q);
  input clk;
  output reg q;
  always @(posedge clk) q <= ~q;
endmodule
"""


@pytest.mark.unit
def test_parts_of_a_key_do_not_run_together():
    assert cache.key("ab", "c") != cache.key("a", "bc")
    assert cache.key("ab", "c") == cache.key("ab", "c")


@pytest.mark.unit
def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path / "models"))
    assert cache.folder() == tmp_path / "models"


@pytest.mark.unit
def test_outside_a_checkout_the_users_cache_serves(tmp_path, monkeypatch):
    monkeypatch.delenv("BAMBINO_CACHE", raising=False)
    monkeypatch.setattr(cache, "_CHECKOUT", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "bambino"


@pytest.mark.unit
def test_what_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path))

    def make(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.entry("thing", make)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def _make_slowly(folder: Path) -> None:
    with (folder.parent / "made").open("a", encoding="utf-8") as log:
        log.write("made\n")
    time.sleep(0.3)
    (folder / "whole").write_text("whole", encoding="utf-8")


@pytest.mark.unit
def test_what_a_killed_build_has_left_is_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path))
    (tmp_path / "thing.a1b2c3").mkdir()
    (tmp_path / "thing.a1b2c3" / "half").write_text("")
    (tmp_path / "thing-other.a1b2c3").mkdir()
    cache.entry("thing", lambda folder: None)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"thing", "thing.lock", "thing-other.a1b2c3"}


def _entry(root: str) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BAMBINO_CACHE", root)
        return (cache.entry("thing", _make_slowly) / "whole").is_file()


@pytest.mark.unit
def test_of_several_builders_one_builds(tmp_path):
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert all(pool.map(_entry, [str(tmp_path)] * 3))
    assert (tmp_path / "made").read_text() == "made\n"


@pytest.mark.unit
def test_the_control_file_opens_the_ports_and_nothing_else():
    text = control_file("top", ["clk", "q"], ["column"])
    assert text.splitlines() == [
        "`verilator_config",
        'public_flat_rw -module "top" -var "clk"',
        'public_flat_rw -module "top" -var "q"',
        'no_inline -module "column"',
    ]


@pytest.mark.unit
def test_ports_are_read_from_the_top(make_loopback):
    assert Design(top="blink", verilog=BLINK).ports == ["clk", "q"]
    assert set(component_design(make_loopback()).ports) == {
        "clk", "rst", "i_data", "i_last", "i_valid", "o_ready", "i_taken", "o_word", "fault",
    }
    with pytest.raises(ValueError, match="must define module other"):
        _ = Design(top="other", verilog=BLINK).ports


@pytest.mark.unit
def test_refuses_a_folder_that_make_cannot_build_in(tmp_path, monkeypatch):
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path / "two words"))
    with pytest.raises(ToolError, match="without spaces"):
        build(Design(top="blink", verilog=BLINK))


@pytest.mark.unit
def test_refuses_an_unknown_simulator():
    with pytest.raises(ValueError, match="must be verilator or icarus, not 'other'"):
        build(Design(top="blink", verilog=BLINK), simulator="other")


@pytest.mark.cosim
def test_builds_once_and_again_for_another_text():
    lines: list[str] = []
    stamp = time.time_ns()  # a text that no earlier run has built
    design = Design(top="blink", verilog=f"{BLINK}// {stamp}\n")
    first = build(design, report=lines.append)
    assert [line.split()[0] for line in lines] == ["building", "built"]
    assert build(design, report=lines.append) == first
    assert len(lines) == 2
    other = build(Design(top="blink", verilog=f"{BLINK}// {stamp + 1}\n"))
    assert other.folder != first.folder
    kept = {path.name for path in first.folder.iterdir()}
    assert kept == {"blink", "blink.v", "blink.vlt", "build.log", "model.json"}


@pytest.mark.cosim
def test_a_refused_design_shows_its_log():
    broken = BLINK.replace("~q;", "~;")
    with pytest.raises(BuildError, match="syntax error"):
        build(Design(top="blink", verilog=broken))


@pytest.mark.cosim
def test_the_shared_runtime_is_compiled_once():
    tools = build_module.toolchain()
    assert build_module._runtime(tools, False) == build_module._runtime(tools, False)
    names = {Path(path).stem for path in build_module._runtime(tools, False)}
    assert {"verilated", "verilated_vpi"} <= names


@pytest.mark.cosim
@pytest.mark.skipif(not has_icarus(), reason="Icarus Verilog is not installed")
def test_icarus_agrees(make_loopback):
    import numpy as np

    model = build(component_design(make_loopback()), simulator="icarus")
    packet = np.arange(40, dtype=np.uint32)
    result = run(
        model, Job(phases=(Phase(packets=(packet, packet[:1]), replies=2),), gap=0.3, stall=0.3),
    )
    assert [reply.tolist() for reply in result.phases[0].replies] == [packet.tolist(), [0]]
