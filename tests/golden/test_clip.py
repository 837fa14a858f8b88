"""A clip as windows of codes, and its score as their mean."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from golden import clip
from golden.naive import NaiveEngine
from golden.network import Network
from golden.random_networks import random_network, tiny_network


def deaf_network() -> Network:
    return random_network(np.random.default_rng(5))


def test_the_demo_clip_is_one_window_of_speech() -> None:
    samples, rate = soundfile.read(clip.DEMO)
    assert (rate, samples.shape) == (16000, (80000,))
    assert np.abs(samples).max() < 0.6
    assert (samples.reshape(-1, 320).std(axis=1) > 0).all()  # nowhere digital silence
    (window,) = clip.windows(tiny_network())
    assert window.start == 0.0
    assert window.codes.shape == (1, 16, 20)
    assert len(np.unique(window.codes)) > 20


def test_a_long_clip_gives_a_window_a_second(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.random.default_rng(0).normal(0, 0.1, 16000 * 7 + 100), 16000)
    assert [window.start for window in clip.windows(tiny_network(), path)] == [0.0, 1.0, 2.0]


def test_codes_from_a_file(tmp_path: Path) -> None:
    network = deaf_network()
    (drawn,) = clip.windows(network)
    np.save(tmp_path / "codes.npy", drawn.codes)
    (read,) = clip.windows(network, tmp_path / "codes.npy")
    assert np.array_equal(read.codes, drawn.codes)


def test_a_network_without_a_front_end_takes_no_audio() -> None:
    with pytest.raises(ValueError, match=r"demo.flac: must be codes \(.npy\)"):
        clip.windows(deaf_network(), clip.DEMO)


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"", ""), (b"nothing", ""), ("float", "codes must be a uint8 array"), ("shape", "shape")],
)
def test_bad_codes(content: bytes | str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "codes.npy"
    if content == "float":
        np.save(path, np.zeros(deaf_network().input_shape))
    elif content == "shape":
        np.save(path, np.zeros((1, 1, 1), np.uint8))
    else:
        path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=f"codes.npy: .*{rule}"):
        clip.windows(deaf_network(), path)


def test_the_score_is_the_mean_of_the_windows() -> None:
    network = tiny_network()
    rng = np.random.default_rng(1)
    cut = [
        clip.Window(start=float(i), codes=codes, origin="drawn")
        for i, codes in enumerate(rng.integers(0, 256, (2, 1, 16, 20), dtype=np.uint8))
    ]
    traces = [NaiveEngine().predict(network, window.codes) for window in cut]
    found = clip.score(network, [window.start for window in cut], traces)
    each = [network.scores(trace.raw) for trace in traces]
    assert found.cycles is None
    assert [window.raw for window in found.windows] == [t.raw.tolist() for t in traces]
    assert set(found.scores) == {"score", "noise"}
    assert found.scores["noise"] == pytest.approx((each[0]["noise"] + each[1]["noise"]) / 2)
    assert each[0]["noise"] != each[1]["noise"]
