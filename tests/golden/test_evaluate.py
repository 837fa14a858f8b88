"""Which output is held against which label, on a list of mixes."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from golden import mixing, teacher, testlist
from golden.evaluate import evaluate
from golden.experiment import lists
from golden.experiment.scene import Scene
from golden.random_networks import tiny_network


@pytest.fixture
def mixes(recordings_folder: Path, tmp_path: Path) -> tuple[testlist.TestMix, ...]:
    path = tmp_path / "list.csv"
    testlist.make(recordings_folder, path, 3, lambda clean, noisy: float(noisy.std()))
    return testlist.read(path)


def test_each_label_takes_its_own_output(
    mixes: tuple[testlist.TestMix, ...], recordings_folder: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def labels(clips: Iterable[mixing.Samples], **_: object) -> np.ndarray:
        assert [clip.shape for clip in clips] == [(80000,)] * 3
        return np.array([1.5, 2.5, 4.0], np.float32)

    monkeypatch.setattr(teacher, "labels", labels)
    network = tiny_network()
    *layers, last = network.layers
    # One unit of each output is one of its label, the second far away.
    end = replace(network.raw, scale=np.ones(2), offset=np.array([0, 1e7]))

    def named(*names: str) -> object:
        return replace(network, layers=(*layers, replace(last, end=replace(end, names=names))))

    found = {
        (names, label): evaluate(named(*names), mixes, recordings_folder, label=label)
        for names in (("dnsmos", "pesq"), ("pesq", "dnsmos"))
        for label in ("pesq", "dnsmos")
    }
    for (names, label), one in found.items():
        assert (one.mse > 1e12) == (names.index(label) == 1)
    with pytest.raises(ValueError, match="must have an output dnsmos, not only score, noise"):
        evaluate(network, mixes, recordings_folder, label="dnsmos")
    with pytest.raises(ValueError, match="outputs must be some of pesq, dnsmos"):
        evaluate(network, mixes, recordings_folder, label="mos")


def test_scenes_of_the_experiment_are_heard_as_rendered(
    recordings_folder: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    scenes = [
        lists.TestScene(scene=Scene(speech=("speech/s0.flac", 0), level_db=level), pesq=pesq)
        for level, pesq in ((-20.0, 1.5), (-30.0, 2.5), (-25.0, 4.0))
    ]
    seen: list[float] = []

    def loud(clips: Iterable[mixing.Samples], **_: object) -> NDArray[np.float32]:
        seen.extend(10 * np.log10(mixing.power(clip)) for clip in clips)
        return np.array([1.0, 2.0, 3.0], np.float32)

    monkeypatch.setattr(teacher, "labels", loud)
    network = tiny_network()
    *layers, last = network.layers
    end = replace(network.raw, names=("dnsmos", "pesq"))
    network = replace(network, layers=(*layers, replace(last, end=end)))
    assert evaluate(network, scenes, recordings_folder, label="dnsmos").n == 3
    np.testing.assert_allclose(seen, [-20, -30, -25], atol=0.1)
    assert evaluate(network, scenes, recordings_folder).n == 3
