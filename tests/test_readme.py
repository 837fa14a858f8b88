"""What README shows works as it stands there."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import bambino
from golden import clip, netfile
from golden.experiment import memory
from golden.experiment.reading import load
from golden.torch_engine import TorchEngine

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "docs" / "experiment" / "results"
SHOWN = ("float", "bam", "bam-w8", "a8w8", "maxima-2bit", "maxima-codes")


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
    for one in SHOWN:
        sets = found["variants"][one]["sets"]
        both = [sets[which]["PCC"] for which in ("known", "known:teacher")]
        figures = " | ".join(f"{each['mean']:.3f}" for each in both)
        row = rf"^\| .*\(`{one}`\) \| {both[0]['n']} \| {re.escape(figures)} \|$"
        assert re.search(row, README, re.MULTILINE), (one, figures)
    seed = next(run for run in load(RESULTS).of("float") if run.seed == 1)
    both = " and ".join(f"{seed.metrics[which].pcc:.3f}" for which in ("known", "known:teacher"))
    assert f"the float network of seed 1, as `a8w8`, has {both}" in " ".join(README.split())
    less = memory.factor(netfile.load(clip.SHIPPED), memory.CLAIMED, "maxima-2bit")
    said = f"of the float one in {less:.1f} times less memory (all conv outputs and weights)"
    assert said in " ".join(README.split())
