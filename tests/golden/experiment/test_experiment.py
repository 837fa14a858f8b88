"""The experiment: results as agreed, the same again, also where it was stopped or shared."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from golden import netfile, teacher
from golden.experiment import clips as batches
from golden.experiment import lists, reading, store
from golden.experiment.clips import Clips, Draws
from golden.experiment.experiment import Options, run
from golden.experiment.recipe import Recipe
from golden.experiment.task import Task
from golden.experiment.training import Training
from golden.experiment.variants import build, variant
from golden.experiment.workers import Workers

ROOT = Path(__file__).parents[3]


def results(out: Path) -> dict[str, Any]:
    found = {}
    for path in sorted((out / "results").rglob("*.json")):
        values = json.loads(path.read_text())
        values.pop("seconds", None)
        found[path.name] = values
    return found


def test_from_folders_to_results(options: Options) -> None:
    said: list[str] = []
    paths = run(options, said.append)
    folder = options.out / "results"
    assert [path.name for path in paths] == ["float-1.json", "bam-w8-1.json"]
    assert any("files skipped; draws that failed" in line for line in said)
    assert any(line.startswith("bam-1 · epoch 3 · train_loss") for line in said)
    assert any(line.startswith("bam-w8-1 · epoch 1 · train_loss") for line in said)
    test = json.loads((folder / "test.json").read_text())
    assert set(test) == {"schema", "data", "sets"}
    assert {name: len(rows) for name, rows in test["sets"].items()} == {
        "known": 4, "unseen_kinds": 4,
    }
    for row in test["sets"]["known"]:
        assert set(row) == {"id", "recipe", "kind", "pesq", "teacher"}
    for path in paths:
        result = json.loads(path.read_text())
        assert set(result) == {
            "schema", "variant", "seed", "source", "recipe", "data", "epochs", "seconds", "device",
            "threads", "tools", "history", "sets", "predictions", "ones", "integer", "weights",
        }
        assert result["data"] == test["data"]
        assert result["source"] == {"float": None, "bam-w8": "bam"}[result["variant"]]
        epochs = 2 if result["variant"] == "float" else 1  # on the bits of bam
        assert result["epochs"] == len(result["history"]) == epochs
        assert result["recipe"]["rate"] == 1e-3
        for name, rows in test["sets"].items():
            labels = np.array([row["pesq"] for row in rows])
            guess = np.array(result["predictions"][name])
            assert set(result["sets"][name]) == {"n", "mse", "pcc", "srcc"}
            assert result["sets"][name]["mse"] == pytest.approx(
                float(np.mean((labels - guess) ** 2)), abs=1e-3,
            )
        assert (folder / "runs" / result["weights"]).is_file()
    bits = json.loads((folder / "runs/bam-w8-1.json").read_text())
    assert bits["integer"]["known"]["mse"] == pytest.approx(bits["sets"]["known"]["mse"], rel=1e-4)
    assert bits["integer"]["differing"] == {
        "clips": 4, "elements": 4 * 312673, "mismatches": 0,
    }
    network = netfile.load(folder / "runs/bam-w8-1.npz")
    assert network.raw.names == ("pesq",)
    assert network.front_end is not None
    with np.load(folder / "runs/float-1.npz", allow_pickle=False) as weights:
        assert weights["conv1.weight"].shape == (32, 1, 3, 3)
        np.testing.assert_array_equal(weights["front_end_step"], network.front_end.step)
    assert not list(options.out.rglob("*.tmp"))


def test_two_outputs_go_all_the_way(
    options: Options, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(clip: NDArray[np.float32]) -> float:
        return 1.0 + float(np.abs(clip).mean())

    monkeypatch.setattr(teacher, "require", lambda: Path())
    monkeypatch.setattr(teacher, "mos", half)
    both = replace(recipe, outputs=("pesq", "dnsmos"))
    every = ("float", "bam", "bam-w8")
    run(replace(options, recipe=both, cache=tmp_path / "clips", variants=every))
    found = reading.load(options.out / "results")
    assert set(found.sets) == {
        "known", "unseen_kinds", "known:teacher", "unseen_kinds:teacher",
    }
    for one in found.runs:
        assert set(one.predictions) == set(found.sets)
        assert not np.array_equal(one.predictions["known"], one.predictions["known:teacher"])
    bits = found.of("bam-w8")[0]
    assert [line.epoch for line in bits.chosen] == [1]
    assert [line.epoch for line in found.of("bam")[0].chosen] == [3]  # where it settled
    assert [line.epoch for line in found.of("float")[0].chosen] == [1, 2]
    assert bits.integer is not None
    assert set(bits.integer.metrics) == set(found.sets)
    assert bits.integer.mismatches == 0
    for name, metrics in bits.integer.metrics.items():
        assert metrics.mse == pytest.approx(bits.metrics[name].mse, rel=1e-4)
    network = netfile.load(options.out / "results/runs/bam-w8-1.npz")
    assert network.raw.names == ("pesq", "dnsmos")
    before = results(options.out)
    with pytest.raises(ValueError, match=r"test\.json: must be of the same clips and labels"):
        run(replace(options, cache=tmp_path / "clips"))
    assert results(options.out) == before
    with pytest.raises(ValueError, match="outputs must be some of pesq, dnsmos, each once"):
        replace(recipe, outputs=("pesq", "mos"))


def test_the_same_again_and_where_it_was_stopped(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = replace(options, recipe=replace(options.recipe, settle=2))
    run(replace(options, out=tmp_path / "whole"))
    keep = Training.keep

    def interrupted(self: Training, loss: float, seconds: float) -> dict[str, float]:
        keep(self, loss, seconds)
        raise KeyboardInterrupt

    halves = replace(options, out=tmp_path / "halves")
    for _ in range(8):  # after every epoch: of float, bam and bam-w8, and where they settle
        with monkeypatch.context() as patch:
            patch.setattr(Training, "keep", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run(halves)
    run(halves)
    assert results(halves.out) == results(tmp_path / "whole")
    for path in sorted((tmp_path / "whole/results").rglob("*.npz")):
        other = tmp_path / "halves/results/runs" / path.name
        with np.load(path) as one, np.load(other) as two:
            assert all(np.array_equal(one[name], two[name]) for name in one.files)
    before = results(halves.out)
    monkeypatch.setattr(Training, "run_epoch", None)
    run(halves)
    assert results(halves.out) == before
    with pytest.raises(ValueError, match="must be of the same recipe and data, not of others"):
        run(replace(halves, recipe=replace(options.recipe, rate=0.1)))


def test_one_float_network_serves_recipes_of_other_bits(
    options: Options, monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(replace(options, variants=("float",)))
    before = results(options.out)
    epochs: list[str] = []
    run_epoch = Training.run_epoch

    def watched(self: Training) -> float:
        epochs.append(self.task.name)
        return run_epoch(self)

    monkeypatch.setattr(Training, "run_epoch", watched)
    bits = replace(options.recipe, distil=0.2, firing=0.3, beta=2.0, settle=0)
    run(replace(options, recipe=bits))
    assert epochs == ["bam", "bam", "bam-w8", "bam-w8"]
    (path,) = run(replace(options, variants=("float",), first_seed=2))
    assert path.name == "float-2.json"
    after = results(options.out)
    assert after["float-1.json"] == before["float-1.json"]
    assert after["bam-w8-1.json"]["recipe"] == bits.as_dict()
    assert after["float-1.json"]["recipe"] == bits.of_floats().as_dict() != bits.as_dict()


def test_what_others_start_from_is_read_from_the_results(
    options: Options, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    run(replace(options, variants=("float", "bam", "bam-w8"), out=tmp_path / "one"))
    run(replace(options, variants=("float", "bam")))
    shutil.rmtree(options.out / "work")
    runs = options.out / "results/runs"
    epochs: list[str] = []
    run_epoch = Training.run_epoch

    def watched(self: Training) -> float:
        epochs.append(self.task.name)
        return run_epoch(self)

    monkeypatch.setattr(Training, "run_epoch", watched)
    run(replace(options, variants=("bam-w8",)))
    assert epochs == ["bam-w8"]
    assert results(options.out)["bam-w8-1.json"] == results(tmp_path / "one")["bam-w8-1.json"]
    other = tmp_path / "one/results/runs/bam-w8-1.npz"
    assert (runs / "bam-w8-1.npz").read_bytes() == other.read_bytes()
    whole = (runs / "bam-1.npz").read_bytes()
    for broken in (b"", whole[:500], (runs / "bam-w8-1.npz").read_bytes()):
        (runs / "bam-w8-1.json").unlink(missing_ok=True)
        (runs / "bam-1.npz").write_bytes(broken)
        with pytest.raises(ValueError, match=r"bam-1\.npz: must hold the weights of its run"):
            run(replace(options, variants=("bam-w8",)))
        shutil.rmtree(options.out / "work", ignore_errors=True)


@pytest.mark.parametrize(("distil", "settle_distil"), [(0.0, 1.0), (0.5, 0.0), (0.0, 0.0)])
def test_a_teacher_is_asked_where_a_phase_wants_it(
    distil: float, settle_distil: float, options: Options, monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    run_epoch = Training.run_epoch

    def watched(self: Training) -> float:
        if self.task.name != "float":
            asked.append(not torch.equal(self.taught, self.train.targets))
        return run_epoch(self)

    monkeypatch.setattr(Training, "run_epoch", watched)
    run(replace(options, recipe=replace(
        options.recipe, distil=distil, settle_distil=settle_distil, warm=False,
    )))
    assert asked == [bool(distil or settle_distil)] * 3


def test_a_checkpoint_of_another_recipe_or_none_is_refused(options: Options) -> None:
    run(replace(options, variants=("float",)))
    (options.out / "results/runs/float-1.json").unlink()
    with pytest.raises(ValueError, match=r"float-1\.pt: must be of the same recipe"):
        run(replace(options, recipe=replace(options.recipe, decay=0.1)))
    (options.out / "work/float-1.pt").write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"float-1\.pt: must be a checkpoint of a training"):
        run(options)


def test_a_committed_list_is_the_test_where_its_files_are(
    options: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    only_labels = replace(options, labels_only=True, cache=tmp_path / "first")
    assert run(only_labels) == []
    counts: dict[store.Split, int] = {"known": 3, "unseen_kinds": 2}
    lists.write(tmp_path / "first", counts, tmp_path / "list.jsonl")
    monkeypatch.setattr("golden.experiment.lists.TEST_LIST", tmp_path / "list.jsonl")
    run(replace(only_labels, cache=tmp_path / "second"))
    one, other = (store.Store(tmp_path / name, "known") for name in ("first", "second"))
    assert other.available() == 3
    assert [row.scene for row in other.rows(3)] == [row.scene for row in one.rows(3)]
    text = (tmp_path / "list.jsonl").read_text().replace("speech/s", "speech/t")
    (tmp_path / "list.jsonl").write_text(text)
    run(replace(only_labels, cache=tmp_path / "third"))
    assert store.Store(tmp_path / "third", "known").available() == 4


def two_processes(options: Options, out: Path) -> None:
    """Run float, and bits from it, in two processes, as `torchrun` would."""
    code = (
        "import json, sys; from pathlib import Path; from dataclasses import replace\n"
        "from golden.experiment import recipe, store, labelling, manifests\n"
        "recipe.LEAST_CLIPS = 4; store.SHARD = labelling.SHARD = manifests.SHARD = 4\n"
        "from golden.experiment import experiment, lists; lists.TEST_LIST = Path('none')\n"
        "values = json.loads(sys.argv[1])\n"
        "made = recipe.Recipe(**values.pop('recipe'))\n"
        "paths = {name: Path(values.pop(name)) for name in ('data', 'out', 'cache')}\n"
        "experiment.run(experiment.Options(**paths, **values, recipe=made))\n"
    )
    values = {
        "recipe": {"clips": 8, "epochs": 2, "batch": 4, "rate": 1e-3, "levels": [-35.0, -15.0],
                   "half": False, "norm": False},
        "data": str(options.data), "out": str(out), "cache": str(options.clips), "seeds": 1,
        "threads": 1, "valid": 4, "known": 4, "unseen_kinds": 4,
        "variants": ["float", "bam-w8"],
    }
    env = os.environ | {
        "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29517",
        "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, json.dumps(values)],
            env=env | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, cwd=ROOT,
            stderr=subprocess.PIPE, text=True,
        )
        for rank in range(2)
    ]
    for process in both:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors


def test_two_processes_train_as_one(options: Options, tmp_path: Path) -> None:
    # Roundings of bfloat16 depend on the batch, and so do batch norms.
    recipe = replace(options.recipe, half=False, norm=False)
    one = replace(options, out=tmp_path / "one", variants=("float",), recipe=recipe)
    run(one)
    two_processes(options, tmp_path / "two")
    (alone, together) = (
        json.loads((folder / "results/runs/float-1.json").read_text())
        for folder in (one.out, tmp_path / "two")
    )
    assert together["threads"] == 2
    for a, b in zip(alone["history"], together["history"], strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], rel=1e-3)
        assert b["valid_mse"] == pytest.approx(a["valid_mse"], rel=1e-3)
    assert together["predictions"]["known"] == pytest.approx(
        alone["predictions"]["known"], abs=2e-3,
    )
    bits = json.loads((tmp_path / "two/results/runs/bam-w8-1.json").read_text())
    assert (bits["source"], bits["epochs"], bits["threads"]) == ("bam", 8, 2)
    assert bits["integer"]["differing"]["mismatches"] == 0


def test_the_rate_rises_and_falls_and_bits_sharpen(options: Options, tmp_path: Path) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, epochs=30, warm_up=0.2, sharpen=0.5, slope=8.0)
    training = Training(Task(name="bam", seed=1, recipe=recipe, data="", folder=tmp_path),
                        train, train)
    rates = [training.rate_at(step) for step in range(60)]
    peak = int(np.argmax(rates))
    assert rates[peak] == recipe.rate
    assert peak in (11, 12)
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert rates[-1] < 0.01 * recipe.rate
    slopes = [training.slope_at(step) for step in range(60)]
    assert slopes[0] == 1.0
    assert slopes[30:] == [None] * 30
    soft = [slope for slope in slopes if slope is not None]
    assert soft == sorted(soft)
    assert 7 < soft[-1] < 8


def test_each_means_of_the_recipe_changes_the_training(options: Options, tmp_path: Path) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    losses = {}
    changes: tuple[dict[str, Any], ...] = (
        {}, {"dropout": 0.3}, {"beta": 9.0}, {"firing": 0.2}, {"sharpen": 0.9}, {"decay": 0.5},
        {"rotate": False}, {"levels": (-60.0, -50.0)},
        {"half": False}, {"norm": False}, {"bare_rate": 1.0}, {"seen": 2},
    )
    for change in changes:
        recipe = replace(options.recipe, epochs=1, **change)
        task = Task(name="bam", seed=1, recipe=recipe, data="", folder=tmp_path)
        training = Training(task, train, train)
        loss = training.run_epoch()
        losses[str(change)] = (loss, training.network.state_dict()["dense1.weight"].sum())
    assert len(set(map(str, losses.values()))) == len(losses)


@pytest.mark.parametrize(
    ("name", "shares"), [
        ("float", {1.0, 0.3}), ("codes-8", {1.0, 0.3}), ("bam-w8", {1.0, 0.3}),
        ("maxima-codes", {0.3}), ("a8w8", {0.07}),
    ],
)
def test_layers_without_norms_have_rates_of_their_own(
    name: str, shares: set[float], options: Options, tmp_path: Path,
) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, bare_rate=0.3, codes_rate=0.07)
    task = Task(name=name, seed=1, recipe=recipe, data="", folder=tmp_path)
    source = build(variant("bam")) if task.source == "bam" else None
    training = Training(task, train, train, source)
    training.run_epoch()
    last = training.rate_at(training.steps - 1)
    assert {group["lr"] for group in training.optimiser.param_groups} == {
        share * last for share in shares
    }
    norms = [
        each for group in training.optimiser.param_groups if group["share"] == 1.0
        for each in group["params"]
    ]
    bare = ["dense1"] + ["conv4"] * (name in ("maxima-codes", "a8w8"))
    bare += ["conv1"] * (name in ("bam-w8", "maxima-codes"))  # it stays as bam has it
    for layer in ("conv1", "conv4", "dense1"):
        weight = training.network.get_submodule(layer).weight
        fast = any(each is weight for each in norms)
        assert fast == (layer not in bare and name != "a8w8")


def test_a_running_mean_of_the_weights_is_what_is_evaluated(
    options: Options, tmp_path: Path,
) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    recipe = replace(options.recipe, average=0.9)
    training = Training(Task(name="bam", seed=1, recipe=recipe, data="", folder=tmp_path),
                        train, train)
    best = training.run()
    assert not torch.equal(best.get_submodule("dense2").weight,
                           training.network.get_submodule("dense2").weight)
    assert torch.equal(best.get_submodule("dense2").weight,
                       training.best_weights["dense2.weight"])
    seen = [net.get_submodule("norm4").running_var for net in (training.mean, training.network)]
    assert not torch.equal(*seen)


def test_processes_agree_on_what_norms_have_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    norm = torch.nn.BatchNorm2d(3)
    assert norm.running_mean is not None
    norm.running_mean.fill_(4.0)
    monkeypatch.setattr(Workers, "total", lambda self, tensor: tensor.add_(2.0))  # the other one's
    Workers(rank=0, size=2).agree(norm)
    assert norm.running_mean.tolist() == [3.0] * 3
    assert norm.num_batches_tracked == 0
    Workers().agree(norm)
    assert norm.running_mean.tolist() == [3.0] * 3


def test_draws_are_the_same_in_any_share(options: Options) -> None:
    run(replace(options, labels_only=True))
    train = batches.load(options.clips, "train", 8, torch.device("cpu"))
    heard = batches.front_end(train, 8)
    draws = Draws.of(8, options.recipe, 1, 0, torch.device("cpu"))
    whole, _ = draws.batch(train, heard, 8, slice(0, 8))
    for rank in range(2):
        part, index = draws.batch(train, heard, 8, slice(rank, 8, 2))
        assert torch.equal(part, whole[rank::2])
        assert torch.equal(index, draws.order[rank::2])
    assert sorted(draws.order.tolist()) == list(range(8))
    assert not torch.equal(
        draws.order, Draws.of(8, options.recipe, 1, 1, torch.device("cpu")).order,
    )


def test_shifting_rotates_frames() -> None:
    features = torch.arange(2 * 3 * 5).reshape(2, 3, 5).float()
    clips = Clips(features=features, targets=torch.zeros(2, 1), rows=[])
    got = clips.log_mel(torch.tensor([1, 0]), torch.tensor([2, 0]))
    assert torch.equal(got[0], features[1].roll(2, 1))
    assert torch.equal(got[1], features[0])


def test_codes_of_the_test_are_those_of_the_front_end(options: Options) -> None:
    from golden import front_end as ears
    from golden.experiment.render import render

    run(replace(options, labels_only=True))
    host = torch.device("cpu")
    heard = batches.front_end(batches.load(options.clips, "train", 8, host), 8)
    known = batches.load(options.clips, "known", 4, host)
    codes = known.codes(heard, 8)
    for row, got in zip(known.rows, codes, strict=True):
        clip = render(options.data, row.scene)[1]
        np.testing.assert_array_equal(got.numpy(), ears.codes(clip, heard, 8))


def test_options_and_recipes_list_every_broken_rule(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="experiment: ") as caught:
        Options(
            data=tmp_path, out=tmp_path, variants=("bam9", "bam"), seeds=0, threads=-1,
            processes=0, valid=1, known=1, unseen_kinds=1,
        )
    for name in ("seeds", "threads", "processes", "valid", "known", "unseen_kinds"):
        assert f"{name} must be at least" in str(caught.value)
    assert "variant must be one of" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="recipe: ") as caught:
        Recipe(
            clips=1, epochs=0, batch=True, rate=0.0, warm_up=1.0, beta=-1.0, dropout=1.0,
            firing=0.0, sharpen=1.0, slope=0.0, distil=2.0, levels=(0.0, -1.0), decay=-1.0,
            average=1.0, bare_rate=0.0, codes_rate=0.0, settle=-1, settle_distil=1.5,
            anew=-1, seen=1,
        )
    for name in (
        "clips", "epochs", "batch", "rate", "warm_up", "beta", "dropout", "firing", "sharpen",
        "slope", "distil", "levels", "decay", "average", "bare_rate", "codes_rate",
        "settle", "settle_distil", "anew", "seen",
    ):
        assert f"{name} must " in str(caught.value)


def test_a_device_that_is_not_there_is_refused(options: Options) -> None:
    with pytest.raises(ValueError, match="device must be cpu or cuda, not 'abacus'"):
        run(replace(options, device="abacus"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device must be cpu where torch finds no GPU"):
            run(replace(options, device="cuda"))


def test_a_full_disk_keeps_the_last_checkpoint(
    options: Options, monkeypatch: pytest.MonkeyPatch,
) -> None:
    once = replace(options, variants=("float",))
    written = 0
    write_bytes = Path.write_bytes

    def nearly_full(self: Path, data: bytes) -> int:
        nonlocal written
        if ".pt" in self.name:
            written += 1
            if written == 2:
                write_bytes(self, data[:100])
                raise OSError(28, "No space left on device", str(self))
        return write_bytes(self, data)

    run(replace(options, labels_only=True))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", nearly_full)
        with pytest.raises(OSError, match="No space left"):
            run(once)
    assert [p.name for p in (options.out / "work").iterdir()] == ["float-1.pt"]
    run(once)
    whole = replace(once, out=options.out.parent / "whole")
    run(whole)
    assert results(once.out) == results(whole.out)


def test_one_process_alone_needs_no_others() -> None:
    workers = Workers()
    assert workers.first
    assert workers.share({1: 2}) == {1: 2}
    value = torch.ones(2)
    assert torch.equal(workers.total(value), torch.ones(2))
