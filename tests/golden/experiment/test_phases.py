"""A network of bits settles: what stands before the last convolution stays as it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from golden.adds.engine import NUMPY, AddsEngine
from golden.experiment import clips as batches
from golden.experiment.clips import Draws
from golden.experiment.experiment import Options, run
from golden.experiment.phases import Phase, phases
from golden.experiment.recipe import Recipe
from golden.experiment.settling import DRAWS, giver
from golden.experiment.task import Task
from golden.experiment.training import Training
from golden.experiment.variants import build, folded, variant
from golden.export import export


def trained(
    options: Options, folder: Path, *, name: str = "codes-8", **change: Any,
) -> Training:
    """A training of bits whose next epoch settles; its teacher says what nobody else does."""
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, **change)
    task = Task(name=name, seed=1, recipe=recipe, data="", folder=folder)
    source = None if task.source in (None, "float") else build(variant(task.source))
    training = Training(task, train, train, source, taught=train.targets + 1000.0)
    while not training.phase.settles:
        training.keep(training.run_epoch(), 1.0)
    return training


def test_bits_settle_on_maps_that_stay(options: Options, tmp_path: Path) -> None:
    training = trained(options, tmp_path, epochs=2, settle=2)
    best = training.best_weights
    rates = [training.rate_at(step) for step in range(4 * training.steps)]
    half = len(rates) // 2
    assert rates[half:] == rates[:half]
    training.keep(training.run_epoch(), 1.0)
    assert training.best_weights is not best
    for network in (training.network, training.mean):
        for name, value in network.state_dict().items():
            still = name.partition(".")[0] in (
                "codes", "conv1", "norm1", "conv2", "norm2", "conv3", "norm3",
            )
            same = torch.equal(value, best[name])
            assert same == still or name.endswith(("input_step", "step")), name
    held = [name for name, part in training.network.named_children() if not part.training]
    assert held == [
        "codes", "conv1", "pool1", "norm1", "fire1", "conv2", "pool2", "norm2", "fire2",
        "conv3", "pool3", "norm3", "fire3",
    ]
    training.keep(training.run_epoch(), 1.0)
    done = {int(state["step"]) for state in training.optimiser.state.values()}
    assert done == {2 * training.steps}  # of this phase alone, and of both its epochs


@pytest.mark.parametrize("name", ["bam", "codes-8", "codes-4"])
def test_what_stays_is_kept_for_three_draws(name: str, options: Options, tmp_path: Path) -> None:
    training = trained(options, tmp_path, name=name, epochs=1, settle=5)
    training.keep(training.run_epoch(), 1.0)
    kept, train = training.kept, training.train
    assert kept is not None
    still, _ = training.phase.parts(training.network)
    index = torch.tensor([5, 0, 3])
    heard = {}
    for epoch in (1, 2, 3, 4, 5):
        maps = kept.maps(epoch, index)
        drawn = 1 + (epoch - 1) % DRAWS
        draws = Draws.of(len(train), training.task.recipe, 1, drawn, torch.device("cpu"))
        codes, order = draws.batch(train, training.heard, training.bits, slice(0, 8))
        at = [order.tolist().index(clip) for clip in index.tolist()]
        assert torch.equal(maps, still(codes[at]))
        heard[epoch] = maps
    assert not torch.equal(heard[1], heard[2])
    assert torch.equal(heard[1], heard[4])


@pytest.mark.parametrize("name", ["codes-8", "bam-w8"])
@pytest.mark.parametrize("compiled", [True, False])
def test_what_stays_gives_the_bits_that_the_exported_network_gives(
    compiled: bool, name: str, options: Options, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    best = AddsEngine().kind
    assert best != NUMPY
    if not compiled:
        monkeypatch.setattr("golden.experiment.settling.NUMPY", best)
    training = trained(options, tmp_path, name=name, epochs=1)
    training.keep(training.run_epoch(), 1.0)
    codes = training.valid_codes
    still, _ = Phase(first=0, epochs=1, distil=0.0, settles=True).parts(training.network)
    given = giver(training.network, still, codes)(codes)
    assert (given.dtype == torch.uint8) == compiled  # of the engine
    network = export(folded(training.network), codes[:1])
    for clip, bits in zip(codes, given, strict=True):
        exported = AddsEngine().predict(network, clip.numpy()).outputs["conv3"]
        assert torch.equal(bits.float(), torch.from_numpy(exported).float())
    assert torch.equal(given.float(), still(codes))


@pytest.mark.parametrize(("share", "far"), [(0.0, False), (1.0, True)])
def test_settling_has_a_teacher_of_its_own(
    share: float, far: bool, options: Options, tmp_path: Path,
) -> None:
    training = trained(options, tmp_path, epochs=1, distil=0.0, settle_distil=share)
    assert (training.run_epoch() > 1e4) == far


def test_only_networks_of_bits_settle(recipe: Recipe) -> None:
    for name in ("bam", "codes-8", "codes-4", "beta-2"):
        assert [each.settles for each in phases(recipe, variant(name))] == [False, True]
    for name in ("bam-w8", "maxima-codes", "dense-binary", "pow2-scales"):
        (alone,) = phases(recipe, variant(name))  # from the bits of bam
        assert (alone.first, alone.end, alone.settles) == (0, 1, True)
        cold = phases(replace(recipe, warm=False), variant(name))
        assert [each.settles for each in cold] == [False, True]
    for name in ("float", "a8w8"):
        assert [each.settles for each in phases(recipe, variant(name))] == [False]
    assert [each.end for each in phases(recipe, variant("bam"))] == [2, 3]
    assert len(phases(replace(recipe, settle=0), variant("bam"))) == 1


def test_bits_that_are_there_are_never_softened(options: Options, tmp_path: Path) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, sharpen=0.9, settle=3)
    task = Task(name="bam-w8", seed=1, recipe=recipe, data="", folder=tmp_path)
    with pytest.raises(ValueError, match="source of bam-w8 must be a network of bam, not None"):
        Training(task, train, train)
    training = Training(task, train, train, build(variant("bam")))
    assert {training.slope_at(step) for step in range(3 * training.steps)} == {None}
