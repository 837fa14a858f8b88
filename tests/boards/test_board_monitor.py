"""Endless audio on a virtual board: the bits of torch, until the cable goes."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import repeat

import numpy as np
import pytest
import soundfile

import bambino
from boards import icebreaker, known
from boards.link.engine import BoardFollower, Target, connected
from boards.link.host import LinkError
from boards.virtual.terminal import Terminal
from golden.clip import SHIPPED
from golden.monitor import endless
from golden.random_networks import tiny_network
from golden.torch_engine import TorchEngine
from golden.torch_monitor import TorchFollower
from hw.presets import PRESETS

pytestmark = pytest.mark.cosim

TINY = replace(
    icebreaker.BOARD, name="small-one", baud=3_000_000, config=PRESETS["tiny"],
)


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setitem(known.BOARDS, TINY.name, TINY)


@pytest.fixture(scope="module")
def terminal():
    with Terminal(TINY) as switched_on:
        yield switched_on


@pytest.fixture
def target(terminal):
    return Target(port=terminal.path, board=TINY)


@pytest.fixture(scope="module")
def codes():
    return np.random.default_rng(3).integers(256, size=(1, 16, 46 + 4 * 16), dtype=np.uint8)


def pieces(codes: np.ndarray, longest: int) -> Iterator[np.ndarray]:
    rng, at = np.random.default_rng(longest), 0
    while at < codes.shape[2]:
        end = at + int(rng.integers(0, longest + 1))
        yield codes[:, :, at:end]
        at = end


@pytest.mark.parametrize("longest", [1, 7, 200])
def test_scores_are_those_of_torch(longest, target, codes):
    it = endless(tiny_network())
    want = list(TorchFollower().follow(it, [codes]))
    got = list(BoardFollower(target).follow(it, pieces(codes, longest)))
    assert len(got) == 5
    np.testing.assert_array_equal(got, want)


def test_clips_and_streams_take_turns(target, codes):
    """A stream that is given up in mid-period leaves nothing behind."""
    network = tiny_network()
    it = endless(network)
    want = list(TorchFollower().follow(it, [codes]))
    clip = codes[:, :, :20]
    right = TorchEngine().predict(network, clip).raw
    for _ in range(2):
        with connected(target) as board:
            np.testing.assert_array_equal(board.predict(network, clip).raw, right)
            follow = board.follow(it, pieces(codes, 5))
            np.testing.assert_array_equal(next(follow), want[0])
            follow.close()


def test_the_command_line(tmp_path, capsys):
    rng = np.random.default_rng(0)
    loud = np.repeat(rng.uniform(0, 0.3, 80), 4000)
    soundfile.write(tmp_path / "a.wav", (rng.normal(0, 1, 320_000) * loud).clip(-1, 1), 16000)
    found = []
    for how in (["torch"], ["board", "--port", f"sim:{TINY.name}"]):
        argv = ["monitor", str(tmp_path / "a.wav"), "--preset", "tiny", "--json", "--engine", *how]
        assert bambino.main(argv) == 0
        found.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert [one["raw"] for one in found[0]] == [one["raw"] for one in found[1]]
    assert len(found[0]) == 3


def test_a_network_too_large(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    argv = ["monitor", str(tmp_path / "a.wav"), "--engine", "board", "--port", f"sim:{TINY.name}"]
    assert bambino.main([*argv, "--network", str(SHIPPED)]) == 2
    assert "does not fit" in capsys.readouterr().err


def test_no_such_port(tmp_path, capsys):
    soundfile.write(tmp_path / "a.wav", np.zeros(16000), 16000)
    argv = ["monitor", str(tmp_path / "a.wav"), "--engine", "board", "--port", "/dev/none"]
    assert bambino.main(argv) == 2
    said = capsys.readouterr().err
    assert said == "bambino monitor: port /dev/none must be there, not missing\n"


def test_the_cable_is_pulled_and_plugged_in_again(codes):
    it = endless(tiny_network())
    with Terminal(TINY) as first:
        pulled = threading.Timer(3, first.close)
        pulled.start()
        follower = BoardFollower(Target(port=first.path, board=TINY))
        with pytest.raises(LinkError, match=f"{first.path}.*must stay plugged in, not vanish"):
            for _ in follower.follow(it, repeat(codes[:, :, :16])):
                pass
        pulled.join()
    with Terminal(TINY) as again:
        follower = BoardFollower(Target(port=again.path, board=TINY))
        want = next(TorchFollower().follow(it, [codes]))
        np.testing.assert_array_equal(next(follower.follow(it, [codes])), want)
