"""Training: labels on disk, batches, resuming, and the network file that comes out."""

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from rich.console import Console

from golden import batches, checkpoint, evaluate, labels, mixing, netfile, testlist, train
from golden import front_end as ears
from golden.torch_engine import TorchEngine
from golden.train import Training
from golden.train_options import TrainOptions

SHARD = 4


def loudness(clean: mixing.Samples, noisy: mixing.Samples) -> float:
    """Stand in for PESQ: something that a spectrogram shows."""
    return 1.0 + 3.0 * float(np.square(clean).sum() / np.square(noisy).sum())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Label without PESQ, in shards of a size for tests."""
    monkeypatch.setattr(labels, "label", loudness)
    monkeypatch.setattr(labels, "SHARD", SHARD)
    monkeypatch.setattr(train, "VALID_MIXES", 2 * SHARD)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mixes")


@pytest.fixture
def options(recordings_folder: Path, tmp_path: Path, cache: Path) -> TrainOptions:
    return TrainOptions(
        data=recordings_folder, out=tmp_path, cache=cache, mixes=12, epochs=2, batch=4,
        threads=1, processes=1,
    )


def history(out: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (out / train.HISTORY).read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


def test_shards_depend_on_seed_and_number_alone(options: TrainOptions, tmp_path: Path) -> None:
    def shard(folder: str, seed: int, number: int) -> NDArray[np.float16]:
        sides = labels.data.split(labels.data.read_manifest(options.data))
        path = labels.make_shard(
            options.data, tmp_path / folder, sides["train"], "train", seed, number,
        )
        mels, targets = labels.read_shard(path)
        assert mels.shape == (SHARD, 120, 249)
        assert targets.shape == (SHARD,)
        return mels

    first = shard("a", 1, 1)
    np.testing.assert_array_equal(first, shard("b", 1, 1))
    assert not np.array_equal(first, shard("b", 1, 2))
    assert not np.array_equal(first, shard("b", 2, 1))
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_stopped_labeller_leaves_the_rest(options: TrainOptions, tmp_path: Path) -> None:
    labeller = labels.Labeller(options.data, tmp_path, {"train": 400}, 1, 1)
    labeller.start()
    (thread,) = (t for t in threading.enumerate() if t.name == "labeller")
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.npz")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    labeller.stop()
    thread.join(timeout=60)
    assert not thread.is_alive()
    labeller.check()
    assert 1 <= len(list(tmp_path.rglob("*.npz"))) < 400 // SHARD


def test_what_fails_in_the_background_is_raised(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "train-1").write_text("where a folder must be")
    labeller = labels.Labeller(options.data, tmp_path, {"train": SHARD}, 1, 1)
    labeller.start()
    (thread,) = (t for t in threading.enumerate() if t.name == "labeller")
    thread.join(timeout=60)
    with pytest.raises(OSError, match="train-1"):
        labeller.check()


def test_a_changed_level_is_that_of_the_changed_samples() -> None:
    front_end = labels.unstandardised()
    rng = np.random.default_rng(0)
    samples = (1e-3 * rng.standard_normal(6400)).astype(np.float32)
    mel = torch.from_numpy(ears.log_mel(samples, front_end))[None]
    for gain_db in (-40.0, 7.0):
        louder = samples * np.float32(10 ** (gain_db / 20))
        got = batches.change_level(mel, torch.tensor([gain_db]), front_end.floor)[0]
        np.testing.assert_allclose(got, ears.log_mel(louder, front_end), atol=2e-3)


def test_codes_of_a_batch_are_the_front_ends() -> None:
    rng = np.random.default_rng(0)
    samples = (0.1 * rng.standard_normal(80000)).astype(np.float32)
    mean = rng.uniform(-4, 0, 120).astype(np.float32)
    front_end = ears.standardised(mean, np.full(120, 2.0, np.float32))
    mel = torch.from_numpy(ears.log_mel(samples, front_end))[None]
    got = batches.to_codes(mel, front_end)[0].numpy()
    np.testing.assert_array_equal(got, ears.codes(samples, front_end))


def test_augmenting_rotates_and_changes_the_level_only() -> None:
    mel = torch.randn(3, 120, 249)
    got = batches.augment(mel, 1e-9, np.random.default_rng(1))
    for before, after in zip(mel, got, strict=True):
        level = float(after.mean() - before.mean())
        rotated = torch.stack([before.roll(i, 1) for i in range(249)])
        shifts = ((after - level - rotated).abs().amax((1, 2)) < 1e-3).nonzero()
        assert len(shifts) == 1


def test_training_gives_a_network_that_equals_its_floats(options: TrainOptions) -> None:
    path = train.train(options)
    assert path == options.out / train.NETWORK
    network = netfile.load(path)
    assert [layer.name for layer in network.layers][:4] == ["conv1", "conv2", "conv3", "conv4"]
    assert network.raw.names == ("pesq",)
    assert network.front_end is not None
    module, front_end = checkpoint.load_best(options.out / train.BEST)
    np.testing.assert_array_equal(front_end.step, network.front_end.step)
    rng = np.random.default_rng(4)
    for _ in range(3):
        codes = rng.integers(256, size=(1, 120, 249), dtype=np.uint8)
        (score,) = network.scores(TorchEngine().predict(network, codes).raw).values()
        (float_score,) = checkpoint.predict(module, torch.from_numpy(codes)[None])
        assert float_score == pytest.approx(score, rel=1e-5)
    assert len(history(options.out)) == options.epochs
    assert not list(options.out.rglob("*.tmp"))


def test_an_interrupted_training_goes_on_to_the_same_end(
    options: TrainOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = replace(options, out=tmp_path / "whole")
    halves = replace(options, out=tmp_path / "halves")
    train.train(whole)
    keep = Training.keep

    def interrupted(self: Training, loss: float, seconds: float) -> None:
        keep(self, loss, seconds)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Training, "keep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train.train(halves)
    train.train(halves)
    assert history(halves.out) == history(whole.out)
    one, other = (
        torch.load(out / train.CHECKPOINT, weights_only=True)["weights"]
        for out in (whole.out, halves.out)
    )
    for name, values in one.items():
        assert torch.equal(values, other[name]), name


def test_a_checkpoint_of_other_options_is_refused(options: TrainOptions) -> None:
    train.train(replace(options, epochs=1))
    with pytest.raises(ValueError, match="is of other options"):
        train.train(options)
    train.train(replace(options, resume=False))


def test_a_float_training_warms_and_teaches_a_binary_one(options: TrainOptions) -> None:
    first = replace(options, variant="float", epochs=1, out=options.out / "float")
    best = train.train(first)
    assert best == first.out / train.BEST
    second = replace(options, warm=best, teacher=best, out=options.out / "bam")
    training = Training(second, Console(quiet=True))
    training.label_mixes()
    training.start()
    floats = checkpoint.load_best(best)[0].state_dict()
    taken = training.network.state_dict()["conv1.weight"].flatten(1)
    # Preparing scales a kernel by a number per output, and does nothing else to it.
    ratio = taken / floats["conv1.weight"].flatten(1)
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio), rtol=1e-3)
    assert train.train(second).is_file()


def test_the_learning_rate_rises_and_falls(options: TrainOptions) -> None:
    training = Training(replace(options, epochs=20, rate=0.5), Console(quiet=True))
    rates = [training.rate_at(step) for step in range(60)]
    peak = int(np.argmax(rates))
    assert rates[peak] == 0.5
    assert rates == sorted(rates[: peak + 1]) + sorted(rates[peak + 1 :], reverse=True)
    assert rates[-1] < 0.01


def test_without_pesq_the_extra_is_named(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(ValueError, match=r"need the package pesq.*\.\[train\]"):
        train.train(replace(options, cache=tmp_path / "new", mixes=64))


def test_pesq_hears_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pesq")
    monkeypatch.undo()
    clean, noisy = labels.probe()
    assert labels.label(clean, clean) > 4.5
    assert 1.0 <= labels.label(clean, noisy) < 4.0
    with pytest.raises(mixing.SilentMixError, match="PESQ must find speech"):
        labels.label(np.zeros_like(clean), noisy)


def test_options_list_every_broken_rule(tmp_path: Path) -> None:
    broken: dict[str, Any] = {
        "mixes": 0, "epochs": 0, "batch": 1, "seed": -1, "threads": -1, "processes": 0,
        "beta": -1.0, "rate": 0.0, "variant": "bam9", "device": "abacus",
    }
    with pytest.raises(ValueError, match="training: ") as caught:
        TrainOptions(data=tmp_path, out=tmp_path, **broken)
    for name in ("mixes", "epochs", "batch", "seed", "threads", "processes", "beta"):
        assert f"{name} must be at least" in str(caught.value)
    for rule in ("variant must be one of", "rate must be positive", "device must be cpu or cuda"):
        assert rule in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no checkpoint", b"PK\x03\x04"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "best.pt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match=r"best\.pt: ") as caught:
        checkpoint.load_best(path)
    assert "\n" not in str(caught.value)


def test_evaluating_on_a_made_list(options: TrainOptions, tmp_path: Path) -> None:
    network = netfile.load(train.train(options))
    testlist.make(options.data, tmp_path / "list.csv", 6, loudness)
    mixes = testlist.read(tmp_path / "list.csv")
    best = options.out / train.BEST
    got = evaluate.evaluate(network, mixes, options.data, checkpoint=best)
    assert got.n == 6
    assert [layer.name for layer in got.layers] == [layer.name for layer in network.layers]
    assert sum(layer.mismatches for layer in got.layers) == 0
    floats = evaluate.evaluate_checkpoint(best, mixes, options.data)
    assert floats.mse == pytest.approx(got.mse, rel=1e-4)
    assert json.loads(json.dumps(got.as_dict()))["pcc"] == got.pcc
    with pytest.raises(ValueError, match="must have a front-end"):
        evaluate.evaluate(replace(network, front_end=None), mixes, options.data)
