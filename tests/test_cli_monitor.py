"""`bambino monitor`: a score at a time from a file or a pipe, and a clean end of everything."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

import bambino
from golden import netfile
from golden.audio import load
from golden.front_end import codes
from golden.monitor import endless
from golden.network import Network
from golden.random_networks import random_network, tiny_network
from golden.torch_engine import TorchEngine
from hw.endless import lower_endless
from hw.presets import preset

ROOT = Path(__file__).parent.parent
RATE = 16000
FIRST, STEP = 11.29, 4.0
"""Seconds that a score of `tiny` hears, and from score to score."""


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loud = np.repeat(rng.uniform(0, 0.3, 1 + int(seconds * 4)), RATE // 4)
    count = round(seconds * RATE)
    return (rng.normal(0, 1, count) * loud[:count]).clip(-1, 1)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a minute of sounds: five scores."""
    soundfile.write(tmp_path / "clip.wav", noise(30), RATE, subtype="PCM_16")
    return tmp_path / "clip.wav"


def raw(path: Path) -> bytes:
    return soundfile.read(path, dtype="int16")[0].astype("<i2").tobytes()


def monitor(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = bambino.main(["monitor", "--preset", "tiny", *(str(a) for a in argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    code, out, err = monitor(capsys, *argv)
    assert (code, out) == (2, "")
    assert err.startswith("bambino monitor: ")
    assert err.count("\n") == 1
    return err


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    stream = SimpleNamespace(isatty=lambda: False, buffer=io.BytesIO(data))
    monkeypatch.setattr("sys.stdin", stream)


def expected(path: Path, every: int | None = None) -> list[list[int]]:
    """Give raw results from the definition."""
    it = endless(tiny_network(), every)
    assert it.network.front_end is not None
    heard = codes(load(path), it.network.front_end)
    starts = range(0, heard.shape[2] - it.frames + 1, it.hop)
    return [
        TorchEngine().predict(it.unpadded, heard[:, :, at : at + it.frames]).raw.tolist()
        for at in starts
    ]


@pytest.mark.parametrize("engine", ["adds", "torch"])
def test_json_lines(engine: str, clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = monitor(capsys, clip, "--json", "--engine", engine)
    assert (code, err) == (0, "end of audio: 5 scores of 30 s\n")
    found = [json.loads(line) for line in out.splitlines()]
    assert [list(one) for one in found] == [
        ["number", "start", "end", "raw", "scores", "latency"],
    ] * 5
    assert [one["raw"] for one in found] == expected(clip)
    assert len({tuple(one["raw"]) for one in found}) > 1
    for number, one in enumerate(found):
        assert one["number"] == number
        assert one["start"] == STEP * number
        assert one["end"] == pytest.approx(STEP * number + FIRST)
        assert one["scores"] == tiny_network().scores(np.array(one["raw"], np.int32))
        assert 0 < one["latency"] < 5


def test_lines_for_people(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = monitor(capsys, clip, "--every", 1)
    lines = out.splitlines()
    assert code == 0
    assert len(lines) == len(expected(clip, 1)) == 10
    assert lines[1].startswith("13.29 s: score ")
    assert ", noise " in lines[1]
    assert lines[1].endswith(" ms after its last sample)")


def test_a_pipe_scores_as_the_file(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    piped(monkeypatch, raw(clip))
    code, out, _ = monitor(capsys, "-", "--rate", RATE, "--json")
    assert code == 0
    assert [json.loads(line)["raw"] for line in out.splitlines()] == expected(clip)


def test_a_pipe_of_another_rate_scores_as_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "b.wav"
    soundfile.write(path, noise(12), 44100, subtype="PCM_16")  # plays for 4.4 s
    soundfile.write(path, np.tile(soundfile.read(path)[0], 4), 44100, subtype="PCM_16")
    piped(monkeypatch, raw(path))
    _, out, _ = monitor(capsys, "-", "--rate", 44100, "--json")
    assert [json.loads(line)["raw"] for line in out.splitlines()] == expected(path)


def test_scores_come_while_the_pipe_is_open(clip: Path) -> None:
    """And a reader that has heard enough ends it all."""
    with subprocess.Popen(
        [sys.executable, "bambino.py", "monitor", "-", "--rate", "16000", "--preset", "tiny"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        data = raw(clip)
        process.stdin.write(data[: 2 * round(FIRST * RATE)])
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"11.29 s: score")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr.read() == b"bambino monitor: interrupted after 1 score\n"
        assert process.stdout.read() == b""


def test_memory_does_not_grow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a pipe that holds ten minutes, no more is held than of one that holds one."""

    class Endless(io.RawIOBase):
        def __init__(self, seconds: int) -> None:
            self._left = seconds * RATE * 2
            self._noise = (noise(2) * 32767).astype("<i2").tobytes()

        def read1(self, size: int) -> bytes:
            count = min(size, self._left, len(self._noise))
            self._left -= count
            return self._noise[:count]

    peaks = []
    for seconds in (20, 60, 600):
        stream = SimpleNamespace(isatty=lambda: False, buffer=Endless(seconds))
        monkeypatch.setattr("sys.stdin", stream)
        tracemalloc.start()
        code, out, _ = monitor(capsys, "-", "--rate", RATE)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert code == 0
        assert len(out.splitlines()) == int((seconds - FIRST) / STEP) + 1
    assert peaks[2] < peaks[1] + 100_000  # the lines themselves are held by the test


def test_no_such_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "must be an existing file" in refused(capsys, tmp_path / "none.wav")


def test_not_audio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.wav").write_text("no sound at all")
    assert "must be an audio file" in refused(capsys, tmp_path / "a.wav")


def test_too_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soundfile.write(tmp_path / "a.wav", noise(11.25), RATE)
    line = refused(capsys, tmp_path / "a.wav")
    assert line.endswith("audio must last 11.29 s for a score, not 11.25\n")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "the pipe must hold at least one sample, not none"),
        (bytes(2**17 + 1), "whole samples of 2 bytes, not 131073 bytes"),
        (b"RIFF" + bytes(40), "not an audio file with its header"),
    ],
    ids=["empty", "odd", "wav"],
)
def test_bad_pipes(
    data: bytes, rule: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    piped(monkeypatch, data)
    assert rule in refused(capsys, "-", "--rate", RATE)


def test_a_terminal_is_no_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True, buffer=io.BytesIO()))
    assert "must be a pipe or a file, not a terminal" in refused(capsys, "-", "--rate", RATE)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ([], "must be given one of a file, - for a pipe, and --mic"),
        (["a.wav", "--mic"], "must be given one of"),
        (["-"], "a pipe must come with --rate"),
        (["-", "--rate", "999"], "rate must be at least 1000 Hz, not 999"),
        (["a.wav", "--rate", "16000"], "--rate must go with a pipe or a microphone"),
        (["a.wav", "--every", "3"], "every must be from 1 to 2, not 3"),
        (["a.wav", "--every", "0"], "every must be from 1 to 2, not 0"),
        (["a.wav", "--engine", "board"], "--engine board must come with --port"),
        (["a.wav", "--port", "x"], "must go with --engine board"),
        (["--mic", "--rate", "5"], "rate must be at least 1000 Hz, not 5"),
    ],
)
def test_options_that_do_not_go_together(
    options: list[str], rule: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    piped(monkeypatch, b"12")
    assert rule in refused(capsys, *options)


def test_a_microphone_that_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert "sounddevice must be installed to hear a microphone" in refused(capsys, "--mic")


def test_a_microphone(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is interrupted after a while."""

    class Stream:
        def __init__(self, **_: object) -> None:
            self._samples = load(clip)

        def __enter__(self) -> "Stream":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def read(self, count: int) -> tuple[np.ndarray, bool]:
            if self._samples.size < count:
                raise KeyboardInterrupt
            block, self._samples = self._samples[:count], self._samples[count:]
            return block[:, None], False

    module: Any = ModuleType("sounddevice")
    module.InputStream, module.PortAudioError = Stream, OSError
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    code, out, err = monitor(capsys, "--mic", "--json")
    assert (code, err) == (130, "bambino monitor: interrupted after 5 scores\n")
    assert [json.loads(line)["raw"] for line in out.splitlines()] == expected(clip)


def deaf(tmp_path: Path) -> Iterator[tuple[Network, str]]:
    tiny = tiny_network()
    assert tiny.front_end is not None
    yield replace(tiny, front_end=None), "must have a front-end to hear audio"
    relative = replace(tiny.front_end, reference="max")
    yield replace(tiny, front_end=relative), "reference must be absolute to hear endless audio"
    for seed in range(50):
        network = random_network(np.random.default_rng(seed))
        if all(layer.pool != "global" for layer in network.layers):
            yield network, "must"
            return


def test_networks_that_cannot_hear(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    for network, rule in deaf(tmp_path):
        netfile.save(network, tmp_path / "deaf.npz")
        assert rule in refused(capsys, clip, "--network", tmp_path / "deaf.npz")


def test_a_reader_that_leaves_early(clip: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} bambino.py monitor {clip} --every 1 --preset tiny | head -n 1",
        cwd=ROOT, shell=True, capture_output=True, check=False, env=os.environ,
    )
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_adds_needs_no_torch(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError('torch is not wanted here')\n")
    done = subprocess.run(
        [sys.executable, str(ROOT / "bambino.py"), "monitor", "--preset", "tiny", clip],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 5)


def test_estimate_tells_the_latency(capsys: pytest.CaptureFixture[str]) -> None:
    predicted = lower_endless(endless(tiny_network()), preset("tiny"))
    assert bambino.main(["estimate", "--preset", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["endless"] == {
        "latency": predicted.latency, "cycles": predicted.cycles, "seconds": STEP, "why": "",
    }
    assert bambino.main(["estimate", "--preset", "tiny"]) == 0
    out = capsys.readouterr().out
    cycles, latency = predicted.cycles, predicted.latency
    assert f"{cycles:,} cycles from score to score, {latency:,} of them after the last" in out
    factor = cycles / 12e6 / STEP
    assert f"at 12 MHz: a score {latency / 12e3:.2f} ms after its last frame, every 4 s" in out
    assert f"real-time factor {factor:.5f}" in out


def test_estimate_tells_why_there_is_no_latency(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    assert bambino.main(["estimate", "--preset", "small", "--columns", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(re.match("endless audio: layer .* does not fit: the weights", one) for one in lines)
    for network, _ in deaf(tmp_path):
        netfile.save(network, tmp_path / "deaf.npz")
    argv = ["estimate", "--preset", "medium", "--network", str(tmp_path / "deaf.npz")]
    assert bambino.main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["endless"] is None
    assert bambino.main(argv) == 0
    assert "endless audio: no maximum over a map" in capsys.readouterr().out


@pytest.mark.cosim
def test_rtl_scores_alike(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = monitor(capsys, clip, "--engine", "rtl", "--json")
    assert code == 0
    assert err.endswith("end of audio: 5 scores of 30 s\n")
    assert [json.loads(line)["raw"] for line in out.splitlines()] == expected(clip)


@pytest.mark.cosim
def test_ctrl_c_ends_the_simulation_as_well(clip: Path) -> None:
    with subprocess.Popen(
        [
            sys.executable, "bambino.py", "monitor", "-", "--rate", "16000", "--preset", "tiny",
            "--engine", "rtl",
        ],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(raw(clip)[: 2 * round(FIRST * RATE)])
        process.stdin.flush()
        assert process.stdout.readline().startswith(b"11.29 s: score")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
        assert process.wait(60) == 130
        lines = process.stderr.read().decode().splitlines()
        assert lines[-1] == "bambino monitor: interrupted after 1 score"
        assert all(line.startswith(("building", "built")) for line in lines[:-1])
        with pytest.raises(ProcessLookupError):  # nobody of its session is left
            os.killpg(process.pid, 0)
