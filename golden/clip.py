"""A clip as the codes that a network takes, and the scores that come of it."""

from collections.abc import Sequence
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
    """

    start: float
    codes: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipScore:
    """The scores of a clip: the mean over its windows.

    Parameters
    ----------
    scores
        By the output's name.
    windows
        ``start`` (seconds), ``raw`` (integers), ``cycles`` (or None) of each window.
    cycles
        Sum over the windows, None where the engine has no clock.
    """

    scores: dict[str, float]
    windows: list[dict[str, object]]
    cycles: int | None


def windows(network: Network, path: Path | None = None) -> list[Window]:
    """Cut a clip into the windows that `network` sees.

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
        return [Window(start=0.0, codes=_load_codes(network, path))]
    if network.front_end is None:
        if path is None:
            codes = random_codes(np.random.default_rng(SEED), network)
            return [Window(start=0.0, codes=codes)]
        raise ValueError(f"{path}: must be codes (.npy), for the network has no front-end")
    samples = audio.load(DEMO if path is None else path, network.front_end.sample_rate)
    return [
        Window(
            start=start, codes=front_end.codes(part, network.front_end, bits=network.input_bits),
        )
        for start, part in audio.windows(samples, network.front_end)
    ]


def _load_codes(network: Network, path: Path) -> NDArray[np.uint8]:
    try:
        codes: NDArray[np.uint8] = np.load(path, allow_pickle=False)
        network.check_codes(codes)
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path}: {error}") from error
    return codes


def score(network: Network, cut: Sequence[Window], traces: Sequence[Trace]) -> ClipScore:
    """Score a clip from the trace of each of its windows."""
    each = [network.scores(trace.raw) for trace in traces]
    clocked = [trace.cycles for trace in traces if trace.cycles is not None]
    return ClipScore(
        scores={name: float(np.mean([one[name] for one in each])) for name in network.raw.names},
        windows=[
            {"start": window.start, "raw": trace.raw.tolist(), "cycles": trace.cycles}
            for window, trace in zip(cut, traces, strict=True)
        ],
        cycles=sum(clocked) if clocked else None,
    )
