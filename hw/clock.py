"""Plays a plan cycle by cycle, in closed form within a pass.

The machine has no hidden state that a cycle could depend on: no data-dependent branch, no cache.
So the model walks the plan with the same rules as the gateware.
"""

from hw.array import step_latency, token_delay
from hw.column import end_delay
from hw.compact_fetch import CompactFetch
from hw.loader import LEAST_REST, lead, parameter_wait, settle, tile_cycles
from hw.pass_fetch import PassFetch
from hw.plan import Pass, Stage
from hw.program import LAYER, RUN
from hw.schedule import Run, Schedule, Step
from hw.walk_reads import entry_delay
from hw.writer import writer_latency

FETCH = 3
"""Cycles of an instruction's fetch and decode; one less in a compact machine."""

GO = (RUN.size + LAYER.size) // 32
"""Cycles from the decode of a RUN to its `go`."""


class Clock:
    """Plays a plan; cycle 0 is the one in which the first word of codes is accepted.

    Parameters
    ----------
    plan
        What is played.
    """

    first = 2
    """Cycle in which the first code is written."""

    def __init__(self, plan: Schedule) -> None:
        self.plan = plan
        self.config = plan.config
        if plan.config.compact:
            self.first = 0
        self.settle = settle(plan.config)
        self.fetch = FETCH - plan.config.compact
        self.rest = max(LEAST_REST, self.settle)
        self.drain = (
            entry_delay(plan.config)
            + token_delay(plan.config)
            + end_delay(plan.config)
            + step_latency(plan.config)
            + writer_latency(plan.config)
        )
        self.limits: list[tuple[int, int]] = []  # cycle from which so many codes may be accepted
        self.sent = 0  # codes accepted before cycle 0

    def play(self) -> tuple[int, list[int]]:
        """Return the cycles of a clip, and those of every layer's runs."""
        plan, ring = self.plan, self.plan.rings[0]
        by_layer = [0] * len(plan.network.layers)
        accept = min(plan.frames, ring.frames)
        self.limits = [(0, accept * ring.frame_words)]
        now = 0  # fetch of the next instruction; the first WAIT is fetched before any code
        for step in plan.steps:
            decode = max(now + self.fetch - 1, self._accepted(step.frames * ring.frame_words))
            now = self._step(step, decode + 1, accept, by_layer)
            accept = max(accept, step.accept)
        return now + self._results() - self._begun(), by_layer

    def last_frame(self) -> int:
        """Return the cycles from the last frame to the last raw word, all else being done.

        They count from the first word accepted that holds a code of the last frame. Four codes are
        a word, so up to three codes before it come with it, and what waits for them is not done.
        """
        plan, words = self.plan, self.plan.rings[0].frame_words
        self.sent = (plan.frames - 1) * words // 4 * 4
        accept = min(plan.frames, plan.rings[0].frames)
        now = 0
        self.limits = []
        for step in plan.steps:
            if step.frames * words > self.sent:
                if not self.limits:
                    self.limits = [(0, accept * words)]
                decode = max(now + self.fetch - 1, self._accepted(step.frames * words))
                now = self._step(step, decode + 1, accept, None)
            accept = max(accept, step.accept)
        return now + self._results() - self._begun()

    def _step(self, step: Step, now: int, accept: int, by_layer: list[int] | None) -> int:
        """Return the cycle in which the instruction behind a strip is fetched, its first in `now`.

        So many frames of codes may be accepted before it.
        """
        plan = self.plan
        raised = step.accept <= accept
        for run in (*step.runs, None):
            if run is not None:
                done = self._run(run, now)
                if by_layer is not None:
                    by_layer[plan.stages[run.stage].number] += done + 1 - now
                now = done + 1
            if not raised:
                raised = True
                self.limits.append((now + self.fetch, step.accept * plan.rings[0].frame_words))
                now += self.fetch
        return now

    def _results(self) -> int:
        """Return the cycles from the fetch of the first RESULT to the last raw word."""
        outputs = self.plan.stages[-1].layer.out_channels
        reader = 2 if self.config.compact else 4
        gather = self.config.acc_bits // self.config.act_bits
        return outputs * (self.fetch + reader + gather)

    def _begun(self) -> int:
        """Return the cycle, of those counted so far, in which the first word is accepted."""
        if not self.config.compact:
            return 0
        total = self.plan.frames * self.plan.rings[0].frame_words
        return self._accepted(min(self.sent + 4, total)) - 1  # with its last code

    def _accepted(self, count: int) -> int:
        """Cycle from which on so many codes have been accepted."""
        # The cycle in which the last code was written, and how many were.
        last, before = self.first - 1, self.sent
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
        go = fetched + self.fetch + GO
        begin = go + 2  # first row of the tile
        compact = self.config.compact
        free_from = go + (3 if compact else PassFetch.latency)  # then the next pass may begin
        ended = go
        free = 0  # cycle from which on an output may end
        left = run.groups
        while left > 0:
            groups = min(left, stage.block_groups)
            for _ in range(stage.output.tiles):
                for number, each in enumerate(stage.passes):
                    ends = number == len(stage.passes) - 1
                    now = max(free_from, begin + lead(self.config, last=ends))
                    length = self._length(stage, each, groups)
                    if ends:
                        length, free = self._last_pass(stage, each, groups, now, free)
                    loaded = begin + self._rows(last=ends) - 1
                    begin = max(self._free(stage, now, length), loaded + self.rest)
                    ended = now + length
                    free_from = ended + CompactFetch.latency if compact else ended + 1
            left -= groups
        return ended + self.drain + stage.steps

    def _free(self, stage: Stage, begin: int, length: int) -> int:
        """Cycle from which on the tile after that of a pass may come."""
        if self.config.cell_class.buffered and len(stage.passes) > 1:
            return begin + 2
        return begin + length + self.settle

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
