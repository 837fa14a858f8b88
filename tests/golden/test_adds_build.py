"""The kernel is compiled once, kept whole, and done without where it cannot be."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from golden.adds import build as building
from golden.adds import engine as engines
from golden.adds.engine import AddsEngine
from golden.random_networks import random_codes, tiny_network
from golden.torch_engine import TorchEngine
from golden.trace import compare

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a cache that is empty."""
    monkeypatch.setenv("BAMBINO_CACHE", str(tmp_path / "cache"))
    building._fleeting.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile in half a second: what is compiled does not matter here, nor how fast it runs."""
    monkeypatch.setattr(building, "FLAGS", ("-std=c++17", "-O0", "-fPIC", "-shared"))


def compiler(path: Path, script: str) -> None:
    path.mkdir()
    tool = path / "g++"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)


def right(engine: AddsEngine) -> bool:
    network = tiny_network()
    codes = random_codes(np.random.default_rng(0), network)
    expected = TorchEngine().predict(network, codes)
    return compare(network, expected, engine.predict(network, codes)).identical


def test_compiled_once(folder: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    first = building.build(said.append)
    assert first is not None
    assert first.is_relative_to(folder)
    monkeypatch.setenv("PATH", "")
    assert building.build(said.append) == first
    assert said == []
    assert right(AddsEngine(report=said.append))


def test_another_source_flag_or_processor_is_another_kernel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    keys = {building.key()}
    with monkeypatch.context() as patch:
        patch.setattr(building, "FLAGS", (*building.FLAGS, "-g"))
        keys.add(building.key())
    with monkeypatch.context() as patch:
        patch.setattr("golden.cache.processor", lambda: "another")
        keys.add(building.key())
    other = tmp_path / "layer.inc"
    other.write_text("// another\n")
    with monkeypatch.context() as patch:
        patch.setattr(building, "SOURCES", (*building.SOURCES[:2], other))
        keys.add(building.key())
    assert len(keys) == 4


@pytest.mark.parametrize("damage", ["truncated", "empty", "other bytes", "missing", "no checksum"])
def test_a_corrupt_kernel_is_compiled_anew(folder: Path, quick: None, damage: str) -> None:
    said: list[str] = []
    path = building.build(said.append)
    assert path is not None
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "no checksum":
        (path.parent / building.CHECKSUM).unlink()
    else:
        broken = {"truncated": whole[:5000], "empty": b"", "other bytes": bytes(len(whole))}
        path.write_bytes(broken[damage])
    engine = AddsEngine(report=said.append)
    assert engine.kernel == path
    assert engine.kind != "numpy"
    assert right(engine)
    assert building._checksum(path) == (path.parent / building.CHECKSUM).read_text()
    assert said == []


def test_a_cache_that_cannot_be_written(
    folder: Path, quick: None, monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder.write_text("a file in its place")
    said: list[str] = []
    engine = AddsEngine(report=said.append)
    assert engine.kind != "numpy"
    assert right(engine)
    (line,) = said
    assert "cannot be kept" in line
    assert str(folder) in line
    assert folder.read_text() == "a file in its place"
    # One process compiles once, however many engines it makes.
    monkeypatch.setenv("PATH", "")
    assert AddsEngine().kernel == engine.kernel


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo first >&2; echo 'no room on device' >&2; exit 1", "g++ failed: no room on device"),
        ("exit 4", "g++ failed: exit code 4"),
        ("exit 0", "g++ failed: exit code 0"),
        (None, "g++ cannot be run (No such file or directory)"),
    ],
)
def test_a_compiler_that_fails(
    script: str | None, why: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if script is not None:
        compiler(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    said: list[str] = []
    engine = AddsEngine(report=said.append)
    assert engine.kind == "numpy"
    assert right(engine)
    assert said == [f"adds: {why}; {building.SLOW}"]
    assert [path for path in folder.iterdir() if path.is_dir()] == []
    with pytest.raises(ValueError, match="kind must be one of numpy here, not 'portable'"):
        AddsEngine(kind="portable")


def test_a_kernel_that_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "adds.so"
    path.write_bytes(b"\x7fELF and no more")
    said: list[str] = []
    engine = AddsEngine(report=said.append, kernel=path)
    assert engine.kind == "numpy"
    assert right(engine)
    assert len(said) == 1
    assert "does not load" in said[0]


def test_a_kernel_of_other_structures_does_not_load(
    folder: Path, quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    for source in building.SOURCES:
        text = source.read_text()
        if source.name == "kernel.h":
            text = text.replace("    int32_t padding_;\n", "    int64_t padding_[2];\n")
        (tmp_path / source.name).write_text(text)
    monkeypatch.setattr(building, "SOURCES", tuple(tmp_path / s.name for s in building.SOURCES))
    said: list[str] = []
    assert AddsEngine(report=said.append).kind == "numpy"
    assert "the kernel's structures must be of" in said[0]


@pytest.mark.parametrize(("best", "kind"), [(0, "portable"), (1, "avx2"), (2, "avx512")])
def test_an_older_processor_takes_an_older_path(
    best: int, kind: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Older:
        def __init__(self, loaded: object) -> None:
            self.loaded = loaded

        def adds_best(self) -> int:
            return best

    load = engines.library
    monkeypatch.setattr(engines, "library", lambda path: Older(load(path)))
    assert AddsEngine().kind == kind
    if kind != "avx512":
        with pytest.raises(ValueError, match=f"numpy.* {kind} here, not 'avx512'"):
            AddsEngine(kind="avx512")


def test_no_torch_where_adds_scores() -> None:
    code = (
        "import sys, bambino\n"
        "assert bambino.main(['score', '--engine', 'adds']) == 0\n"
        "print({'torch', 'cocotb'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.splitlines()[-1] == "set()"
