"""The verb `monitor`: endless audio in, a score at a time out."""

import argparse
import os
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from json import dumps
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from boards.console import chosen_config, chosen_network, chosen_target, note

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from golden.front_end import FrontEnd
    from golden.monitor import Endless, Follower

    Samples = NDArray[np.float32]

PIPE = Path("-")
ENGINES = ("adds", "torch", "rtl", "board")
SOURCE_HELP = "audio (WAV, FLAC, ...), or - for raw 16-bit mono PCM from a pipe, with --rate"
MIC_HELP = "hear a microphone: its number or a part of its name; without one the system's default"
RATE_HELP = "of the pipe, Hz; of the microphone, if it has none of 16,000"
EVERY_HELP = "frames of the network's last map from score to score, default: 6 (0.96 s)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Score:
    """One score.

    Parameters
    ----------
    number
        Counted from 0.
    start, end
        Seconds of audio from the first sample that it hears to the last.
    raw
        The network's raw results.
    scores
        By the output's name.
    latency
        Seconds from its last samples' arrival to the score.
    """

    number: int
    start: float
    end: float
    raw: list[int]
    scores: dict[str, float]
    latency: float


def options(parser: argparse.ArgumentParser) -> None:
    """Add what `monitor` takes to its parser."""
    parser.add_argument("source", type=Path, nargs="?", metavar="AUDIO", help=SOURCE_HELP)
    parser.add_argument("--mic", nargs="?", const="", metavar="DEVICE", help=MIC_HELP)
    parser.add_argument("--rate", type=int, metavar="HZ", help=RATE_HELP)
    parser.add_argument("--every", type=int, metavar="N", help=EVERY_HELP)
    parser.add_argument("--engine", choices=ENGINES, default="adds", help="default: adds")


def monitor(args: argparse.Namespace) -> int:
    """Score endless audio: a file, a pipe or a microphone, every 0.96 s, until it ends."""
    if args.engine == "adds":
        # What is left of matrix products is small; NumPy's threads would wait for each other.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from boards import choice
    from golden.monitor import endless

    target = chosen_target(args)
    network = chosen_network(args)
    if network.front_end is None:
        raise ValueError("network must have a front-end to hear audio, not go without")
    it = endless(network, args.every)
    heard = _Heard(_source(args, network.front_end), it, network.front_end)
    follower = choice.follower(args.engine, chosen_config(args), note, target)
    count = 0
    try:
        with closing(scored(follower, it, heard)) as scores:
            for one in scores:
                count += 1
                print(dumps(asdict(one)) if args.json else _line(one), flush=True)
    except KeyboardInterrupt:
        note(f"bambino monitor: interrupted after {_scores(count)}")
        return 130
    if count == 0:
        need = heard.end(0)
        raise ValueError(f"audio must last {need:g} s for a score, not {heard.seconds:g}")
    note(f"end of audio: {_scores(count)} of {heard.seconds:g} s")
    return 0


class _Heard:
    """Samples as codes, in pieces of at most a frame of the network's last map.

    Parameters
    ----------
    samples
        float32 ``[sample]`` each.
    endless, front_end
        Who hears, and how.
    """

    def __init__(
        self, samples: "Iterable[Samples]", endless: "Endless", front_end: "FrontEnd",
    ) -> None:
        self._samples, self._endless, self._front_end = samples, endless, front_end
        self._count = 0
        self.since = 0.0  # when the last samples came

    @property
    def seconds(self) -> float:
        """Audio that has come."""
        return self._count / self._front_end.sample_rate

    def start(self, number: int) -> float:
        """Seconds of audio before what a score hears."""
        return number * self._endless.hop * self._front_end.hop / self._front_end.sample_rate

    def end(self, number: int) -> float:
        """Seconds of audio to the end of what a score hears."""
        hearing = self._front_end
        last = number * self._endless.hop + self._endless.frames - 1
        return (last * hearing.hop + hearing.window) / hearing.sample_rate

    def codes(self) -> "Iterator[NDArray[np.uint8]]":
        """Yield the codes, uint8 ``[1, band, frame]``, of each piece of the stream."""
        from golden.listener import Listener

        listener = Listener(self._front_end, self._endless.network.input_bits)
        size = self._endless.stride * self._front_end.hop
        for block in self._samples:
            for at in range(0, block.size, size):
                piece = block[at : at + size]
                self._count += piece.size
                self.since = perf_counter()
                yield listener.hear(piece)


def scored(follower: "Follower", endless: "Endless", heard: _Heard) -> Generator[Score]:
    """Yield score after score."""
    with closing(follower.follow(endless, heard.codes())) as raws:
        for number, raw in enumerate(raws):
            yield Score(
                number=number,
                start=heard.start(number),
                end=heard.end(number),
                raw=raw.tolist(),
                scores=endless.network.scores(raw),
                latency=perf_counter() - heard.since,
            )


def _source(args: argparse.Namespace, front_end: "FrontEnd") -> "Iterator[Samples]":
    """Return the samples that `args` mean."""
    from golden import audio

    rate = front_end.sample_rate
    if (args.source is None) == (args.mic is None):
        raise ValueError("monitor must be given one of a file, - for a pipe, and --mic")
    if args.mic is not None:
        from boards.microphone import microphone

        return microphone(args.mic, rate if args.rate is None else args.rate, rate, note)
    if args.source != PIPE:
        if args.rate is not None:
            raise ValueError("--rate must go with a pipe or a microphone: a file says its own")
        return audio.stream(args.source, rate)
    if args.rate is None:
        raise ValueError("a pipe must come with --rate: raw samples do not say theirs")
    if sys.stdin.isatty():
        raise ValueError("standard input must be a pipe or a file, not a terminal")
    return audio.pipe(cast(audio.Bytes, sys.stdin.buffer), args.rate, rate)


def _scores(count: int) -> str:
    """Count scores."""
    return f"{count} score{'' if count == 1 else 's'}"


def _line(one: Score) -> str:
    """Write a score for people."""
    scores = ", ".join(f"{name} {value:.4f}" for name, value in one.scores.items())
    return f"{one.end:.2f} s: {scores} ({1e3 * one.latency:.1f} ms after its last sample)"
