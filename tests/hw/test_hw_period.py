"""Endless audio: frame by frame and period after period, no ring loses what is needed again."""

import numpy as np
import pytest

from golden import clip, netfile
from golden.monitor import Endless, endless, span, step
from golden.random_networks import random_network, tiny_network
from hw.config import Config
from hw.endless import estimate, lower_endless
from hw.estimate import estimate as clip_estimate
from hw.fit import FitError
from hw.lower import turned
from hw.packets import Command
from hw.presets import PRESETS
from hw.program import Op

LITTLE = Config(  # a machine with little memory, whose rings are as short as they can be
    lanes=16, columns=4, groups=8, acc_bits=24, strip=16, code_words=2560, map_words=2048,
    weight_rows=16384, partial_sums=256, program_words=1024,
)


def random_config(rng):
    groups = int(rng.choice([1, 1, 2, 3, 8]))
    lanes = int(rng.integers(1, 7))
    code_frames = min(lanes, int(rng.choice([1, 1, 2, 3])))
    return Config(
        lanes=groups * lanes,
        columns=int(rng.choice([1, 2, 3, 8, 13])),
        groups=groups,
        acc_bits=32,
        strip=int(rng.choice([1, 2, 3, 8, 16])),
        code_frames=code_frames,
        code_words=int(rng.choice([100, 400, 2000] if code_frames == 1 else [512, 2048])),
        map_words=int(rng.choice([256, 1024, 4096])) * 16,
        weight_rows=65536,
        partial_sums=int(rng.choice([3, 12, 40, 300])),
        program_words=65536,
    )


def drawn(count):
    for seed in range(count):
        rng = np.random.default_rng(seed)
        network, config = random_network(rng, size=("tiny", "small")[seed % 2]), random_config(rng)
        if any(layer.pool == "global" for layer in network.layers):
            most = Endless(network=network, every=1).window
            yield Endless(network=network, every=int(rng.integers(1, most + 1))), config


class Play:
    """Which frame stands where in each ring, frames counted from the stream's beginning."""

    def __init__(self, lowered):
        self.lowered = lowered
        self.plan = lowered.period.schedule
        self.maps = [{} for _ in self.plan.rings]

    def frame(self, ring, period, local):
        """Number a frame; those of rings that begin anew differ from period to period."""
        moves = self.lowered.period.moves[ring]
        return period * (moves or 1_000_000) + local

    def play(self, period, instructions):
        """Play one period; `instructions` are those of its program."""
        plan, limit, waited = self.plan, 0, 0
        runs = iter([run for each in plan.steps for run in each.runs])
        for each in instructions:
            if each["op"] == Op.LIMIT:
                upto, rest = divmod(each["count"], plan.rings[0].frame_words)
                assert rest == 0
                assert limit < upto <= plan.frames
                self.accept(period, upto)
                limit = upto
            elif each["op"] == Op.WAIT:
                assert waited < each["count"] // plan.rings[0].frame_words <= limit
                waited = each["count"] // plan.rings[0].frame_words
            elif each["op"] == Op.RUN:
                self.run(period, next(runs), each, waited)
        assert next(runs, None) is None
        assert waited == limit == plan.frames

    def accept(self, period, upto):
        """Write codes until there have been so many frames; what they run over is gone."""
        ring = self.plan.rings[0]
        gone = upto * ring.frame_words - ring.size
        self.maps[0] = {
            local * ring.frame_words % ring.size: self.frame(0, period, local)
            for local in range(upto)
            if local * ring.frame_words >= gone
        }

    def run(self, period, run, each, waited):
        plan, number = self.plan, run.stage
        stage, ring, out = plan.stages[number], plan.rings[number], plan.rings[number + 1]
        first = run.first * stage.frame_inc - stage.layer.padding[1]
        for group in range(run.groups):
            for at in range(span(stage.layer) if not stage.whole else stage.layer.kernel[1]):
                local = first + group * stage.frame_inc + at
                if not 0 <= local < stage.shape[2]:
                    continue
                want = self.frame(number, period, local)
                word = each["start"] + (local - first) * ring.frame_words
                got = self.maps[number].get(word % ring.size)
                early = got is None and period < self.lowered.period.warm_up
                assert got == want or early, f"stage {number} reads {want}, there is {got}"
                assert number or local < waited
        for i, local in enumerate(range(*run.written)):
            word = (each["out_start"] - out.base + i * out.frame_words) % out.size
            assert word % out.frame_words == 0
            self.maps[number + 1][word] = self.frame(number + 1, period, local)


def test_every_frame_is_there_when_it_is_read(listing):
    """From the first period on that ends in a score."""
    fitted, turns, rings = 0, set(), set()
    for it, config in drawn(70):
        try:
            lowered = lower_endless(it, config)
        except FitError:
            continue
        fitted += 1
        play = Play(lowered)
        for period in range(4 + lowered.period.warm_up):
            turn = lowered.period.turn(period)
            program = lowered.lowered.program.copy()
            patch = turned(lowered.lowered, turn)
            program[: len(patch)] = patch
            play.play(period, listing(program))
            turns.add(any(turn))
        rings |= {ring.frames for ring in lowered.period.schedule.rings}
        plan = lowered.period
        assert 0 <= plan.lead < it.hop
        assert plan.history + (plan.warm_up + 1) * it.hop - plan.lead == it.frames
    assert fitted > 15
    assert turns == {False, True}
    assert len(rings) > 5


def test_a_frame_that_is_gone_is_noticed(listing):
    lowered = lower_endless(endless(netfile.load(clip.SHIPPED)), LITTLE)
    play = Play(lowered)
    for period in range(9):
        patch = turned(lowered.lowered, lowered.period.turn(period))
        program = lowered.lowered.program.copy()
        program[: len(patch)] = patch
        play.play(period, listing(program))
    with pytest.raises(AssertionError, match="reads"):
        play.play(10, listing(program))  # with the rings turned as before


def test_the_period_of_the_paper():
    lowered = lower_endless(endless(netfile.load(clip.SHIPPED)), LITTLE)
    plan = lowered.period
    assert [each.frames for each in plan.schedule.steps] == [10, 18, 26, 34, 42, 48, 50]
    assert (plan.history, plan.lead, plan.warm_up) == (2, 12, 5)
    assert plan.moves[:6] == (0, 24, 12, 6, 6, 0)
    assert [ring.frames for ring in plan.schedule.rings[:6]] == [21, 6, 4, 3, 31, 1]
    assert sum(run.groups for each in plan.schedule.steps for run in each.runs[:1]) > 0
    last = plan.schedule.steps[-1].runs
    assert [run.groups for run in last[:4]] == [1, 1, 1, 1]


def test_what_is_sent(listing):
    """All codes once and history again; programs only where they differ."""
    it = endless(netfile.load(clip.SHIPPED))
    lowered = lower_endless(it, LITTLE)
    rng = np.random.default_rng(0)
    codes = rng.integers(256, size=(1, 120, 278 + 2 * 48), dtype=np.uint8)
    stream = np.concatenate([np.zeros((1, 120, 12), np.uint8), codes], 2)
    exchanges = list(lowered.exchanges(np.array_split(codes, 50, axis=2)))
    sent, kinds, ends, scores = [], [], 0, 0
    for each in exchanges:
        assert each.replies == len(each.packets) + each.ends
        for packet in each.packets:
            kinds.append(Command(int(packet[0]) >> 24))
            assert int(packet[0]) & 0xFFFFFF == len(packet) - 1
            if kinds[-1] == Command.START:
                sent.append(b"")
                assert packet[1:].tolist() == [0, 50 * 120, 21 * 120]
            elif kinds[-1] == Command.CODES:
                sent[-1] += packet[1:].tobytes()
        ends, scores = ends + each.ends, scores + each.score
    assert (ends, scores) == (8, 3)
    assert kinds.count(Command.PROGRAM) == 8  # the ninth period has begun: its ring is turned, too
    for number, got in enumerate(sent[:8]):
        want = stream[0, :, 48 * number : 48 * number + 50]
        np.testing.assert_array_equal(np.frombuffer(got, np.uint8).reshape(50, 120).T, want)
    assert len(sent[8]) == 2 * 120


def test_without_turned_rings_no_program_is_sent_again():
    for it, config in drawn(120):
        try:
            lowered = lower_endless(it, config)
        except FitError:
            continue
        if not any(lowered.period.turn(1)) and lowered.period.turn(1) == lowered.period.turn(2):
            shape = (*it.network.input_shape[:2], it.frames + 2 * it.hop)
            exchanges = lowered.exchanges([np.zeros(shape, np.uint8)])
            packets = [packet for each in exchanges for packet in each.packets]
            assert {int(packet[0]) >> 24 for packet in packets} == {Command.START, Command.CODES}
            return
    raise AssertionError


@pytest.mark.parametrize("name", PRESETS)
def test_a_period_is_less_work_than_a_clip(name):
    network = tiny_network() if name == "tiny" else netfile.load(clip.SHIPPED)
    found = estimate(network, PRESETS[name])
    assert found is not None
    assert found.why == ""
    assert found.seconds == (4.0 if name == "tiny" else 0.96)
    assert 0 < found.latency < found.cycles < clip_estimate(network, PRESETS[name]).cycles


def test_what_does_not_fit_says_so():
    found = estimate(netfile.load(clip.SHIPPED), PRESETS["tiny"])
    assert found is not None
    assert "does not fit" in found.why
    assert found.latency == found.cycles == 0


def test_a_network_without_a_maximum_has_no_endless_audio():
    for seed in range(50):
        network = random_network(np.random.default_rng(seed))
        if all(layer.pool != "global" for layer in network.layers):
            assert estimate(network, PRESETS["tiny"]) is None
            return
    raise AssertionError


def test_a_maximum_that_cannot_be_gathered_is_refused():
    it = endless(netfile.load(clip.SHIPPED), 1)
    config = Config(
        lanes=8, columns=64, groups=8, acc_bits=24, partial_sums=240, map_words=1 << 15,
        code_words=16384, weight_rows=65535, program_words=4096,
    )
    assert lower_endless(it, config).period.schedule.stages[5].layer.name == "dense1"
    narrow = Config(
        lanes=8, columns=64, groups=8, acc_bits=24, partial_sums=1, map_words=1 << 15,
        code_words=16384, weight_rows=65535, program_words=4096,
    )
    with pytest.raises(FitError, match="layer conv1 does not fit: it needs 240 partial sums"):
        lower_endless(it, narrow)
    assert step(it.convolutions[0]) == 2
