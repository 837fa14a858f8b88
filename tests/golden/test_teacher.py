"""The teacher's label: its features, its cache, what it refuses; its scores where it is there."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from golden import dnsmos, teacher
from golden.front_end import codes

Samples = np.ndarray


def clip(seed: int, seconds: float = 5.0) -> Samples:
    rng = np.random.default_rng(seed)
    time = np.arange(round(16000 * seconds)) / 16000
    voice = np.sin(2 * np.pi * (150 + 40 * seed) * time) * (np.sin(2 * np.pi * 3 * time) > 0)
    return (0.1 * voice + 0.01 * rng.standard_normal(time.size)).astype(np.float32)


class Fake:
    """A model whose score is the mean of its features, in one place of its batch each."""

    def __init__(self) -> None:
        self.seen = 0

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="input")]

    def run(self, _: None, given: dict[str, Samples]) -> list[Samples]:
        batch = given["input"]
        assert batch.shape[1:] == (900, 120)
        assert batch.dtype == np.float32
        self.seen += len(batch)
        return [batch.mean((1, 2))[:, None]]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Fake:
    model = Fake()
    (tmp_path / "model.onnx").write_bytes(b"some model")
    monkeypatch.setattr(teacher, "session", lambda: model)
    monkeypatch.setattr(dnsmos, "model_path", lambda: tmp_path / "model.onnx")
    return model


def installed() -> None:
    pytest.importorskip("onnxruntime", reason="the extra teacher is not installed")
    pytest.importorskip("speechmos", reason="the extra teacher is not installed")


def test_features_are_those_of_speechmos() -> None:
    librosa = pytest.importorskip("librosa")
    samples = clip(1, 9.0)
    mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=321, hop_length=160, n_mels=120)
    expected = (librosa.power_to_db(mel, ref=np.max) + 40) / 40
    got = dnsmos.features(samples)
    assert got.shape == (900, 120)
    np.testing.assert_allclose(got, expected.T, atol=2e-5)


def test_features_of_silence_are_finite() -> None:
    assert (dnsmos.features(np.zeros(144000, np.float32)) == 1).all()


def test_codes_stand_for_the_features() -> None:
    samples = clip(2, 9.0)
    stands_for = (codes(samples, dnsmos.FRONT_END)[0].astype(float) - dnsmos.ZERO) / 128
    expected = dnsmos.features(samples).T
    assert np.abs(stands_for - np.minimum(expected, 127 / 128)).max() <= 0.5 / 128 + 1e-6


def test_a_short_clip_is_repeated_and_a_long_one_averaged(fake: Fake) -> None:
    short = clip(1, 2.0)
    expected = dnsmos.features(np.resize(short, 144000)).mean()
    assert teacher.mos(short) == pytest.approx(float(expected), abs=1e-6)
    assert fake.seen == 1
    long = clip(3, 20.5)
    each = [dnsmos.features(long[i * 16000 :][:144000]).mean() for i in range(12)]
    assert teacher.mos(long) == pytest.approx(float(np.mean(each)), abs=1e-6)
    assert fake.seen == 13


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.float32), np.zeros((2, 9), np.float32), np.full(16000, np.nan, np.float32)],
)
def test_what_is_no_clip_is_refused(samples: Samples, fake: Fake) -> None:
    with pytest.raises(ValueError, match="samples must be one channel of at least one, all finite"):
        teacher.mos(samples)


def test_no_clip_is_scored_twice(fake: Fake, tmp_path: Path) -> None:
    clips = [clip(seed, 1.0) for seed in range(20)]
    first = teacher.labels(iter(clips), cache=tmp_path / "kept")
    assert (first.shape, first.dtype) == ((20,), np.float32)
    assert len(set(first.tolist())) == 20
    assert fake.seen == 20
    np.testing.assert_array_equal(teacher.labels(clips[::-1], cache=tmp_path / "kept"), first[::-1])
    teacher.labels([clips[0], clip(50, 1.0), clips[0]], cache=tmp_path / "kept")
    assert fake.seen == 21
    np.testing.assert_allclose(teacher.labels(clips[:2]), first[:2], atol=1e-6)
    assert fake.seen == 23


def test_a_cut_line_is_scored_again_and_spoils_nothing(fake: Fake, tmp_path: Path) -> None:
    clips = [clip(seed, 1.0) for seed in range(3)]
    expected = teacher.labels(clips, cache=tmp_path)
    (path,) = tmp_path.glob("dnsmos-p808-*.csv")
    path.write_bytes(path.read_bytes()[:-4])
    np.testing.assert_array_equal(teacher.labels(clips, cache=tmp_path), expected)
    assert fake.seen == 4
    np.testing.assert_array_equal(teacher.labels(clips, cache=tmp_path), expected)
    assert fake.seen == 4


def test_an_interrupted_run_keeps_what_it_had(fake: Fake, tmp_path: Path) -> None:
    def interrupted() -> Iterator[teacher.Samples]:
        for seed in range(40):
            if seed == teacher.CLIPS + 3:
                raise KeyboardInterrupt
            yield clip(seed, 1.0)

    with pytest.raises(KeyboardInterrupt):
        teacher.labels(interrupted(), cache=tmp_path)
    teacher.labels([clip(seed, 1.0) for seed in range(teacher.CLIPS)], cache=tmp_path)
    assert fake.seen == teacher.CLIPS


def test_another_model_has_another_cache(fake: Fake, tmp_path: Path) -> None:
    teacher.labels([clip(1, 1.0)], cache=tmp_path / "kept")
    dnsmos.model_path().write_bytes(b"another")
    teacher.labels([clip(1, 1.0)], cache=tmp_path / "kept")
    assert fake.seen == 2


def test_too_few_processes_are_refused(fake: Fake) -> None:
    with pytest.raises(ValueError, match="processes must be at least 1, not 0"):
        teacher.labels([], processes=0)


def test_missing_packages_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    teacher.session.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"needs the package onnxruntime: .*'\.\[teacher\]'$"):
        teacher.session()
    monkeypatch.setattr(dnsmos.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ValueError, match=r"needs the package speechmos: .*'\.\[teacher\]'$"):
        dnsmos.model_path()


def test_processes_give_the_same_scores(tmp_path: Path) -> None:
    installed()
    clips = [clip(seed, 1.0) for seed in range(teacher.CLIPS + 2)]
    alone = [teacher.mos(one) for one in clips]
    got = teacher.labels(iter(clips), cache=tmp_path, processes=2)
    np.testing.assert_allclose(got, alone, atol=1e-6)
    assert 1 < min(alone) < max(alone) < 5
