"""New dense layers learn the bits that are there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from golden.experiment import anew
from golden.experiment import clips as batches
from golden.experiment.experiment import Options, run
from golden.experiment.task import Task
from golden.experiment.training import Training
from golden.experiment.variants import build, variant
from golden.figures import correlation


def draws(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Bits, and two sums of some of them, one far from zero and one small."""
    rng = np.random.default_rng(seed)
    bits = torch.from_numpy(rng.integers(0, 2, (count, 64)).astype(np.float32))
    return bits, torch.stack([40 + 5 * bits[:, :9].sum(1), bits[:, 9:20].sum(1) / 50], dim=1)


def test_they_say_what_is_wanted_of_bits_they_never_saw() -> None:
    bits, wanted = draws(2000, 1)
    dense = anew.layers(bits, wanted, epochs=20, seed=1)
    others, right = draws(500, 2)
    with torch.no_grad():
        said = dense(others)
        alive = [int((dense[:end](bits) > 0).any(0).sum()) for end in (2, 4)]
    for i in range(2):
        assert correlation(said[:, i].double().numpy(), right[:, i].double().numpy()) > 0.95
        assert said[:, i].mean() == pytest.approx(float(right[:, i].mean()), rel=0.02)
    assert min(alive) > 50


def test_the_same_seed_gives_the_same() -> None:
    bits, wanted = draws(300, 1)
    first, again, other = (anew.layers(bits, wanted, epochs=1, seed=s)[0].weight for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_network_gets_them_and_keeps_the_rest() -> None:
    bits, wanted = draws(300, 1)
    dense = anew.layers(bits, wanted, epochs=1, seed=1)
    network = build(variant("bam"), outputs=2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = anew.renewed(network, dense)
    last = nn.Sequential(*list(found.children())[-5:])
    with torch.no_grad():
        assert torch.equal(last(bits), dense(bits))
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
        assert torch.equal(value, found.state_dict()[name]) == (not name.startswith("dense"))


@pytest.mark.parametrize("epochs", [0, 3])
def test_they_come_before_a_network_settles_on_bits_that_are_there(
    epochs: int, options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[int], int]] = []
    given: list[nn.Sequential] = []
    layers, learn = anew.layers, Training._learn

    def watched(bits: Tensor, wanted: Tensor, *, epochs: int, seed: int) -> nn.Sequential:
        assert set(bits.unique().tolist()) <= {0.0, 1.0}
        assert torch.equal(wanted[:8], wanted[8:])  # of two draws
        asked.append((list(bits.shape), epochs))
        given.append(layers(bits, wanted, epochs=epochs, seed=seed))
        return given[-1]

    def checked(self: Training, *args: Any) -> Tensor:
        if given and self.phase.settles and self.task.name not in seen:
            seen.append(self.task.name)
            for network in (self.network, self.mean):
                ours = network.get_submodule("dense1").weight
                theirs = given[-1][0].weight
                cosine = nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)
                alike = 1.0 if self.task.name == "bam" else 0.9  # rows are stretched for 8 bits
                assert cosine > alike - 1e-3
        return learn(self, *args)

    seen: list[str] = []
    monkeypatch.setattr(anew, "layers", watched)
    monkeypatch.setattr(Training, "_learn", checked)
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, anew=epochs, settle=2)
    for name, source in (("bam", "float"), ("bam-w8", "bam")):
        task = Task(name=name, seed=1, recipe=recipe, data="", folder=tmp_path)
        Training(task, train, train, build(variant(source))).run()
    assert asked == ([([16, 64], 3)] * 2 if epochs else [])  # bam before it settles as well
    assert seen == (["bam", "bam-w8"] if epochs else [])
