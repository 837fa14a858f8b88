"""The way from a float network to its sister in bits, on a small one in the original's place."""

import json
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from golden import dnsmos, netfile, sister, sister_tuning, teacher
from golden.quantise import GlobalMaxPool2d
from golden.rules import NetworkError

ORIGINS = {"conv1": "first", "dense1": "last"}


def original() -> nn.Sequential:
    torch.manual_seed(1)
    layers: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(1, 6, 3, padding=1), "relu1": nn.ReLU(), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(6, 8, 3), "relu2": nn.ReLU(), "pool2": GlobalMaxPool2d(),
        "flatten": nn.Flatten(), "dense1": nn.Linear(8, 1),
    }
    return nn.Sequential(OrderedDict(layers)).eval()


class Session:
    """Says what `original` says."""

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input")]

    @torch.no_grad()
    def run(self, _: None, given: dict[str, Any]) -> list[Any]:
        return [original()(torch.tensor(given["input"])[:, None].mT).numpy()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small original, and few mixes."""
    (tmp_path / "model.onnx").write_bytes(b"some model")
    monkeypatch.setattr(dnsmos, "model_path", lambda: tmp_path / "model.onnx")
    monkeypatch.setattr(teacher, "session", Session)
    monkeypatch.setattr(sister, "imported", lambda: (original(), ORIGINS))
    monkeypatch.setattr(sister, "VALID_MIXES", 6)
    monkeypatch.setattr(sister, "EXAMPLES", 8)
    monkeypatch.setattr(sister_tuning, "EXAMPLES", 8)


def test_it_comes_to_a_network_that_hears(
    small: None, recordings_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    options = sister_tuning.SisterOptions(
        data=recordings_folder, out=tmp_path / "out", mixes=8, epochs=2, batch=4,
    )
    found = sister.sister(options, said.append)
    assert found.origins == ORIGINS
    assert list(found.valid) == ["float", "binarised", "dense", "tuned"]
    assert found.valid["tuned"] >= found.valid["dense"] >= found.valid["binarised"]
    assert found.valid["float"] > 0.9
    assert len(said) == 5
    rows = (tmp_path / "out" / sister_tuning.HISTORY).read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == [1, 2]
    network = netfile.load(found.path)
    assert network.input_shape == (1, 120, 900)
    assert network.raw.names == ("dnsmos",)
    assert network.front_end is not None
    assert network.front_end.frames == 900
    assert network.about["licence"].startswith("MIT")
    # The mixes are there: made again, nothing is asked for and the same comes out.
    monkeypatch.setattr(teacher, "mos", lambda _: pytest.fail("asked again"))
    before = found.path.read_bytes()
    assert sister.sister(options).valid == found.valid
    assert found.path.read_bytes() == before


def test_a_mix_is_one_turn_of_what_the_original_hears() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 80000).astype(np.float32)
    codes = sister.window_codes(samples)
    assert codes.shape == (1, 120, 900)
    again = codes[:, :, sister_tuning.FRAMES + 1 :][:, :, :399]
    np.testing.assert_array_equal(codes[:, :, 1:400], again)


def test_options_are_checked_together(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="mixes must be at least 96, not 5; .*rate must be pos"):
        sister_tuning.SisterOptions(data=tmp_path, out=tmp_path, mixes=5, rate=0.0)


def test_the_original_is_imported_by_the_names_of_its_nodes() -> None:
    for package in ("onnx", "onnxruntime", "speechmos"):
        pytest.importorskip(package, reason="the extra sister is not installed")
    module, origins = sister.imported()
    assert origins["conv1"] == "conv2d_5"
    assert origins["dense3"] == "mos_estimator_small_1/dense_5/MatMul_add"
    assert len(origins) == 8
    assert sum(p.numel() for p in module.parameters()) == 54_945
    samples = np.random.default_rng(1).normal(0, 0.1, 144000).astype(np.float32)
    maps = torch.tensor(dnsmos.features(samples).T.copy())[None, None]
    with torch.no_grad():
        assert float(module(maps)) == pytest.approx(teacher.mos(samples), abs=1e-4)
