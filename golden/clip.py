"""A clip as the codes that a network takes, and the scores that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden import audio, front_end
from golden.network import Network
from golden.random_networks import random_codes
from golden.trace import Trace

DEMO = Path(__file__).parent / "clips" / "demo.flac"
"""The spoken clip that the project owns; `docs/demo-clip.md` says how it was made."""

SHIPPED = Path(__file__).parent / "weights" / "pesq.npz"
"""The trained network that the project ships."""

SEED = 2407


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """What one prediction sees.

    Parameters
    ----------
    start
        Seconds from the clip's beginning.
    codes
        uint8 ``[channel, band, frame]``.
    origin
        Where they come from: a file's name and the second, or a seed.
    """

    start: float
    codes: NDArray[np.uint8]
    origin: str


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowScore:
    """What came of one window.

    Parameters
    ----------
    start
        Seconds from the clip's beginning.
    raw
        The network's raw results.
    scores
        By the output's name.
    cycles
        Clock cycles, None where the engine has no clock.
    """

    start: float
    raw: list[int]
    scores: dict[str, float]
    cycles: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipScore:
    """What came of a clip.

    Parameters
    ----------
    scores
        By the output's name: the mean over the windows.
    windows
        Each window's own.
    cycles
        Sum over the windows, None where the engine has no clock.
    """

    scores: dict[str, float]
    windows: list[WindowScore]
    cycles: int | None

    def as_dict(self) -> dict[str, object]:
        """Give what `bambino score --json` prints of it."""
        windows = [
            {"start": one.start, "raw": one.raw, "scores": one.scores, "cycles": one.cycles}
            for one in self.windows
        ]
        return {"scores": self.scores, "windows": windows, "cycles": self.cycles}


def windows(network: Network, path: Path | None = None) -> list[Window]:
    """Cut a clip into the windows that `network` sees: those of `stream`, with its errors."""
    return list(stream(network, path))


def stream(network: Network, path: Path | None = None) -> Iterator[Window]:
    """Cut a clip into the windows that `network` sees, one by one, whatever its length.

    Parameters
    ----------
    network
        Its front-end makes the codes.
    path
        Audio, or a ``.npy`` file with the codes of one window. None is the demo clip; for a
        network without a front-end, codes drawn from a fixed seed.

    Raises
    ------
    ValueError, TypeError
        Not audio, not codes of this network, or audio for a network without a front-end.
    OSError
        The file cannot be read.
    """
    if path is not None and path.suffix == ".npy":
        yield Window(start=0.0, codes=_load_codes(network, path), origin=path.name)
        return
    if network.front_end is None:
        if path is not None:
            raise ValueError(f"{path}: must be codes (.npy), for the network has no front-end")
        codes = random_codes(np.random.default_rng(SEED), network)
        yield Window(start=0.0, codes=codes, origin=f"drawn from seed {SEED}")
        return
    path = DEMO if path is None else path
    hearing = network.front_end
    for begin, part in audio.cut(audio.stream(path, hearing.sample_rate), hearing):
        for i, codes in enumerate(front_end.window_codes(part, hearing, network.input_bits)):
            start = begin + i * hearing.clip_hop_samples / hearing.sample_rate
            yield Window(start=start, codes=codes, origin=f"{path.name} from {start:g} s")


def _load_codes(network: Network, path: Path) -> NDArray[np.uint8]:
    try:
        codes: NDArray[np.uint8] = np.load(path, allow_pickle=False)
        network.check_codes(codes)
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error
    return codes


def score(network: Network, starts: Sequence[float], traces: Sequence[Trace]) -> ClipScore:
    """Score a clip from the start and the trace of each of its windows."""
    each = [
        WindowScore(
            start=start,
            raw=trace.raw.tolist(),
            scores=network.scores(trace.raw),
            cycles=trace.cycles,
        )
        for start, trace in zip(starts, traces, strict=True)
    ]
    clocked = [trace.cycles for trace in traces if trace.cycles is not None]
    return ClipScore(
        scores={
            name: float(np.mean([one.scores[name] for one in each])) for name in network.raw.names
        },
        windows=each,
        cycles=sum(clocked) if clocked else None,
    )
