"""The schedule, played symbolically: nothing is read before it is there or after it is gone."""

from dataclasses import replace

import numpy as np
import pytest

from golden.corners import corners
from golden.random_networks import random_network, tiny_network
from hw.config import Config
from hw.fit import FitError
from hw.lower import lower
from hw.presets import PRESETS
from hw.program import Op
from hw.schedule import schedule


def random_config(rng):
    groups = int(rng.choice([1, 1, 2, 3, 5, 8]))
    group_lanes = int(rng.integers(1, 7))
    code_frames = min(group_lanes, int(rng.choice([1, 1, 1, 2, 3, 4])))
    return Config(
        lanes=groups * group_lanes,
        columns=int(rng.choice([1, 2, 3, 5, 8, 13])),
        groups=groups,
        acc_bits=32,
        strip=int(rng.choice([1, 2, 3, 5, 8, 16])),
        code_frames=code_frames,
        code_words=int(rng.choice([40, 100, 400, 2000] if code_frames == 1 else [64, 512, 2048])),
        map_words=int(rng.choice([256, 1024, 4096])) * 16,
        weight_rows=65536,
        partial_sums=int(rng.choice([12, 20, 40, 300])),
        program_words=65536,
    )


def drawn(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        network, config = random_network(rng), random_config(rng)
        if seed % 4 == 3:
            config = replace(config, lanes=4 * config.lanes, cell="table4", compact=True)
        yield seed, network, config


class Play:
    """What stands in the rings while a program runs, by layer and frame; sizes do not matter."""

    def __init__(self, plan, instructions):
        self.plan = plan
        self.sends = any(each["op"] == Op.READ for each in instructions)
        self.instructions = instructions
        self.maps = [{} for _ in plan.rings]  # frame by slot
        self.groups_done = [0] * len(plan.stages)
        self.blocks_done = [0] * len(plan.stages)
        self.limit = self.waited = 0
        self.unsent = []  # frames that a run wrote and no READ has sent yet

    def frames_of_codes(self, count):
        frame_words = self.plan.rings[0].frame_words
        assert count % frame_words == 0
        return count // frame_words

    def run(self):
        plan = self.plan
        runs = iter([run for step in plan.steps for run in step.runs])
        frames = plan.network.input_shape[2]
        for each in self.instructions:
            if each["op"] == Op.LIMIT:
                limit = self.frames_of_codes(each["count"])
                assert self.limit < limit <= frames
                for frame in range(self.limit, limit):  # they may all come at once
                    self.maps[0][frame % plan.rings[0].frames] = frame
                self.limit = limit
            elif each["op"] == Op.WAIT:
                waited = self.frames_of_codes(each["count"])
                assert self.waited < waited <= self.limit, "waits for what it does not accept"
                self.waited = waited
            elif each["op"] == Op.RUN:
                assert not self.unsent, "a map is sent before the next run"
                self.one(next(runs))
            elif each["op"] == Op.READ:
                self.send(each)
        assert next(runs, None) is None
        assert not self.unsent
        assert self.limit == frames  # else the packet of codes would never end
        for stage, done in zip(plan.stages, self.groups_done, strict=True):
            assert done == stage.groups

    def one(self, run):
        plan = self.plan
        stage = plan.stages[run.stage]
        ring, out = plan.rings[run.stage], plan.rings[run.stage + 1]
        assert run.first == self.groups_done[run.stage], "groups run in order, once each"
        assert run.groups > 0
        stride, kernel = stage.layer.stride[1], stage.layer.kernel[1]
        turns = 2 if stage.pooled else 1
        for group in range(run.first, run.first + run.groups):
            for turn in range(turns):
                first = (group * turns + turn) * stride - stage.layer.padding[1]
                for frame in range(first, first + kernel):
                    if not 0 <= frame < stage.shape[2]:
                        continue
                    assert self.maps[run.stage].get(frame % ring.frames) == frame, (
                        f"stage {run.stage} reads frame {frame}, its slot holds"
                        f" {self.maps[run.stage].get(frame % ring.frames)}"
                    )
                    if run.stage == 0:
                        assert frame < self.waited
        self.groups_done[run.stage] += run.groups
        begin, end = run.written
        if stage.whole:
            blocks = -(-run.groups // stage.block_groups)
            assert (begin, end) == (
                self.blocks_done[run.stage], self.blocks_done[run.stage] + blocks,
            )
            self.blocks_done[run.stage] = end
        else:
            assert (begin, end) == (run.first, run.first + run.groups)
        for frame in range(begin, end):
            self.maps[run.stage + 1][frame % out.frames] = frame
        ahead = plan.stages[run.stage + 1 :]
        if self.sends and ahead and ahead[0].number != stage.number:
            self.unsent = [(run.stage + 1, frame) for frame in range(begin, end)]

    def send(self, read):
        """A READ sends the frames just written, in order, each still in its slot."""
        number, _ = self.unsent[0]
        ring = self.plan.rings[number]
        assert read["layer"] == self.plan.stages[number - 1].number
        slot, rest = divmod(read["start"] - ring.base, ring.frame_words)
        count, more = divmod(read["count"], ring.frame_words)
        assert rest == more == 0
        assert slot + count <= ring.frames
        for at in range(slot, slot + count):
            assert (number, self.maps[number].get(at)) == self.unsent.pop(0)


@pytest.mark.parametrize("maps", [False, True])
def test_no_frame_is_read_before_it_is_there_or_after_it_is_gone(listing, maps):
    fitted = 0
    for seed, network, config in drawn(100):
        try:
            lowered = lower(network, config, maps=maps)
        except FitError:
            continue
        fitted += 1
        try:
            Play(lowered.schedule, listing(lowered.program)).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert fitted > 40


def test_the_presets_play_the_tiny_network_and_the_corners(listing):
    networks = [tiny_network(), *(network for network, _ in corners().values())]
    for config in PRESETS.values():
        for network in networks:
            lowered = lower(network, config, maps=True)
            Play(lowered.schedule, listing(lowered.program)).run()


@pytest.mark.parametrize("fault", ["ring", "limit", "order"])
def test_a_planted_fault_is_found(listing, fault):
    """A player that finds nothing would prove nothing."""
    config = replace(PRESETS["tiny"], strip=2, code_words=100)
    lowered = lower(tiny_network(), config)
    plan, instructions = lowered.schedule, listing(lowered.program)
    if fault == "ring":
        ring = plan.rings[1]
        rings = (plan.rings[0], replace(ring, frames=ring.frames - 1), *plan.rings[2:])
        plan = replace(plan, rings=rings)
    elif fault == "limit":
        first = instructions[0]
        first["count"] += plan.rings[0].frame_words
    else:
        runs = [i for i, each in enumerate(instructions) if each["op"] == Op.RUN]
        del instructions[runs[1]]
    with pytest.raises((AssertionError, StopIteration)):
        Play(plan, instructions).run()


def test_rings_do_not_overlap_and_are_as_long_as_any_step():
    fitted = 0
    for _, network, config in drawn(80):
        try:
            plan = schedule(network, config)
        except FitError:
            continue
        fitted += 1
        rings = plan.rings[1:]  # the first one has a memory of its own
        for above, below in zip(rings, rings[1:], strict=False):
            assert above.end == below.base
        assert rings[0].base == 0
        assert rings[-1].end == plan.map_words <= config.map_words
        assert plan.rings[0].size <= config.code_words
        if config.code_frames > 1:  # it wraps by itself
            assert plan.rings[0].size == config.code_words
        for stage, ring in zip(plan.stages, plan.rings, strict=False):
            # The walker brings an address back by one ring, so no step may go further than that.
            assert max(stage.frame_inc, stage.layer.kernel[1]) <= ring.frames
            if len(stage.passes) > 1:
                assert stage.block_groups * stage.group_pixels <= config.partial_sums
            assert stage.block_groups >= 1
    assert fitted > 40


def test_strips_are_cut_until_the_network_fits():
    network = tiny_network()
    wide = schedule(network, PRESETS["tiny"])
    tight = replace(PRESETS["tiny"], map_words=wide.map_words - 1)
    plan = schedule(network, tight)
    assert plan.map_words <= tight.map_words
    assert len(plan.steps) > len(wide.steps)


def test_with_two_tables_a_cell_no_pass_but_the_last_is_shorter_than_its_tile():
    """A stage waits for more frames, since its weights would come later than the pixels go."""
    network = tiny_network()
    config = Config(
        lanes=16, columns=2, groups=2, acc_bits=32, strip=4, cell="table4", compact=True,
        map_words=4096, weight_rows=65536, partial_sums=300, program_words=4096,
    )
    plan, plain = schedule(network, config), schedule(network, replace(config, cell="gated"))
    assert config.cells * config.cell_class.entries == 64
    short = 0
    for number, stage in enumerate(plan.stages):
        runs = [run for step in plan.steps for run in step.runs if run.stage == number]
        assert all(run.groups * stage.group_pixels >= 64 for run in runs[:-1])
        before = [run for step in plain.steps for run in step.runs if run.stage == number]
        short += any(run.groups * stage.group_pixels < 64 for run in before[:-1])
        assert sum(run.groups for run in runs) == sum(run.groups for run in before)
    assert short > 0
