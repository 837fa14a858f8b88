"""Many files to scores: what is asked for, one pool of processes, one result a file in order."""

import glob
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import numpy as np

from golden import clip
from golden.adds.engine import AddsEngine
from golden.network import Network

SUFFIXES = (
    ".aif", ".aiff", ".au", ".caf", ".flac", ".mp3", ".oga", ".ogg", ".opus", ".rf64", ".w64",
    ".wav",
)
"""What a folder is searched for; any other file is taken where it is named."""

ENGINES = ("adds", "torch", "naive")
"""Engines that a process of the pool can hold."""

AHEAD = 4
"""Files that are handed out ahead, for each process."""

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Each process of the pool uses one thread: these say so to what is below NumPy."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileScore:
    """What came of one file.

    Parameters
    ----------
    file
        As it was found.
    windows
        How many predictions it took.
    scores
        By the output's name: the mean over the windows. Empty where the file was not read.
    error
        Why it was not read, in one line; None where it was.
    """

    file: str
    windows: int
    scores: dict[str, float]
    error: str | None


def find(named: Iterable[Path]) -> list[Path]:
    """List files: those named, the audio in folders and below, and what patterns match.

    Each comes once, in the order named; those of a folder or pattern are sorted.

    Raises
    ------
    ValueError
        A folder holds no audio, or a pattern matches nothing.
    """
    found: dict[Path, None] = {}
    for path in named:
        if path.is_dir():
            inside = sorted(
                p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
            )
            if not inside:
                raise ValueError(f"{path}: the folder must hold audio ({', '.join(SUFFIXES)})")
        elif is_pattern(path):
            # As a shell does it: absolute patterns work, hidden files stay out; Path.glob differs.
            inside = [Path(p) for p in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
            inside = [p for p in inside if p.is_file()]
            if not inside:
                raise ValueError(f"{path}: the pattern must match a file")
        else:
            inside = [path]
        found |= dict.fromkeys(inside)
    return list(found)


def is_pattern(path: Path) -> bool:
    """Whether `path` is a pattern: it has a wildcard and no file has that very name."""
    return glob.has_magic(str(path)) and not path.exists()


def score(
    network: Network,
    files: Iterable[Path],
    *,
    engine: str = "adds",
    jobs: int = 1,
    report: Callable[[str], None] = lambda _: None,
) -> Iterator[FileScore]:
    """Score `files` in a pool of processes; results come in the files' order.

    Whoever stops iterating, by an exception or by closing the generator, stops the processes
    within a window's time.

    Parameters
    ----------
    network
        The network.
    files
        Of `find`.
    engine
        One of `ENGINES`.
    jobs
        Processes, at least 1; each has one thread.
    report
        Is told in one line what makes the engine slow, if anything does.

    Raises
    ------
    ValueError
        There are no such jobs or engine.
    ChildProcessError
        A process of the pool died; the message names the file whose turn it was.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, not {jobs}")
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    # Compiled here once; the processes only load it.
    kernel = AddsEngine(report=report).kernel if engine == "adds" else None
    return _pooled(network, files, jobs, (engine, kernel))


def _pooled(
    network: Network, files: Iterable[Path], jobs: int, how: tuple[str, Path | None],
) -> Iterator[FileScore]:
    context = get_context("spawn")  # nothing of this process, torch least, is wanted there
    stop = context.Event()
    pool = ProcessPoolExecutor(jobs, context, _start, (network, how, stop))
    waiting: deque[tuple[Path, Future[FileScore]]] = deque()
    try:
        for path in files:
            with _unheard():
                waiting.append((path, pool.submit(_score, path)))
            if len(waiting) >= AHEAD * jobs:
                yield _result(*waiting.popleft())
        while waiting:
            yield _result(*waiting.popleft())
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _result(path: Path, future: Future[FileScore]) -> FileScore:
    try:
        return future.result()
    except BrokenProcessPool:
        raise ChildProcessError(f"{path}: a process died when it was this file's turn") from None


@contextmanager
def _unheard() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C, and one thread each; this process still hears it.

    A blocked signal is inherited, and waits here until it is unblocked.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    outer = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in outer.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: dict[str, Any] = {}
"""What a process of the pool was started with."""


def _start(network: Network, how: tuple[str, Path | None], stop: Event) -> None:
    name, kernel = how
    if name == "adds":
        # Where nothing compiled, the parent has said so; here is no second attempt.
        engine = AddsEngine(kernel=kernel) if kernel is not None else AddsEngine(kind="numpy")
        predict = engine.predict
        _worker["raw"] = lambda codes: predict(network, codes, maps=False).raw
    else:
        if name == "torch":
            import torch

            from golden.torch_engine import TorchEngine

            torch.set_num_threads(1)
            other: Any = TorchEngine()
        else:
            from golden.naive import NaiveEngine

            other = NaiveEngine()
        _worker["raw"] = lambda codes: other.predict(network, codes).raw
    _worker["network"], _worker["stop"] = network, stop


def _score(path: Path) -> FileScore:
    """Score one file in a process of the pool."""
    network, raw, stop = _worker["network"], _worker["raw"], _worker["stop"]
    results = []
    try:
        for window in clip.stream(network, path):
            if stop.is_set():
                break
            results.append(raw(window.codes))
    except (OSError, ValueError, TypeError) as error:
        said = " ".join(str(error).split()).removeprefix(f"{path}: ")
        return FileScore(file=str(path), windows=0, scores={}, error=said)
    means = _means(network, results)
    return FileScore(file=str(path), windows=len(results), scores=means, error=None)


def _means(network: Network, results: list[Any]) -> dict[str, float]:
    """Mean of every output, the same number as `golden.clip.score` gives."""
    if not results:
        return {}
    end = network.raw
    values = np.stack(results, 1).astype(np.float64) * end.scale[:, None] + end.offset[:, None]
    return {name: float(np.mean(row)) for name, row in zip(end.names, values, strict=True)}
