"""A label that needs no clean reference: what DNSMOS P.808 thinks of a clip.

The model is Microsoft's, MIT licence, see `golden.dnsmos`; it comes with the optional extra
``teacher`` and is run by onnxruntime. Its score does not depend on the clip's level, but for what
falls below its floor in very quiet ones.
"""

import hashlib
import importlib.util
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import audio, dnsmos, extras

BATCH = 8
"""Windows that the model sees at once."""

CLIPS = 16
"""Clips that a process is handed at once."""

_LINE = re.compile(r"([0-9a-f]{64}),(-?\d+\.\d{6})")

Samples = NDArray[np.float32]


def mos(samples: Samples) -> float:
    """Score of `samples` by DNSMOS P.808, about 1 to 5.

    A clip shorter than the model's window of 9 s is repeated until it fills one, as `speechmos`
    does; of a longer one, windows start every second and their scores are averaged.

    Parameters
    ----------
    samples
        float32 ``[sample]`` at 16 kHz, at least one, all finite; of any level.

    Raises
    ------
    ValueError
        The packages speechmos or onnxruntime are missing, or these are no such samples.
    """
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
        raise ValueError(
            "samples must be one channel of at least one, all finite, not"
            f" {list(samples.shape)}{'' if samples.ndim != 1 or not samples.size else ' with NaN'}",
        )
    model, front_end = session(), dnsmos.FRONT_END
    length, hop = front_end.clip_samples, front_end.clip_hop_samples
    windows = [
        part[at : at + length]
        for _, part in audio.cut([samples.astype(np.float32, copy=False)], front_end)
        for at in range(0, part.size - length + 1, hop)
    ]
    scores: list[float] = []
    for first in range(0, len(windows), BATCH):
        batch = np.stack([dnsmos.features(one) for one in windows[first : first + BATCH]])
        scores += model.run(None, {model.get_inputs()[0].name: batch})[0].ravel().tolist()
    return float(np.mean(scores))


def require() -> Path:
    """Where the model lies, if there is all that it needs.

    Raises
    ------
    ValueError
        The packages speechmos or onnxruntime are missing.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise extras.lacks("DNSMOS P.808 needs", "onnxruntime", "teacher")
    return dnsmos.model_path()


@lru_cache(maxsize=1)
def session() -> Any:
    """Load the model into onnxruntime, for one thread; once a process.

    Raises
    ------
    ValueError
        As for `require`.
    """
    path = str(require())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def labels(
    clips: Iterable[Samples], *, cache: Path | None = None, processes: int = 1,
) -> NDArray[np.float32]:
    """Scores of many clips, in order.

    Parameters
    ----------
    clips
        As for `mos`; taken one by one as processes ask for more.
    cache
        Folder where scores are kept by what the clips hold: interrupted and started again, no
        clip is scored twice. Several calls may share it. None keeps nothing.
    processes
        How many score at a time; 1 starts none beside this one.

    Returns
    -------
    NDArray[np.float32]
        ``[clip]``.

    Raises
    ------
    ValueError
        As for `mos`, or `processes` is less than 1.
    OSError
        The cache cannot be written; what it holds stays good.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, not {processes}")
    kept = _Cache(cache)
    found: list[float] = []
    for digests, scores in _scored(_batches(iter(clips)), kept, processes):
        kept.add(digests, scores)
        found += (kept.scores[digest] for digest in digests)
    return np.array(found, np.float32)


def _batches(clips: Iterator[Samples]) -> Iterator[list[Samples]]:
    while batch := list(islice(clips, CLIPS)):
        yield batch


def _scored(
    batches: Iterator[list[Samples]], kept: "_Cache", processes: int,
) -> Iterator[tuple[list[str], dict[str, float]]]:
    """Score batches; give the digests of each in order and the scores that are new."""
    if processes == 1:
        for batch in batches:
            digests = [_digest(one) for one in batch]
            yield digests, _fresh(kept.lacks(digests, batch))
        return
    waiting: deque[Any] = deque()
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        try:
            for batch in batches:
                digests = [_digest(one) for one in batch]
                waiting.append((digests, pool.submit(_fresh, kept.lacks(digests, batch))))
                if len(waiting) > 2 * processes:
                    digests, future = waiting.popleft()
                    yield digests, future.result()
            for digests, future in waiting:
                yield digests, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _fresh(clips: dict[str, Samples]) -> dict[str, float]:
    return {digest: mos(samples) for digest, samples in clips.items()}


def _digest(samples: Samples) -> str:
    return hashlib.sha256(samples.astype("<f4", copy=False).tobytes()).hexdigest()


class _Cache:
    """Scores by digest, in a file to which whole lines are appended.

    Parameters
    ----------
    folder
        Where the file lies, or None. Its name tells the model's own digest: another model has
        another file.
    """

    def __init__(self, folder: Path | None) -> None:
        self.scores: dict[str, float] = {}
        self._path: Path | None = None
        self._cut = False
        if folder is None:
            return
        model = hashlib.sha256(dnsmos.model_path().read_bytes()).hexdigest()[:12]
        self._path = folder / f"{dnsmos.NAME}-{model}.csv"
        folder.mkdir(parents=True, exist_ok=True)
        if self._path.is_file():
            text = self._path.read_text(encoding="ascii", errors="replace")
            self._cut = not text.endswith("\n")
            # A line that was cut short has another form and counts as none.
            for line in text.splitlines():
                if (match := _LINE.fullmatch(line)) is not None:
                    self.scores[match[1]] = float(match[2])

    def lacks(self, digests: list[str], clips: list[Samples]) -> dict[str, Samples]:
        """Those of `clips` whose score is not known, by digest."""
        pairs = zip(digests, clips, strict=True)
        return {digest: clip for digest, clip in pairs if digest not in self.scores}

    def add(self, digests: list[str], scores: dict[str, float]) -> None:
        """Keep `scores`; each is then the same number as when it is read again."""
        fresh = {d: f"{scores[d]:.6f}" for d in digests if d in scores and d not in self.scores}
        self.scores |= {digest: float(text) for digest, text in fresh.items()}
        if self._path is None or not fresh:
            return
        lines = "".join(f"{digest},{text}\n" for digest, text in fresh.items())
        with self._path.open("ab") as file:
            file.write(b"\n" * self._cut + lines.encode())
        self._cut = False
