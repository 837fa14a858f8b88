"""Every verb works with its defaults on `tiny`, and its JSON has the documented shape."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import bambino
from golden.netfile import save
from golden.random_networks import tiny_network
from golden.vectors import read_vectors

ROOT = Path(__file__).parent.parent
LAYERS = ["conv1", "conv2", "conv3", "conv4", "fc1", "fc2", "out"]


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run the command line, which must succeed; return what it prints."""
    assert bambino.main([str(a) for a in argv]) == 0
    return capsys.readouterr().out


def run_json(capsys: pytest.CaptureFixture[str], *argv: object) -> Any:
    """Likewise, with ``--json``."""
    return json.loads(run(capsys, *argv, "--json"))


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, bambino\n"
        "try: bambino.main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "print({'numpy', 'torch', 'amaranth', 'rich', 'cocotb'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"
    verbs = ("score", "verify", "estimate", "generate", "vectors", "train", "evaluate", "sister")
    for verb in verbs:
        assert verb in done.stdout


def test_score(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "score", "--preset", "tiny")
    assert list(found) == ["scores", "windows", "cycles", "engine", "preset", "seconds"]
    assert list(found["scores"]) == ["score", "noise"]
    (window,) = found["windows"]
    assert list(window) == ["start", "raw", "scores", "cycles"]
    raw = np.array(window["raw"], np.int32)
    assert tiny_network().scores(raw) == window["scores"] == pytest.approx(found["scores"])
    assert (found["engine"], found["preset"], found["cycles"]) == ("adds", "tiny", None)


def test_score_of_the_shipped_network(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "score")
    assert 1.0 <= found["scores"]["pesq"] <= 4.7
    assert found["preset"] == "medium"


def test_engines_agree_on_a_long_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "long.flac"
    noise = np.random.default_rng(2).normal(0, 0.1, (22050 * 6, 2))
    soundfile.write(path, noise, 22050)
    torch, naive, adds = (
        run_json(capsys, "score", path, "--preset", "tiny", "--engine", engine)
        for engine in ("torch", "naive", "adds")
    )
    assert [window["start"] for window in torch["windows"]] == [0.0, 1.0]
    assert torch["windows"] == naive["windows"] == adds["windows"]
    assert torch["scores"] == naive["scores"] == adds["scores"]


def test_tables_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert "mean" in run(capsys, "score", "--preset", "tiny")
    assert "conv1" in run(capsys, "estimate", "--preset", "tiny")
    assert "medium" in run(capsys, "presets")


def test_estimate(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "estimate", "--preset", "tiny")
    assert set(found) >= {
        "layers", "cycles", "load_cycles", "utilisation", "lanes", "columns", "memory_bits", "fits",
    }
    assert [layer["name"] for layer in found["layers"]] == LAYERS
    for layer in found["layers"]:
        assert set(layer) == {"name", "cycles", "accumulates", "utilisation"}
    assert set(found["memory_bits"]) == {"weights", "codes", "maps", "partial_sums", "program"}
    assert found["fits"] is True
    assert 0 < found["utilisation"] < 1


def test_lanes_and_columns_change_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "estimate", "--preset", "tiny", "--lanes", 12, "--columns", 5)
    assert (found["lanes"], found["columns"]) == (12, 5)


def test_presets(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "presets")
    assert list(found) == ["tiny", "small", "medium", "large"]
    assert found["medium"]["lanes"] == found["medium"]["columns"] == 32


def test_generate_gives_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("first", "second"):
        run(capsys, "generate", "--preset", "tiny", "--out", tmp_path / name)
        found = sorted(path.name for path in (tmp_path / name).iterdir())
        assert found == ["accelerator.v", "manifest.json"]
    for name in found:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    manifest = json.loads((tmp_path / "first" / "manifest.json").read_text())
    assert "lanes" in json.dumps(manifest)


def test_vectors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "vectors", "--preset", "tiny", "--out", tmp_path / "vectors")
    found = read_vectors(tmp_path / "vectors")
    assert [layer.name for layer in found.layers] == LAYERS
    assert found.origin == "demo.flac from 0 s"


def test_a_network_that_hears_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    network = tiny_network()
    save(
        type(network)(input_shape=network.input_shape, layers=network.layers),
        tmp_path / "network.npz",
    )
    found = run_json(capsys, "score", "--network", tmp_path / "network.npz")
    assert list(found["scores"]) == ["score", "noise"]
