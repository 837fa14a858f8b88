"""The checker sees every planted fault and nothing else, in both simulators."""

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from sim.bench import Bench
from sim.checker import StreamChecker
from sim.job import Job, Phase
from sim.rules import Rule, describe_fault
from sim.simulation import SimulationError, run

WAIT, MOVE, QUIET, RESET = (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1)

TABLES = {
    "quiet": ([QUIET] * 4, "AAAA", 0),
    "waits and moves": ([WAIT, WAIT, MOVE, QUIET], "AAAB", 0),
    "back to back": ([MOVE, MOVE, WAIT, MOVE], "ABCC", 0),
    "withdrawn": ([WAIT, QUIET, QUIET, QUIET], "AAAA", Rule.HELD),
    "changed": ([WAIT, WAIT, MOVE, QUIET], "ABBB", Rule.STEADY),
    "changed as it is taken": ([WAIT, MOVE, QUIET, QUIET], "ABBB", Rule.STEADY),
    "both": ([WAIT, WAIT, QUIET, QUIET], "ABBB", Rule.STEADY | Rule.HELD),
    "withdrawn by reset": ([WAIT, (1, 0, 1), RESET, QUIET], "AABB", 0),
    "withdrawn as reset comes": ([WAIT, RESET, RESET, QUIET], "ABBB", 0),
    "speaks in reset": ([RESET, (1, 0, 1), RESET, QUIET], "AAAA", Rule.QUIET_RESET),
    "moves in reset": ([RESET, (1, 1, 1), RESET, QUIET], "AAAA", Rule.QUIET_RESET),
    "starts too early": ([RESET, RESET, MOVE, QUIET], "AAAA", Rule.CLEAN_START),
    "starts in time": ([RESET, RESET, QUIET, MOVE], "AAAA", 0),
}


def with_reset(component):
    """Return `component` in a module whose reset a test bench drives, and that domain."""
    m = Module()
    m.domains.sync = domain = ClockDomain("sync")
    m.submodules.dut = component
    return m, domain


@pytest.mark.unit
@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("width", [1, 7, 33])
def test_judges_a_table_of_cycles(name, width):
    cycles, payloads, expected = TABLES[name]
    dut = StreamChecker(width)
    m, domain = with_reset(dut)

    async def bench(ctx):
        for (valid, ready, reset), payload in zip(cycles, payloads, strict=True):
            ctx.set(dut.valid, valid)
            ctx.set(dut.ready, ready)
            ctx.set(domain.rst, reset)
            ctx.set(dut.payload, (ord(payload) & 1) << (width - 1))
            await ctx.tick()
        assert Rule(ctx.get(dut.fault)) == expected
        ctx.set(domain.rst, 0)
        ctx.set(dut.valid, 0)
        await ctx.tick().repeat(5)
        assert ctx.get(dut.fault) & expected == expected

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def expected_rule(fault):
    return Rule[fault.name] if fault.name in Rule.__members__ else Rule(0)


@pytest.mark.unit
@pytest.mark.parametrize("number", range(5))
def test_sees_planted_faults_in_amaranth(make_faulty, faults, number):
    fault = faults(number)
    dut = Bench(make_faulty())
    m, domain = with_reset(dut)

    async def bench(ctx):
        ctx.set(dut.i_data, fault)
        ctx.set(dut.i_last, 1)
        ctx.set(dut.i_valid, 1)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick().repeat(4)  # the answer waits, long enough to be dropped or changed
        ctx.set(dut.o_ready, 1)
        await ctx.tick().repeat(4)
        ctx.set(domain.rst, 1)
        for _ in range(3):  # `repeat` gives up in reset
            await ctx.tick()
        ctx.set(domain.rst, 0)
        await ctx.tick().repeat(3)
        assert Rule(ctx.get(dut.fault) >> len(Rule)) == expected_rule(fault)
        assert ctx.get(dut.fault) & (2 ** len(Rule) - 1) == 0

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.unit
def test_watches_the_driver_too(make_loopback):
    dut = Bench(make_loopback())
    m, _ = with_reset(dut)

    async def bench(ctx):
        ctx.set(dut.i_valid, 1)
        await ctx.tick().repeat(30)  # the FIFO is full: the word waits
        ctx.set(dut.i_data, 5)
        await ctx.tick()
        ctx.set(dut.i_valid, 0)
        await ctx.tick()
        assert describe_fault(ctx.get(dut.fault)) == "stream i: HELD, STEADY"

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.cosim
@pytest.mark.parametrize("number", range(5))
def test_sees_planted_faults_in_verilator(faulty, faults, number):
    fault = faults(number)
    packet = np.array([number], np.uint32)
    phases = (
        Phase(packets=(packet,), replies=1),
        Phase(packets=(), replies=1, reset_after=20),
        Phase(packets=(packet,), replies=1),
    )
    job = Job(phases=phases, stall=0.8, seed=3, timeout=1000)
    if fault is faults.NONE:
        result = run(faulty, job)
        assert [len(played.replies) for played in result.phases] == [1, 0, 1]
        return
    with pytest.raises(SimulationError, match=f"rules: stream o: {fault.name}$"):
        run(faulty, job)
