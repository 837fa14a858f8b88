"""How the tests of `hw` drive a component in Amaranth's own simulator."""

import itertools
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import data, wiring
from amaranth.sim import Simulator, SimulatorContext

from golden.random_networks import Size, random_network
from hw.config import Config
from hw.program import LAYER, PASS, READ, RESULT, RUN, SIMPLE, Op

Bench = Callable[[SimulatorContext], Awaitable[None]]
Row = Mapping[str, Any]


def _simulate(component: wiring.Component, *benches: Bench, cycles: int = 5000) -> None:
    """Run `benches` beside `component` until all have ended; more than `cycles` are a failure."""
    top = Module()
    top.submodules.dut = component
    top.d.sync += Signal().eq(1)  # a clock also for what has no register
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    ended = []

    def watched(bench: Bench) -> Bench:
        async def run(ctx: SimulatorContext) -> None:
            await bench(ctx)
            ended.append(bench)

        return run

    for bench in benches:
        simulator.add_testbench(watched(bench))
    simulator.run_until(cycles * 1e-6)
    assert len(ended) == len(benches), f"not done after {cycles} cycles"


def _plain(value: Any) -> Any:
    """Return a sampled port as plain data: a struct as a dict, an array as a list."""
    if hasattr(value, "shape") and hasattr(value.shape(), "members"):
        return {name: _plain(value[name]) for name in value.shape().members}
    return value


def _port(component: wiring.Component, path: str) -> Any:
    for name in path.split("."):
        component = component[int(name)] if name.isdigit() else getattr(component, name)
    return component


def _play(
    component: wiring.Component, rows: Iterable[Row], watch: Sequence[str],
) -> list[dict[str, Any]]:
    """Give each cycle's inputs (ports not named are 0) and return each cycle's `watch`ed ports.

    Both are of the same cycle: what a row gives is there before the clock's edge at its end.
    """
    rows = list(rows)
    driven = sorted({name for row in rows for name in row})
    seen: list[dict[str, Any]] = []

    ports = {name: _port(component, name) for name in (*driven, *watch)}
    zero = {n: {} if hasattr(ports[n].shape(), "members") else 0 for n in driven}

    async def bench(ctx: SimulatorContext) -> None:
        before = dict(zero)
        for row in rows:
            for name in driven:
                value = row.get(name, zero[name])
                if value != before[name]:
                    ctx.set(ports[name], value)
                    before[name] = value
            seen.append({name: _plain(ctx.get(ports[name])) for name in watch})
            await ctx.tick()

    _simulate(component, bench, cycles=len(rows) + 1)
    return seen


class Streams:
    """Packets in and out of a component's streams, one testbench each."""

    @staticmethod
    def sender(
        stream: Any, packets: Sequence[Sequence[int]], *, gap: float = 0.0, seed: int = 0,
    ) -> Bench:
        """Send `packets`, waiting before each word with probability `gap`, cycle by cycle."""
        rng = np.random.default_rng(seed)

        async def bench(ctx: SimulatorContext) -> None:
            for packet in packets:
                for i, word in enumerate(packet):
                    while rng.random() < gap:
                        await ctx.tick()
                    ctx.set(stream.valid, 1)
                    ctx.set(stream.payload, {"data": int(word), "last": i == len(packet) - 1})
                    await ctx.tick().until(stream.ready)
                    ctx.set(stream.valid, 0)

        return bench

    @staticmethod
    def receiver(
        stream: Any, count: int, *, stall: float = 0.0, seed: int = 0,
    ) -> tuple[Bench, list[list[int]]]:
        """Receive `count` packets; valid must stay, and the payload with it, while stalled."""
        rng = np.random.default_rng(seed)
        packets: list[list[int]] = [[]]

        async def bench(ctx: SimulatorContext) -> None:
            held = None
            while len(packets) <= count:
                ready = rng.random() >= stall
                ctx.set(stream.ready, ready)
                # Sampled at the clock's edge, when all that drives the stream has settled.
                _, _, valid, payload = await ctx.tick().sample(stream.valid, stream.payload)
                word = (payload.data, payload.last)
                if held is not None:
                    assert valid, "valid fell while the word waited"
                    assert word == held, "the word changed while it waited"
                held = word if valid and not ready else None
                if valid and ready:
                    packets[-1].append(word[0])
                    if word[1]:
                        packets.append([])
            packets.pop()

        return bench, packets


@pytest.fixture
def simulate():
    return _simulate


@pytest.fixture
def play():
    return _play


@pytest.fixture
def streams():
    return Streams


@pytest.fixture
def unpack():
    """Turn program words into the fields of a layout, as a port takes them."""

    def fields(layout: data.StructLayout, words: Sequence[int]) -> dict[str, int]:
        whole = sum(int(word) << 32 * i for i, word in enumerate(words))
        return {name: int(value) for name, value in _plain(layout.from_bits(whole)).items()}

    return fields


@pytest.fixture
def listing(unpack):
    """Read a program as the machine does: its instructions, with layer and passes of every RUN."""

    def read(program: Sequence[int]) -> list[dict[str, Any]]:
        found, at, op = [], 0, None
        while True:
            op = Op(int(program[at]) >> 28)
            layout = {Op.RUN: RUN, Op.READ: READ, Op.RESULT: RESULT}.get(op, SIMPLE)
            size = layout.size // 32
            each: dict[str, Any] = {"at": at, **unpack(layout, program[at : at + size]), "op": op}
            if op == Op.RUN:
                words = program[each["layer"] : each["layer"] + LAYER.size // 32]
                each["fields"] = unpack(LAYER, words)
                first, count = each["fields"]["passes_at"], each["fields"]["passes"]
                pairs = np.reshape(program[first : first + 2 * count], (-1, 2))
                each["passes"] = [unpack(PASS, pair) for pair in pairs]
            found.append(each)
            at += size
            if op == Op.RESULT and each["last"]:
                return found

    return read


@pytest.fixture(scope="session")
def small_networks():
    """Networks of every kind, small enough to walk through read by read."""
    size = Size(channels=5, bands=7, frames=9, convolutions=3, dense=1)
    return [random_network(np.random.default_rng(seed), size=size) for seed in range(12)]


@pytest.fixture
def used():
    """Mark a component that a test only looks at, so that Amaranth does not miss its use."""

    def mark(component: wiring.Component) -> wiring.Component:
        component._MustUse__used = True
        return component

    return mark


@pytest.fixture
def machines():
    """Small machines of every kind: one group and many, lanes no power of two, more columns."""
    kinds = itertools.starmap(
        lambda lanes, columns, groups: Config(
            lanes=lanes,
            columns=columns,
            groups=groups,
            acc_bits=32,
            strip=4,
            code_words=256,
            map_words=256,
            weight_rows=64,
            partial_sums=12,
            program_words=64,
        ),
        [(4, 3, 1), (6, 5, 3), (3, 7, 3), (12, 1, 4), (16, 3, 8)],
    )
    return {f"{c.lanes}x{c.columns}/{c.groups}": c for c in kinds}
