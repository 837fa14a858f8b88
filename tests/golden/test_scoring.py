"""Many files: which they are, and one result each, in order, from several processes."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile

from golden import clip, scoring
from golden.netfile import load
from golden.random_networks import tiny_network
from golden.torch_engine import TorchEngine

RATE = 16000


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with audio of several kinds and lengths, and what is none."""
    folder = tmp_path_factory.mktemp("calls")
    rng = np.random.default_rng(0)
    for i, (name, seconds) in enumerate(
        [("b.wav", 6.5), ("a.flac", 1.0), ("sub/c.WAV", 9.0), ("sub/deep/d.ogg", 5.0)],
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise = rng.normal(0, 0.05 * (i + 1), round(RATE * seconds)).clip(-1, 1)
        soundfile.write(folder / name, noise, RATE, format=name[-3:].replace("lac", "flac").upper())
    (folder / "notes.txt").write_text("no audio")
    (folder / "empty").mkdir()
    return folder


def names(found: list[Path], folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in found]


def test_a_folder_gives_the_audio_in_it_and_below(calls: Path) -> None:
    expected = ["a.flac", "b.wav", "sub/c.WAV", "sub/deep/d.ogg"]
    assert names(scoring.find([calls]), calls) == expected


def test_patterns_and_files_keep_their_order_and_come_once(calls: Path) -> None:
    found = scoring.find([calls / "b.wav", calls / "**" / "*.WAV", calls / "*", calls / "b.wav"])
    assert names(found, calls) == ["b.wav", "sub/c.WAV", "a.flac", "notes.txt"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "[a].wav").touch()
    assert scoring.find([tmp_path / "[a].wav"]) == [tmp_path / "[a].wav"]


def test_a_missing_file_stays_in_the_list() -> None:
    assert scoring.find([Path("none.wav")]) == [Path("none.wav")]


def test_nothing_found_is_refused(calls: Path) -> None:
    with pytest.raises(ValueError, match=r"empty: the folder must hold audio \(.aif, "):
        scoring.find([calls / "b.wav", calls / "empty"])
    with pytest.raises(ValueError, match=r"\*\.mp3: the pattern must match a file"):
        scoring.find([calls / "*.mp3"])


@pytest.mark.parametrize(("engine", "jobs"), [("adds", 1), ("adds", 3), ("torch", 1), ("naive", 2)])
def test_scores_are_those_of_each_clip_alone(calls: Path, engine: str, jobs: int) -> None:
    network = tiny_network()
    files = scoring.find([calls])
    found = list(scoring.score(network, files, engine=engine, jobs=jobs))
    assert [one.file for one in found] == [str(path) for path in files]
    for one, path in zip(found, files, strict=True):
        windows = clip.windows(network, path)
        traces = [TorchEngine().predict(network, window.codes) for window in windows]
        expected = clip.score(network, [window.start for window in windows], traces)
        assert one.scores == expected.scores
        assert one.windows == len(windows)
        assert one.error is None
    assert [one.windows for one in found] == [1, 2, 5, 1]


def test_the_shipped_network(calls: Path) -> None:
    network = load(clip.SHIPPED)
    (one,) = scoring.score(network, [clip.DEMO])
    (window,) = clip.windows(network)
    raw = TorchEngine().predict(network, window.codes).raw
    assert one.scores == network.scores(raw)


def test_more_files_than_are_handed_out_ahead() -> None:
    files = [clip.DEMO] * (3 * scoring.AHEAD)
    found = list(scoring.score(tiny_network(), files, jobs=2))
    assert len(found) == len(files)
    assert len({str(one.scores) for one in found}) == 1


def test_unreadable_files_are_named_with_the_reason(calls: Path) -> None:
    files = [calls / "notes.txt", calls / "b.wav", calls / "none.wav"]
    text, good, missing = scoring.score(tiny_network(), files)
    assert text.error is not None
    assert text.error.startswith("the clip must be an audio file")
    assert (text.scores, text.windows) == ({}, 0)
    assert good.error is None
    assert missing.error == "the clip must be an existing file"


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_are_checked(jobs: int) -> None:
    with pytest.raises(ValueError, match=f"jobs must be at least 1, not {jobs}"):
        next(scoring.score(tiny_network(), [clip.DEMO], jobs=jobs))


def test_engines_are_checked() -> None:
    with pytest.raises(ValueError, match="engine must be one of adds, torch, naive, not 'rtl'"):
        next(scoring.score(tiny_network(), [clip.DEMO], engine="rtl"))


def test_the_processes_have_one_thread_and_hear_no_interrupt() -> None:
    before = {name: os.environ.get(name) for name in scoring.THREADS}
    with scoring._unheard():
        assert {os.environ[name] for name in scoring.THREADS} == {"1"}
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
    assert {name: os.environ.get(name) for name in scoring.THREADS} == before


def test_whoever_stops_early_stops_the_processes(calls: Path) -> None:
    results = scoring.score(tiny_network(), [calls / "b.wav"] * 50, jobs=2)
    next(results)
    results.close()


def test_a_process_that_dies_is_an_error_in_one_line(
    calls: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scoring, "_start", _die)
    with pytest.raises(ChildProcessError, match=r"b.wav: a process died when it was this file's"):
        list(scoring.score(tiny_network(), [calls / "b.wav"]))


def _die(*_: object) -> None:
    os._exit(9)
