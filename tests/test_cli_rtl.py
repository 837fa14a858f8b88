"""The verbs that simulate, on `tiny`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import bambino
from golden.clip import SHIPPED
from golden.network import Network
from golden.torch_engine import TorchEngine
from golden.trace import Trace
from sim.toolchain import toolchain

pytestmark = pytest.mark.cosim


def test_score_is_that_of_torch(capsys: pytest.CaptureFixture[str]) -> None:
    found = {}
    for engine in ("torch", "rtl"):
        assert bambino.main(["score", "--preset", "tiny", "--engine", engine, "--json"]) == 0
        found[engine] = json.loads(capsys.readouterr().out)
    assert found["rtl"]["scores"] == found["torch"]["scores"]
    assert found["rtl"]["windows"][0]["raw"] == found["torch"]["windows"][0]["raw"]
    assert found["rtl"]["cycles"] == found["rtl"]["windows"][0]["cycles"] > 0


def test_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(4).normal(0, 0.2, 16000)
    soundfile.write(tmp_path / "noise.wav", noise, 16000)
    clips = [str(tmp_path / "noise.wav")] * 2
    assert bambino.main(["verify", *clips, "--preset", "tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == ["identical", "layers", "cycles", "estimated_cycles", "load_cycles"]
    assert found["identical"] is True
    assert found["cycles"] == found["estimated_cycles"]
    assert [layer["mismatches"] for layer in found["layers"]] == [0] * 7
    assert found["layers"][0] == {"name": "conv1", "elements": 2 * 4 * 8 * 10, "mismatches": 0}


def test_verify_tells_the_first_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    right = TorchEngine.predict

    def wrong(self: TorchEngine, network: Network, codes: NDArray[np.uint8]) -> Trace:
        trace = right(self, network, codes)
        bits = trace.outputs["conv3"].copy()
        bits[2, 1, 1] ^= 1
        return replace(trace, outputs=trace.outputs | {"conv3": bits})

    monkeypatch.setattr(TorchEngine, "predict", wrong)
    waves = tmp_path / "waves.vcd"
    assert bambino.main(["verify", "--preset", "tiny", "--waves", str(waves)]) == 1
    said = capsys.readouterr()
    assert "layer conv3, channel 2, band 1, frame 1: expected" in said.err
    assert "identical: NO" in said.out
    assert waves.read_text().count("$enddefinitions") == 1


def test_a_network_that_does_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert bambino.main(["verify", "--preset", "tiny", "--network", str(SHIPPED)]) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "layer" in line
    assert "does not fit" in line
    assert any(character.isdigit() for character in line)


def test_missing_tools_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    toolchain.cache_clear()
    assert bambino.main(["score", "--preset", "tiny", "--engine", "rtl"]) == 2
    line = capsys.readouterr().err
    assert line.startswith("bambino score: simulation needs ")
    assert "g++ (apt install g++)" in line
    toolchain.cache_clear()
