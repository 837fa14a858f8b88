"""The cycle model: what a network takes on a machine, exactly, from shapes alone.

The machine has no hidden state that a cycle could depend on: no data-dependent branch, no cache.
So the model walks the plan with the same rules as the gateware, in closed form within a pass.
"""

from dataclasses import dataclass, replace
from typing import Any

from golden.network import Network
from hw.array import step_latency, token_delay
from hw.column import end_delay
from hw.config import CODE_RINGS, GREATEST, Config
from hw.fit import FitError
from hw.loader import lead, parameter_wait, settle, tile_cycles
from hw.lower import program_words
from hw.pass_fetch import PassFetch
from hw.plan import Pass, Stage
from hw.program import LAYER, RUN
from hw.schedule import Run, Schedule, schedule
from hw.walker import ENTRY_DELAY
from hw.writer import Writer

FETCH = 3
"""Cycles of an instruction's fetch and decode."""

GO = FETCH + (RUN.size + LAYER.size) // 32
"""Cycles from the fetch of a RUN to its `go`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerEstimate:
    """One layer's share.

    Parameters
    ----------
    name
        The layer's name.
    cycles
        Cycles of its runs, their beginning and their draining included.
    accumulates
        Binary x int8 operations, see `golden.layer.Layer.accumulates`.
    utilisation
        Accumulates / (lanes x columns x cycles).
    """

    name: str
    cycles: int
    accumulates: int
    utilisation: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a network takes on a machine.

    Parameters
    ----------
    layers
        In order.
    cycles
        From the first code accepted to the last raw word; network resident, streams never
        stalled, maps not read out.
    load_cycles
        From the first word of the network's packets to their last answer.
    lanes, columns
        Of the machine.
    memory_bits
        Bits that the network takes of each memory.
    fits
        Whether the machine's memories hold it; if not, `cycles` are those of larger memories.
    why
        What does not fit, or nothing.
    """

    layers: tuple[LayerEstimate, ...]
    cycles: int
    load_cycles: int
    lanes: int
    columns: int
    memory_bits: dict[str, int]
    fits: bool
    why: str = ""

    @property
    def utilisation(self) -> float:
        """Accumulates / (lanes x columns x cycles) of the whole network."""
        return sum(layer.accumulates for layer in self.layers) / (
            self.lanes * self.columns * self.cycles
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as plain data."""
        return {
            "layers": [
                {
                    "name": layer.name,
                    "cycles": layer.cycles,
                    "accumulates": layer.accumulates,
                    "utilisation": layer.utilisation,
                }
                for layer in self.layers
            ],
            "cycles": self.cycles,
            "load_cycles": self.load_cycles,
            "utilisation": self.utilisation,
            "lanes": self.lanes,
            "columns": self.columns,
            "memory_bits": self.memory_bits,
            "fits": self.fits,
            "why": self.why,
        }


def estimate(network: Network, config: Config) -> Estimate:
    """Predict every cycle of `network` on `config`, and the memory that it takes.

    Raises
    ------
    FitError
        The network does not fit for another reason than the size of the memories.
    """
    why = ""
    try:
        plan = schedule(network, config)
        words = program_words(plan)
        if words > config.program_words:
            raise FitError(
                f"the program does not fit: it has {words} words, {config.program_words} are there",
            )
    except FitError as error:
        why = str(error)
        plan = schedule(network, _boundless(config))
        words = program_words(plan)
    cycles, by_layer = _Clock(plan).play()
    layers = []
    for number, (layer, shape) in enumerate(zip(network.layers, network.shapes, strict=False)):
        accumulates = layer.accumulates(shape)
        layers.append(
            LayerEstimate(
                name=layer.name,
                cycles=by_layer[number],
                accumulates=accumulates,
                utilisation=accumulates / (config.lanes * config.columns * by_layer[number]),
            ),
        )
    return Estimate(
        layers=tuple(layers),
        cycles=cycles,
        load_cycles=words + 4 * (-(-plan.weight_rows * config.columns // 4)) + 6,
        lanes=config.lanes,
        columns=config.columns,
        memory_bits=_memory_bits(plan, words),
        fits=not why,
        why=why,
    )


def _boundless(config: Config) -> Config:
    """Return `config` with the largest memories that a program can address."""
    return replace(
        config,
        code_words=GREATEST["code_words"] if config.code_frames == 1 else CODE_RINGS[-1],
        map_words=GREATEST["map_words"],
        weight_rows=GREATEST["weight_rows"],
        partial_sums=GREATEST["partial_sums"],
        program_words=GREATEST["program_words"],
    )


def _memory_bits(plan: Schedule, words: int) -> dict[str, int]:
    config = plan.config
    longest = max(
        (s.block_groups * s.group_pixels for s in plan.stages if len(s.passes) > 1), default=0,
    )
    return {
        "weights": plan.weight_rows * config.columns * 8,
        "codes": plan.rings[0].size * 8,
        "maps": plan.map_words // config.row_words * config.row_bits,
        "partial_sums": longest * config.columns * config.acc_bits,
        "program": words * 32,
    }


class _Clock:
    """Plays a plan; cycle 0 is the one in which the first word of codes is accepted."""

    def __init__(self, plan: Schedule) -> None:
        self.plan = plan
        self.config = plan.config
        self.settle = settle(plan.config)
        self.drain = (
            ENTRY_DELAY
            + token_delay(plan.config)
            + end_delay(plan.config)
            + step_latency(plan.config)
            + Writer.latency
        )
        self.limits: list[tuple[int, int]] = []  # cycle from which so many codes may be accepted

    def play(self) -> tuple[int, list[int]]:
        """Return the cycles of a clip, and those of every layer's runs."""
        plan, ring = self.plan, self.plan.rings[0]
        by_layer = [0] * len(plan.network.layers)
        accept = min(plan.network.input_shape[2], ring.frames)
        self.limits = [(0, accept * ring.frame_words)]
        now = 0  # fetch of the next instruction; the first WAIT is fetched before any code
        for step in plan.steps:
            decode = max(now + FETCH - 1, self._accepted(step.frames * ring.frame_words))
            now = decode + 1
            raised = step.accept <= accept
            for run in (*step.runs, None):
                if run is not None:
                    done = self._run(run, now)
                    by_layer[plan.stages[run.stage].number] += done + 1 - now
                    now = done + 1
                if not raised:
                    raised, accept = True, step.accept
                    self.limits.append((now + FETCH, accept * ring.frame_words))
                    now += FETCH
        outputs = plan.stages[-1].layer.out_channels
        gather = self.config.acc_bits // self.config.act_bits
        return now + outputs * (FETCH + 4 + gather), by_layer

    def _accepted(self, count: int) -> int:
        """Cycle from which on so many codes have been accepted."""
        last, before = 1, 0  # cycle in which code `before - 1` was written; the first one's is 2
        for since, limit in self.limits:
            if limit > before:
                stop = min(limit, count)
                last = max(last + 1, since) + stop - before - 1
                before = stop
            if before == count:
                return last + 1
        raise AssertionError("the plan waits for codes that it does not accept")

    def _run(self, run: Run, fetched: int) -> int:
        """Return the cycle in which a run, fetched at `fetched`, writes its last bits."""
        stage = self.plan.stages[run.stage]
        go = fetched + GO
        begin = go + 2  # first row of the tile
        last = go + PassFetch.latency  # from then on the next pass may begin
        free = 0  # cycle from which on an output may end
        left = run.groups
        while left > 0:
            groups = min(left, stage.block_groups)
            for _ in range(stage.output.tiles):
                for number, each in enumerate(stage.passes):
                    ends = number == len(stage.passes) - 1
                    now = max(last, begin + lead(self.config, last=ends))
                    length = self._length(stage, each, groups)
                    if ends:
                        length, free = self._last_pass(stage, each, groups, now, free)
                    loaded = begin + self._rows(last=ends) - 1
                    begin = max(now + length, loaded) + self.settle
                    last = now + length + 1
            left -= groups
        return last - 1 + self.drain + stage.steps

    def _rows(self, *, last: bool) -> int:
        """Cycles from a tile's first row until the loader waits for the end of its pass."""
        rows = tile_cycles(self.config)
        if last:
            rows += parameter_wait(self.config) + 1 + self.config.parameter_rows
        return rows

    def _length(self, stage: Stage, each: Pass, groups: int) -> int:
        """Reads of a pass."""
        return groups * each.reads * (2 if stage.pooled else 1)

    def _last_pass(
        self, stage: Stage, each: Pass, groups: int, begin: int, free: int,
    ) -> tuple[int, int]:
        """Return the cycles of a pass whose outputs leave, and when the next one may end.

        An output ends no sooner than `steps` cycles after the one before it.
        """
        steps, row = stage.steps, each.reads * (2 if stage.pooled else 1)
        if stage.whole:
            end = max(begin + self._length(stage, each, groups), free)
        else:
            apart = (stage.layer.stride[0] if stage.from_codes else 1) * (4 if stage.pooled else 1)
            outputs = stage.bands // 2 if stage.pooled else stage.bands
            before = row - 1 - (outputs - 1) * apart  # reads before a row's first output
            end = max(begin + 1 + before, free)
            end += groups * (outputs - 1) * max(apart, steps)
            end += (groups - 1) * max(before + 1, steps)
        return end - begin, end + steps

