"""Endless audio on simulated machines: the bits of torch, and exactly the cycles predicted."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from golden import clip, netfile
from golden.monitor import Endless, endless
from golden.random_networks import random_network, tiny_network
from golden.torch_monitor import TorchFollower
from hw.accelerator import Accelerator
from hw.config import Config
from hw.emit import to_verilog
from hw.endless import LoweredEndless, lower_endless
from hw.fit import FitError
from hw.presets import preset
from sim.collisions import spoiling
from sim.engine import RtlEngine
from sim.job import Phase
from sim.live import Talk, talking
from sim.monitor import RtlFollower, load, patience, played_on
from sim.simulation import SimulationError

pytestmark = pytest.mark.cosim

Codes = NDArray[np.uint8]
NETWORKS = {
    "tiny": 14, "odd": 10, "seven": 8, "wide": 10, "table": 6, "mac": 5, "four": 6, "compact": 8,
    "buffered": 8,
}
"""How many, by machine."""


def drawn(config: Config, count: int, seed: int, suited: Callable) -> Iterator[LoweredEndless]:
    """Draw networks that hear without end and fit, each with a random distance of its scores."""
    rng, found, refused = np.random.default_rng(seed), 0, 0
    while found < count:
        network = suited(random_network(rng, size=("tiny", "small")[found % 2]), config)
        if all(layer.pool != "global" for layer in network.layers):
            continue
        most = Endless(network=network, every=1).window
        it = Endless(network=network, every=int(rng.integers(1, most + 1)))
        try:
            lowered = lower_endless(it, config)
        except FitError:
            refused += 1
            assert refused < 10 * count, "most networks must fit"
            continue
        found += 1
        yield lowered


def stream(it: Endless, scores: int, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    shape = (*it.network.input_shape[:2], it.frames + (scores - 1) * it.hop)
    return rng.integers(2**it.network.input_bits, size=shape, dtype=np.uint8)


def cut(codes: Codes, longest: int, seed: int) -> Iterator[Codes]:
    rng, at = np.random.default_rng(seed), 0
    while at < codes.shape[2]:
        end = at + int(rng.integers(0, longest + 1))
        yield codes[:, :, at:end]
        at = end


def followed(talk: Talk, lowered: LoweredEndless, codes: Codes, longest: int) -> list[Codes]:
    """Give the scores of a stream, the machine idle at its end."""
    load(talk, lowered)
    found: list[Codes] = []
    count = (codes.shape[2] - lowered.period.endless.frames) // lowered.period.endless.hop + 1
    for exchange in lowered.exchanges(cut(codes, longest, 1)):
        played = played_on(talk, exchange)
        if exchange.score:
            found.append(lowered.raw(played.replies))
        if len(found) == count:
            break
    return found


def latency(talk: Talk, lowered: LoweredEndless, codes: Codes) -> tuple[int, int]:
    """Play one period that waits for its last frame; give the cycles after that, and in all."""
    frames, lead = lowered.period.schedule.frames, lowered.period.lead
    first, last = codes[:, :, : frames - lead - 1], codes[:, :, frames - lead - 1 : frames - lead]
    exchanges = lowered.exchanges([first, last])
    load(talk, lowered)
    played_on(talk, next(exchanges))
    talk.idle(2 * lowered.cycles)
    played = played_on(talk, next(exchanges))
    after = int(played.reply_cycles[-2] - played.sent_cycles[1])
    whole = played_on(talk, next(lowered.exchanges([codes[:, :, : frames - lead]])))
    return after, int(whole.replies[-1][-1])


@pytest.mark.parametrize("machine", NETWORKS)
def test_bits_and_cycles_are_those_predicted(engines, machine, suited) -> None:
    compared(engines(machine), NETWORKS[machine], len(machine), suited)


def test_no_word_is_looked_at_that_is_written_while_it_is_read(machines, suited) -> None:
    """The same with memories that spoil such words: see `sim.collisions`."""
    config = machines["table"]
    with spoiling():
        text = to_verilog(Accelerator(config))
    compared(RtlEngine(config, verilog=text), 4, 1, suited)


def compared(engine: RtlEngine, count: int, seed: int, suited: Callable) -> None:
    seen: Counter[str] = Counter()
    with talking(engine.model, 50_000_000) as talk:
        for number, lowered in enumerate(drawn(engine.config, count, seed, suited)):
            it = lowered.period.endless
            shapes = [(layer.weights.shape, layer.stride, layer.pool) for layer in it.convolutions]
            where = f"network {number}: {it.network.input_shape}, every {it.every}, {shapes}"
            codes = stream(it, 4, number)
            want = list(TorchFollower().follow(it, [codes]))
            longest = (codes.shape[2], 3, 17)[number % 3]
            np.testing.assert_array_equal(followed(talk, lowered, codes, longest), want, where)
            plan = lowered.period
            if plan.schedule.frames - plan.lead >= 2 and plan.schedule.frames > plan.lead + 1:
                after, whole = latency(talk, lowered, codes)
                assert after == lowered.latency, where
                assert whole == lowered.cycles, where
                seen["timed"] += 1
            seen["turned"] += plan.turn(1) != plan.turn(2)
            seen["warm"] += plan.warm_up > 0
            seen["history"] += plan.history != 0
    assert min(seen["timed"], seen["turned"], seen["warm"], seen["history"]) > 0, seen


def test_the_shipped_network_on_medium() -> None:
    it = endless(netfile.load(clip.SHIPPED))
    codes = stream(it, 2)
    lowered = lower_endless(it, preset("medium"))
    first = codes.shape[2] - it.hop  # the first score's last frame, alone
    exchanges = lowered.exchanges(np.split(codes, [first - 1, first], axis=2))
    with talking(RtlEngine(preset("medium")).model, patience(lowered)) as talk:
        load(talk, lowered)
        raws = []
        for exchange in exchanges:
            played = played_on(talk, exchange)
            if exchange.score:
                raws.append(lowered.raw(played.replies))
            if len(raws) == 2:
                break
            if len(raws) == 1 and exchange.ends:
                assert played.reply_cycles[-2] - played.sent_cycles[1] == lowered.latency
            if not exchange.ends:
                talk.idle(2 * lowered.cycles)
    np.testing.assert_array_equal(raws, list(TorchFollower().follow(it, [codes])))
    assert lowered.latency < lowered.cycles / 5


def test_a_stream_in_pieces_of_any_length(machines) -> None:
    it = endless(tiny_network())
    codes = stream(it, 5)
    want = list(TorchFollower().follow(it, [codes]))
    for longest in (1, 40):
        got = list(RtlFollower(machines["tiny"]).follow(it, cut(codes, longest, longest)))
        np.testing.assert_array_equal(got, want)


def test_what_a_machine_refuses_ends_the_simulation(engines) -> None:
    lowered = lower_endless(endless(tiny_network()), engines("tiny").config)
    bad = np.array([5 << 24 | 1, 0], np.uint32)  # CODES, and nothing runs
    with talking(engines("tiny").model, patience(lowered)) as talk:
        load(talk, lowered)
        exchange = next(lowered.exchanges([stream(lowered.period.endless, 1)]))
        with pytest.raises(SimulationError, match="not answer IDLE"):
            played_on(talk, type(exchange)(packets=(bad,), replies=1, ends=False, score=False))
        with pytest.raises(SimulationError, match="1 replies must come within"):
            talk.play(Phase(packets=(), replies=1))
        with pytest.raises(SimulationError, match="must go on, not end"):
            talk.idle(1)


def test_a_simulation_that_cannot_begin_is_told(engines, monkeypatch) -> None:
    monkeypatch.setattr("sim.live.run_module", lambda *_, **__: 1 / 0)
    with pytest.raises(SimulationError, match="must begin to run, not end: division by zero"):
        with talking(engines("tiny").model, 1):
            pass
