"""The verbs that simulate, on `tiny`."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

import bambino
from golden import heads, netfile
from golden.clip import SHIPPED
from golden.export import export
from golden.network import Network
from golden.quantise import (
    GlobalMaxPool2d,
    InputCodes,
    QuantConv2d,
    QuantLinear,
    QuantReLU,
    Step,
)
from golden.random_networks import tiny_network
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


def test_two_outputs_go_all_the_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    torch.manual_seed(3)
    front_end = tiny_network().front_end
    module = torch.nn.Sequential(
        InputCodes(), QuantConv2d(1, 6, 3, padding=1, input_step=2**-5, input_zero=128), Step(),
        GlobalMaxPool2d(), torch.nn.Flatten(), QuantLinear(6, 5, scale="unit"),
        QuantReLU(step=2**-6), QuantLinear(5, 2, input_step=2**-6),
    ).eval()
    network = export(
        module, np.zeros((1, 16, 20), np.uint8), names=heads.LABELS, front_end=front_end,
    )
    path, clip = tmp_path / "two.npz", tmp_path / "long.wav"
    netfile.save(network, path)
    soundfile.write(clip, np.random.default_rng(4).normal(0, 0.1, 16000 * 6), 16000)
    options = [str(clip), "--network", str(path), "--preset", "tiny"]
    assert bambino.main(["verify", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"] is True
    found = {}
    for engine in ("torch", "adds", "rtl"):
        assert bambino.main(["score", *options, "--engine", engine, "--json"]) == 0
        found[engine] = json.loads(capsys.readouterr().out)
        assert list(found[engine]["scores"]) == ["pesq", "dnsmos"]
        assert [len(window["raw"]) for window in found[engine]["windows"]] == [2, 2]
    assert found["rtl"]["scores"] == found["torch"]["scores"] == found["adds"]["scores"]
    assert len(set(found["rtl"]["scores"].values())) == 2
    assert bambino.main(["score", *options, "--engine", "rtl"]) == 0
    said = capsys.readouterr().out
    assert all(f"{score:.4f}" in said for score in found["rtl"]["scores"].values())
    assert all(name in said for name in ("pesq", "dnsmos"))


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
