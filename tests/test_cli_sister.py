"""`bambino sister`, and `bambino evaluate` by another label: what they print and what they lack."""

import json
from pathlib import Path

import numpy as np
import pytest

import bambino
from golden import dnsmos, evaluate, sister
from golden.sister_tuning import SisterOptions


def test_what_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    asked: list[SisterOptions] = []

    def fake(options: SisterOptions, report: object) -> sister.Sister:
        asked.append(options)
        return sister.Sister(
            path=options.out / "network.npz", origins={"conv1": "node/one"}, valid={"float": 0.5},
        )

    monkeypatch.setattr(sister, "sister", fake)
    argv = ["sister", "--data", "recordings", "--out", str(tmp_path), "--mixes", "200"]
    assert bambino.main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": str(tmp_path / "network.npz"), "origins": {"conv1": "node/one"},
        "valid": {"float": 0.5},
    }
    assert asked == [SisterOptions(data=Path("recordings"), out=tmp_path, mixes=200)]
    assert bambino.main(argv) == 0
    said = capsys.readouterr().out
    assert "node/one" in said
    assert "0.5000" in said


def test_missing_packages_end_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    monkeypatch.setattr(dnsmos.importlib.util, "find_spec", lambda _: None)
    assert bambino.main(["sister", "--out", str(tmp_path / "out")]) == 2
    line = capsys.readouterr().err
    assert line.startswith("bambino sister: DNSMOS P.808 needs the package speechmos: pip install")
    assert line.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_label_is_handed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:
    asked: list[object] = []

    def fake(*_: object, label: str, **__: object) -> evaluate.Evaluation:
        asked.append(label)
        return evaluate.measure(np.arange(3.0), np.arange(3.0))

    monkeypatch.setattr(evaluate, "evaluate", fake)
    for argv in ([], ["--label", "dnsmos"]):
        assert bambino.main(["evaluate", "--data", str(tmp_path), *argv, "--json"]) == 0
    assert asked == ["pesq", "dnsmos"]
    assert capsys.readouterr().err == ""
    assert bambino.main(["evaluate", "--float", "--checkpoint", "x", "--label", "dnsmos"]) == 2
    assert "and without another --label" in capsys.readouterr().err
    for part in ([], ["--part", "known"]):
        assert bambino.main(["evaluate", "--data", str(tmp_path / "none"), *part]) == 2
        line = capsys.readouterr().err
        assert line == f"bambino evaluate: {tmp_path / 'none'}: the data folder must exist\n"
