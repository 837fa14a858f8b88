"""Bad input ends in one clear line on stderr and exit code 2; nothing is half-written."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import bambino
from boards import refusal
from golden.archive import pack, unpack
from golden.netfile import checksum, save
from golden.random_networks import tiny_network
from hw.replies import ReplyError
from sim.simulation import SimulationError
from sim.toolchain import ToolError

ROOT = Path(__file__).parent.parent
RATE = 16000


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """Run the command line, which must refuse; return its one line."""
    try:
        code = bambino.main([str(a) for a in argv])
    except SystemExit as stop:  # argparse's own way
        code = stop.code if isinstance(stop.code, int) else -1
    said = capsys.readouterr()
    assert code == 2, said.err
    assert said.out == ""
    assert said.err.endswith("\n")
    assert said.err.count("\n") == 1
    assert said.err.startswith(f"bambino {argv[0]}: ")
    assert "Traceback" not in said.err
    return said.err


def samples(**edits: float) -> np.ndarray:
    """One second of a tone, float32, with some samples changed by name."""
    tone = np.sin(np.arange(RATE) * 0.1).astype(np.float32) * 0.1
    for value in edits.values():
        tone[500] = value
    return tone


def rate_of_zero(path: Path) -> None:
    """Write a WAV file whose header says 0 Hz."""
    soundfile.write(path, samples(), RATE, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    data[24:28] = bytes(4)
    path.write_bytes(bytes(data))


BAD_CLIPS = {
    "text": (lambda p: p.write_text("no sound at all\n"), "must be an audio file"),
    "no bytes": (lambda p: p.write_bytes(b""), "must be an audio file"),
    "no samples": (lambda p: soundfile.write(p, np.zeros(0), RATE), "at least one sample"),
    "nan": (
        lambda p: soundfile.write(p, samples(bad=np.nan), RATE, subtype="FLOAT"),
        "samples must be finite",
    ),
    "infinite": (
        lambda p: soundfile.write(p, samples(bad=-np.inf), RATE, subtype="FLOAT"),
        "samples must be finite",
    ),
    "rate of 0": (rate_of_zero, ""),
    "missing": (lambda p: None, "must be an existing file"),
    "folder": (lambda p: p.mkdir(), "the folder must hold audio (.aif, "),
}


@pytest.mark.parametrize("name", BAD_CLIPS)
def test_bad_clip(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, rule = BAD_CLIPS[name]
    path = tmp_path / "clip.wav"
    make(path)
    line = refused(capsys, "score", path, "--preset", "tiny")
    assert str(path) in line
    assert rule in line


def altered(tmp_path: Path, **changes: object) -> Path:
    """Save the tiny network with entries of its header changed, the checksum made right again."""
    path = tmp_path / "network.npz"
    save(tiny_network(), path)
    arrays = unpack(path.read_bytes(), largest=1 << 20)
    header = json.loads(arrays["header"].tobytes())
    for name, value in changes.items():
        if isinstance(value, np.ndarray):
            arrays[name.replace("__", ".")] = value
        else:
            header[name] = value
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    del arrays["checksum"]
    arrays["checksum"] = np.frombuffer(checksum(arrays), np.uint8)
    path.write_bytes(pack(arrays))
    return path


def truncated(tmp_path: Path) -> Path:
    path = altered(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def flipped(tmp_path: Path) -> Path:
    path = altered(tmp_path)
    arrays = dict(unpack(path.read_bytes(), largest=1 << 20))
    weights = arrays["layers.0.weights"].copy()
    weights.flat[0] ^= 1
    arrays["layers.0.weights"] = weights
    path.write_bytes(pack(arrays))
    return path


def too_wide(tmp_path: Path) -> Path:
    return altered(tmp_path, layers__0__weights=np.full((4, 1, 3, 3), 128, np.int16))


def beyond_int32(tmp_path: Path) -> Path:
    bias = np.full(2, np.iinfo(np.int32).max, np.int32)
    return altered(tmp_path, layers__6__bias=bias)


BAD_NETWORKS = {
    "truncated": (truncated, "truncated"),
    "another version": (lambda t: altered(t, version=99), "version must be 1, not 99"),
    "wrong checksum": (flipped, "checksum must be"),
    "weights outside int8": (too_wide, "int8"),
    "sums beyond int32": (beyond_int32, "sums must stay within int32"),
    "shapes that do not chain": (
        lambda t: altered(t, layers__1__weights=np.ones((6, 3, 3, 3), np.int8)),
        "conv2 must take 4 channels, not 3",
    ),
    "missing": (lambda t: t / "none.npz", "no such file"),
}


@pytest.mark.parametrize("name", BAD_NETWORKS)
def test_bad_network(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, rule = BAD_NETWORKS[name]
    path = make(tmp_path)
    line = refused(capsys, "score", "--network", path)
    assert str(path) in line
    assert rule in line.lower()


@pytest.mark.parametrize("verb", ["estimate", "verify", "generate", "score"])
def test_unknown_preset(verb: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = ["--out", tmp_path / "out"] if verb == "generate" else []
    engine = ["--engine", "rtl"] if verb == "score" else []
    line = refused(capsys, verb, "--preset", "huge", *out, *engine)
    assert "preset must be one of tiny, small, medium, large, not 'huge'" in line
    assert not (tmp_path / "out").exists()


def test_unknown_engine(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "score", "--engine", "fpga")
    assert "'fpga'" in line
    for known in ("adds", "torch", "naive", "rtl"):
        assert f"'{known}'" in line


@pytest.mark.parametrize("what", ["lanes", "columns"])
@pytest.mark.parametrize("value", [0, -1])
def test_no_lanes_or_columns(what: str, value: int, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "estimate", "--preset", "tiny", f"--{what}={value}")
    assert f"{what} must be from" in line
    assert f"not {value}" in line


@pytest.mark.parametrize("verb", ["generate", "vectors"])
def test_output_folder_that_cannot_be_written(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    line = refused(capsys, verb, "--preset", "tiny", "--out", file / "out")
    assert str(file) in line
    assert file.read_text() == "in the way"
    assert list(tmp_path.iterdir()) == [file]


def test_codes_of_another_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "codes.npy"
    np.save(path, np.zeros((1, 16, 21), np.uint8))
    line = refused(capsys, "score", path, "--preset", "tiny")
    assert "codes must have shape (1, 16, 20), not (1, 16, 21)" in line


def test_no_verb(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        bambino.main([])
    assert stop.value.code == 2
    assert "VERB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ValueError("x"), 2),
        (PermissionError(13, "Permission denied", "out"), 2),
        (ToolError("x"), 2),
        (SimulationError("x"), 1),
        (ReplyError("x"), 1),
        (RuntimeError("x"), None),
        (KeyError("x"), None),
    ],
)
def test_exit_codes(error: Exception, code: int | None) -> None:
    assert refusal.exit_code(error) == code


def test_a_refusal_is_one_line() -> None:
    assert refusal.explain(PermissionError(13, "Permission denied", "out")) == (
        "out: permission denied"
    )
    assert refusal.explain(ValueError("two\n  lines")) == "two lines"
    assert refusal.explain(ValueError()) == "ValueError"


def test_an_error_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("no user's doing")

    monkeypatch.setattr("golden.clip.stream", broken)
    with pytest.raises(KeyError, match="no user's doing"):
        bambino.main(["score", "--preset", "tiny"])


def test_a_closed_pipe_is_no_error() -> None:
    script = "import bambino, sys; sys.exit(bambino.main(['presets', '--json']))"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        _, said = process.communicate()
    assert said == b""
    assert process.returncode == 1


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("golden.clip.stream", interrupted)
    assert bambino.main(["score", "--preset", "tiny"]) == 130
    assert capsys.readouterr().err == "bambino score: interrupted\n"
