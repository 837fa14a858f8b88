"""The player plays what it was told, at full speed or with gaps and stalls, and sees misconduct."""

import itertools

import numpy as np
import pytest

from sim.bench import component_design
from sim.build import build
from sim.job import Job, Phase, Played, Result, load_job, load_result, save_job, save_result
from sim.simulation import SimulationError, run
from sim.streams import idle_runs


def packets(seed: int, lengths=(1, 2, 17, 40, 1, 3)):
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, 2**32, n, dtype=np.uint32) for n in lengths)


def same(sent, got):
    return len(sent) == len(got) and all(map(np.array_equal, sent, got))


@pytest.mark.unit
def test_a_job_crosses_in_its_file(tmp_path):
    job = Job(
        phases=(
            Phase(packets=packets(1), replies=2),
            Phase(packets=(), replies=0, reset_after=7),
        ),
        gap=0.25, stall=0.5, seed=9, timeout=11, idle=12, stop_at=13,
    )
    save_job(job, tmp_path / "job.npz")
    got = load_job(tmp_path / "job.npz")
    assert [same(a.packets, b.packets) for a, b in zip(job.phases, got.phases, strict=True)]
    assert [(p.replies, p.reset_after) for p in got.phases] == [(2, None), (0, 7)]
    assert (got.gap, got.stall, got.seed, got.timeout) == (0.25, 0.5, 9, 11)
    assert (got.idle, got.stop_at) == (12, 13)


@pytest.mark.unit
def test_a_result_crosses_in_its_file(tmp_path):
    empty = np.empty(0, np.int64)
    result = Result(
        phases=[
            Played(replies=[], reply_cycles=empty, sent_cycles=np.arange(3)),
            Played(
                replies=list(packets(2)), reply_cycles=np.arange(64), sent_cycles=np.arange(2),
            ),
        ],
        cycles=77, seconds=0.5, error="none of that",
    )
    save_result(result, tmp_path / "result.npz")
    got = load_result(tmp_path / "result.npz")
    assert [len(p.replies) for p in got.phases] == [0, 6]
    assert same(result.phases[1].replies, got.phases[1].replies)
    assert [p.sent_cycles.tolist() for p in got.phases] == [[0, 1, 2], [0, 1]]
    assert (got.cycles, got.seconds, got.error) == (77, 0.5, "none of that")


@pytest.mark.unit
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": 1.0}, "gap must be at least 0 and below 1, not 1.0"),
        ({"stall": -0.1}, "stall must be at least 0 and below 1, not -0.1"),
        ({"timeout": 0}, "timeout must be at least 1 cycle"),
        ({"phases": (Phase(packets=(np.empty(0, np.uint32),), replies=0),)}, "at least one word"),
    ],
)
def test_refuses_a_job_that_cannot_be_played(change, message):
    with pytest.raises(ValueError, match=message):
        Job(**({"phases": ()} | change))


@pytest.mark.unit
def test_idle_runs_have_the_probability_asked_for():
    runs = idle_runs(np.random.default_rng(0), 0.3, 20_000)
    assert abs(sum(runs) / (sum(runs) + len(runs)) - 0.3) < 0.01
    assert idle_runs(np.random.default_rng(0), 0, 3) == [0, 0, 0]


@pytest.mark.cosim
@pytest.mark.parametrize(("gap", "stall"), list(itertools.product((0.0, 0.3, 0.8), repeat=2)))
def test_sends_and_receives_through_gaps_and_stalls(loopback, gap, stall):
    sent = packets(4)
    job = Job(phases=(Phase(packets=sent, replies=6),), gap=gap, stall=stall, seed=5)
    result = run(loopback, job)
    played = result.phases[0]
    assert same(sent, played.replies)
    assert played.sent_cycles.size == played.reply_cycles.size == 64
    assert (np.diff(played.sent_cycles) > 0).all()
    assert (np.diff(played.reply_cycles) > 0).all()
    assert (played.reply_cycles > played.sent_cycles).all()
    if gap == stall == 0:  # a word a cycle, no cycle lost
        assert played.sent_cycles[-1] - played.sent_cycles[0] == 63
        assert played.reply_cycles[-1] - played.reply_cycles[0] == 63
    else:
        assert played.reply_cycles[-1] - played.sent_cycles[0] > 75


@pytest.mark.cosim
def test_the_same_seed_gives_the_same_cycles(loopback):
    jobs = [
        Job(phases=(Phase(packets=packets(4), replies=6),), gap=0.4, stall=0.4, seed=seed)
        for seed in (1, 1, 2)
    ]
    first, again, other = (run(loopback, job).phases[0].reply_cycles.tolist() for job in jobs)
    assert first == again
    assert first != other


@pytest.mark.cosim
def test_phases_follow_each_other(loopback):
    phases = [Phase(packets=packets(k), replies=6) for k in range(3)]
    result = run(loopback, Job(phases=tuple(phases)))
    for phase, played in zip(phases, result.phases, strict=True):
        assert same(phase.packets, played.replies)
    ends = [played.reply_cycles[-1] for played in result.phases]
    starts = [played.sent_cycles[0] for played in result.phases]
    assert all(start > end for start, end in zip(starts[1:], ends, strict=False))


@pytest.mark.cosim
@pytest.mark.parametrize("after", [1, 30, 55, 64])
def test_a_reset_cuts_a_phase_short_and_the_next_is_clean(loopback, after):
    sent = packets(6)
    phases = (
        Phase(packets=sent, replies=6, reset_after=after),
        Phase(packets=sent, replies=6),
    )
    result = run(loopback, Job(phases=phases, stall=0.2))
    assert len(result.phases[0].replies) < 6
    assert same(sent, result.phases[1].replies)


@pytest.mark.cosim
def test_a_missing_reply_ends_in_time(loopback):
    job = Job(phases=(Phase(packets=packets(7), replies=7),), timeout=500)
    with pytest.raises(SimulationError, match="7 replies must come within 500 cycles, not 6"):
        run(loopback, job)


@pytest.mark.cosim
def test_a_reply_too_many_is_an_error(loopback):
    with pytest.raises(SimulationError, match="5 replies must come, not more"):
        run(loopback, Job(phases=(Phase(packets=packets(8, (1,) * 40), replies=5),)))


@pytest.mark.cosim
def test_a_word_after_the_end_is_an_error(faulty, faults):
    packet = np.array([faults.TALKATIVE], np.uint32)
    phase = Phase(packets=(packet,), replies=1)
    assert len(run(faulty, Job(phases=(phase,), idle=40)).phases[0].replies) == 1
    with pytest.raises(SimulationError, match="nothing must come after the last reply"):
        run(faulty, Job(phases=(phase,), idle=60))


@pytest.mark.cosim
def test_a_reply_before_its_request_is_an_error(faulty, faults):
    packet = np.array([faults.TALKATIVE], np.uint32)
    phases = (Phase(packets=(packet,), replies=1), Phase(packets=(), replies=1))
    with pytest.raises(SimulationError, match="must not come before its request"):
        run(faulty, Job(phases=phases))


@pytest.mark.cosim
def test_a_job_stops_where_it_is_told(loopback):
    result = run(loopback, Job(phases=(Phase(packets=packets(9), replies=6),), stop_at=40))
    assert result.cycles == 40
    assert result.phases == []


@pytest.mark.cosim
def test_a_waveform_holds_the_cycles_asked_for(make_loopback, tmp_path):
    model = build(component_design(make_loopback()), waves=True)
    job = Job(phases=(Phase(packets=packets(9), replies=6),), stop_at=60, waves_first=40)
    run(model, job, waves=tmp_path / "waves.vcd")
    text = (tmp_path / "waves.vcd").read_text()
    assert "o_word" in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert len(times) >= 2 * 19
    period = 10_000  # picoseconds
    assert 39 * period <= min(times) <= max(times) <= 61 * period
