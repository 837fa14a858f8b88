"""Endless audio on the machine: one program for the frames from score to score.

**Between two programs** the map memory stays as it is. So a layer's ring keeps the frames that the
next output needs again (two of them under a 3x3 kernel), as from strip to strip, and every frame of
every map is computed once. What the network takes its maximum over leaves the array frame by frame,
one word of bits each (or several of codes), into a ring as long as the window; an identity layer
gathers the maximum of that ring, and the layers behind it follow: a score. Only the codes' few
frames of history come again with each program, for START begins their ring anew.

**Turned rings.** Frames of a period count from the first one that its first output needs. From
period to period they move on by what a period brings, round and round; where a ring's length does
not divide that, the addresses of RUN move, too. The host writes those few words anew, while nothing
runs (`hw.endless`).

**Strips** are as long as one frame of the last map takes; the last one is cut so that little is
left to do after the last frame: one group of frames in each layer.
"""

from dataclasses import dataclass

from golden.layer import Layer, Shape
from golden.monitor import Endless, span, step
from hw.config import Config
from hw.fit import FitError, check_memories, check_stage
from hw.format import Ring
from hw.plan import Stage
from hw.schedule import Run, Schedule, gather_layer, ring_of, runs_of, steps_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The plan of one period.

    Parameters
    ----------
    endless
        What hears.
    schedule
        The plan, as of a clip of `Schedule.frames`.
    history
        How many of those frames the period before has had already; below 0, frames between the two
        that nobody looks at.
    moves
        How many frames each ring moves on from period to period; 0 where it begins anew.
    """

    endless: Endless
    schedule: Schedule
    history: int
    moves: tuple[int, ...]

    @property
    def warm_up(self) -> int:
        """Periods before the first score: it hears more frames than one of them brings."""
        return -(-(self.endless.frames - self.history) // self.endless.hop) - 1

    @property
    def lead(self) -> int:
        """Frames of any codes before the stream, so that a score's last one ends a period."""
        return self.history + (self.warm_up + 1) * self.endless.hop - self.endless.frames

    def turn(self, number: int) -> tuple[int, ...]:
        """Return how many slots each ring is turned in period `number`, counted from 0."""
        return tuple(
            number * moves % ring.frames
            for moves, ring in zip(self.moves, self.schedule.rings, strict=True)
        )


def period(endless: Endless, config: Config) -> Period:
    """Plan `endless` on `config`, with strips as long as one frame of its last map, or shorter.

    Raises
    ------
    FitError
        The network does not fit: which layer, which memory, by how much.
    """
    strip = min(config.strip, endless.stride)
    while True:
        try:
            return _period(endless, config, strip)
        except FitError:
            if strip == 1:
                raise
            strip = max(1, strip // 2)


def _strips(endless: Endless, history: int, strip: int) -> list[int]:
    """Input frames that are there at each step."""
    hop = endless.hop
    ends = {*range(strip, hop, strip), max(1, hop - step(endless.convolutions[0])), hop}
    return sorted(history + end for end in ends if history + end > 0)


def _period(endless: Endless, config: Config, strip: int) -> Period:
    layers = endless.convolutions
    history = kept = span(layers[0]) - step(layers[0])
    ends = _strips(endless, history, strip)
    build = _Builder(config, len(ends))
    shape = (*endless.network.input_shape[:2], ends[-1])
    there, moves = ends, [0]
    for number, layer in enumerate(layers):
        last = number == endless.last
        before = kept if number else 0  # codes of the period before come once more
        kept = endless.window - endless.every
        if not last:
            kept = span(layers[number + 1]) - step(layers[number + 1])
        there = build.add(layer, number, shape, there, before, kept, frame_by_frame=last)
        moves.append(there[-1] - kept)
        shape = (*layer.output_shape(shape)[:2], there[-1])
    there = build.gather(layers[-1], endless.last, there, kept)
    shape = (shape[0], 1, 1)
    for number, layer in enumerate(endless.network.layers[endless.last + 1 :], endless.last + 1):
        there = build.add(layer, number, shape, there, 0, 0)
        if layer.pool == "global" and there[-1] > 1:
            there = build.gather(layer, number, there, 0)
        shape = layer.output_shape(shape)
    last_form = build.stages[-1].output
    rings = (*build.rings, Ring(base=build.base, frames=1, frame_words=last_form.pixel_words))
    check_memories(config, build.stages, list(rings))
    plan = Schedule(
        network=endless.network,
        config=config,
        frames=ends[-1],
        stages=tuple(build.stages),
        rings=rings,
        steps=steps_of(build.stages[0], rings[0], ends, build.runs),
    )
    still = (0,) * (len(rings) - len(moves))
    return Period(endless=endless, schedule=plan, history=history, moves=(*moves, *still))


class _Builder:
    """Appends stages, each with the ring of its input."""

    def __init__(self, config: Config, steps: int) -> None:
        self._config = config
        self.stages: list[Stage] = []
        self.rings: list[Ring] = []
        self.runs: list[list[Run]] = [[] for _ in range(steps)]
        self.base = 0  # where the next map's ring begins

    def add(
        self,
        layer: Layer,
        number: int,
        shape: Shape,
        there: list[int],
        before: int,
        first: int,
        *,
        gathers: bool = False,
        frame_by_frame: bool = False,
    ) -> list[int]:
        """Append a layer; return the frames of its output that are there at each step.

        Its input has `before` frames before the first step and `there` at each; its output's
        frames count from `first` on.
        """
        stage = Stage(
            config=self._config,
            layer=layer,
            number=number,
            shape=shape,
            from_codes=not self.stages,
            gathers=gathers,
            frame_by_frame=frame_by_frame,
        )
        check_stage(stage)
        runs, needed, written = runs_of(
            stage, len(self.stages), there, before=before, first=first,
        )
        ring = ring_of(stage, needed, self.base)
        if not stage.from_codes:
            self.base = ring.end
        self.rings.append(ring)
        self.stages.append(stage)
        for at, run in zip(self.runs, runs, strict=True):
            at.extend(run)
        return written

    def gather(self, layer: Layer, number: int, there: list[int], before: int) -> list[int]:
        """Append what takes the maximum over the pieces of `layer`, `there` at each step."""
        identity, pieces = gather_layer(layer), there[-1]
        there = self.add(
            identity, number, (layer.out_channels, 1, pieces), there, before, 0, gathers=True,
        )
        if there[-1] == 1:
            return there
        if there[-1] >= pieces:
            raise FitError(
                f"layer {layer.name} does not fit: partial_sums must be at least 2 to gather its"
                f" maximum, not {self._config.partial_sums}",
            )
        return self.gather(layer, number, there, 0)
