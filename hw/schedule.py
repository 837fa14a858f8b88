"""The order in which strips go through the stages, and where every map lives meanwhile."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from golden.layer import Layer, Requantise, Threshold
from golden.network import Network
from hw.config import Config
from hw.fit import FitError, check_memories, check_stage
from hw.format import Ring
from hw.plan import FIRST_STRIP, GROWTH, Stage
from hw.program import REACH


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One stage on the frames that one strip makes possible."""

    stage: int
    first: int
    groups: int
    written: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One strip: wait for so many input frames, run the stages, then accept so many."""

    frames: int
    runs: tuple[Run, ...]
    accept: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """Everything that shapes and configuration decide.

    Parameters
    ----------
    network, config
        What for.
    frames
        Input frames that come between START and the raw result.
    stages
        In order.
    rings
        Ring of each stage's input, and last the place of the raw result.
    steps
        Strip by strip.
    """

    network: Network
    config: Config
    frames: int
    stages: tuple[Stage, ...]
    rings: tuple[Ring, ...]
    steps: tuple[Step, ...]

    @property
    def weight_rows(self) -> int:
        """Weight rows of all stages."""
        return sum(stage.weight_rows for stage in self.stages)

    @property
    def map_words(self) -> int:
        """Words of the map memory in use."""
        return self.rings[-1].end


def schedule(network: Network, config: Config) -> Schedule:
    """Plan `network` on `config`, with strips as long as the memories allow.

    Raises
    ------
    FitError
        The network does not fit: which layer, which memory, by how much.
    """
    strip = config.strip
    while True:
        try:
            return _schedule(network, config, strip)
        except FitError:
            if strip == 1:
                raise
            strip = max(1, strip // 2)


def _strips(frames: int, strip: int) -> list[int]:
    """Input frames that are there at each step.

    The first strips are short, so that the machine begins early; they grow until `strip` is
    reached, and what is left is shared evenly.
    """
    ends, height = [0], min(FIRST_STRIP, strip)
    while height < strip and ends[-1] + height < frames:
        ends.append(ends[-1] + height)
        height *= GROWTH
    left = frames - ends[-1]
    count = -(-left // strip)
    return ends[1:] + [ends[-1] + left * (i + 1) // count for i in range(count)]


def _schedule(network: Network, config: Config, strip: int) -> Schedule:
    ends = _strips(network.input_shape[2], strip)
    stages: list[Stage] = []
    runs: list[list[Run]] = [[] for _ in ends]
    rings: list[Ring] = []
    shape, there, base = network.input_shape, ends, 0
    pending = list(enumerate(network.layers))
    while pending:
        number, layer = pending.pop(0)
        stage = Stage(
            config=config,
            layer=layer,
            number=number,
            shape=shape,
            from_codes=not stages,
            gathers=bool(stages) and stages[-1].number == number,
        )
        check_stage(stage)
        new_runs, needed, written = runs_of(stage, len(stages), there)
        ring = ring_of(stage, needed, base)
        if not stage.from_codes:
            base = ring.end
        rings.append(ring)
        stages.append(stage)
        for at, run in zip(runs, new_runs, strict=True):
            at.extend(run)
        shape, there = stage.layer.output_shape(shape), written
        if stage.whole and written[-1] > 1:
            if stage.gathers and written[-1] >= stage.shape[2]:
                raise FitError(
                    f"layer {layer.name} does not fit: partial_sums must be at least 2 to gather"
                    f" its maximum, not {config.partial_sums}",
                )
            pending.insert(0, (number, gather_layer(layer)))
            shape = (layer.out_channels, 1, written[-1])
    last = stages[-1].output
    rings.append(Ring(base=base, frames=1, frame_words=last.pixel_words))
    check_memories(config, stages, rings)
    return Schedule(
        network=network,
        config=config,
        frames=ends[-1],
        stages=tuple(stages),
        rings=tuple(rings),
        steps=steps_of(stages[0], rings[0], ends, runs),
    )


def gather_layer(layer: Layer) -> Layer:
    """Return the identity that takes the maximum over the pieces of `layer`'s output."""
    out = layer.out_channels
    zeros = np.zeros(out, np.int32)
    end: Threshold | Requantise
    if isinstance(layer.end, Threshold):
        end = Threshold(threshold=zeros, flip=np.zeros(out, np.bool_))
    else:
        end = Requantise(bias=zeros, shift=0, bits=layer.end.output_bits)
    return Layer(
        name=layer.name,
        weights=np.eye(out, dtype=np.int8)[:, :, None, None],
        input_bits=layer.end.output_bits,
        end=end,
        pool="global",
    )


def runs_of(
    stage: Stage, index: int, there: list[int], *, before: int = 0, first: int = 0,
) -> tuple[list[list[Run]], int, list[int]]:
    """Return the runs of each step, the frames that the input ring must hold, and the output's.

    `there` counts the input frames that are there at each step, and `before` those that were there
    before the first one; the output's frames count from `first` on. For a maximum over the whole
    map the output has one frame for each block.
    """
    runs: list[list[Run]] = []
    done, needed, written = 0, 1, [first]
    for earlier, frames in pairwise([before, *there]):
        oldest = max(0, stage.first_frame(done))
        # What one run of the stage before writes stays together, also frames that nobody reads.
        needed = max(needed, frames - min(oldest, earlier))
        groups = stage.groups_of(frames)
        if groups - done < stage.least_groups and frames < there[-1]:
            groups = done
        if groups - done >> stage.config.run_bits:
            raise FitError(
                f"layer {stage.layer.name} does not fit: one run has {groups - done} groups of"
                f" frames, the machine takes {(1 << stage.config.run_bits) - 1} at once",
            )
        blocks = -(-(groups - done) // stage.block_groups)
        written.append(written[-1] + (blocks if stage.whole else groups - done))
        runs.append(
            [
                Run(
                    stage=index,
                    first=done,
                    groups=groups - done,
                    written=(written[-2], written[-1]),
                ),
            ]
            if groups > done
            else [],
        )
        done = groups
    return runs, needed, written[1:]


def ring_of(stage: Stage, needed: int, base: int) -> Ring:
    """Return the ring of the stage's input: `needed` frames, and what one step may jump."""
    frames = max(needed, stage.layer.kernel[1], stage.frame_inc)
    if stage.from_codes:
        room = min(stage.config.code_words, REACH - 1) // stage.frame_words
        frames = max(frames, min(room, stage.shape[2]))
    spare = 0
    if stage.from_codes and stage.config.code_frames > 1:  # all of the memory is the ring
        spare = max(0, stage.config.code_words - frames * stage.frame_words)
    return Ring(base=base, frames=frames, frame_words=stage.frame_words, spare=spare)


def steps_of(
    first: Stage, ring: Ring, ends: list[int], runs: list[list[Run]],
) -> tuple[Step, ...]:
    """Add to each step how many frames may have been accepted once the first stage is done."""
    steps, done = [], 0
    for end, at in zip(ends, runs, strict=True):
        done = max([done, *(run.first + run.groups for run in at if run.stage == 0)])
        oldest = max(0, first.first_frame(done))
        if done == first.groups:  # what is left is not needed, but is accepted
            oldest = first.shape[2]
        steps.append(
            Step(
                frames=end, runs=tuple(at), accept=min(first.shape[2], oldest + ring.frames),
            ),
        )
    return tuple(steps)
