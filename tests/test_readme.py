"""What README shows works as it stands there."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import bambino
from golden import netfile
from golden.torch_engine import TorchEngine

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BOTH = ("float", "bam-w8")


@pytest.mark.cosim
def test_the_example_goes_from_torch_to_agreement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    code, command = re.search(r"```python\n(.*?)```\n\n```sh\n(.*?)\n```", README, re.S).groups()
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    network = netfile.load(Path("bars.npz"))
    raw = [TorchEngine().predict(network, one).raw for one in names["codes"]]
    right = np.argmax([list(network.scores(one).values()) for one in raw], 1)
    assert np.mean(right == names["down"].numpy()) > 0.9
    _, *argv = shlex.split(command)
    assert bambino.main(argv) == 0
    assert "identical: yes" in capsys.readouterr().out


def test_every_command_is_one_that_the_parser_knows() -> None:
    shown = re.findall(r"^\.venv/bin/bambino (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
    assert len(shown) >= 6
    for command in shown:
        assert callable(bambino.parser().parse_args(shlex.split(command)).run)


def test_every_file_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_experiments_figures_are_those_of_its_page() -> None:
    found = json.loads((ROOT / "docs/experiment/figures.json").read_text())
    sums = [sum(layer[name] for layer in found["work"]) for name in ("needed", "accumulates")]
    assert f"would spare them | {1 - sums[0] / sums[1]:.1%} |".replace("%", " %") in README
    pesq, teacher = (
        [f"{found['variants'][one]['sets'][which]['PCC']['mean']:.3f}" for one in BOTH]
        for which in ("known", "known:teacher")
    )
    said = " ".join(README.split())
    assert f"float network {pesq[0]}, bits and 8-bit weights {pesq[1]};" in said
    assert f"DNSMOS P.808 {teacher[0]} and {teacher[1]}." in said
    bits, codes = (
        " and ".join(
            f"{found['variants'][one]['sets'][which]['PCC']['mean']:.3f}"
            for which in ("known", "known:teacher")
        )
        for one in ("bam", "a8w8")
    )
    assert f"8-bit codes and weights {codes}, bits and float weights {bits}." in said
