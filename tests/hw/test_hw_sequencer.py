"""The sequencer on hand-written programs."""

from functools import partial

import pytest

from hw.clock import FETCH, GO
from hw.compact_ingest import ring_bits
from hw.compact_sequencer import CompactSequencer
from hw.ingest import RING_BITS
from hw.program import LAYER, READ, RESULT, RUN, SIMPLE, Op, words
from hw.sequencer import LAYER_WORDS, RUN_WORDS, Sequencer

LAYER_FIELDS = {"passes": 3, "tiles": 2, "ring_size": 999, "codes": 1, "steps": 33, "band_inc": 15}
RUN_FIELDS = {"start": 7, "frame": -3, "blocks": 12, "last_groups": 65535, "out_start": 4097}


class Machine:
    """The sequencer's surroundings: program memory, and what each instruction starts."""

    def __init__(self, kind, simulate, program, *, start=0, run_cycles=5, read_cycles=3):
        self.kind, self.program, self.start = kind, program, start
        self.run_cycles, self.read_cycles = run_cycles, read_cycles
        self.simulate = simulate
        self.log = []  # (cycle, what, fields), cycle 0 is the one of `start`

    def play(self, received=lambda cycle: 1 << 15, clips=1):
        sequencer = self.kind()
        names = ("busy", "limit", "running", "go", "read_go", "result_go", "r_en", "r_addr")

        async def bench(ctx):
            cycle, started, due = 0, 0, {}
            before = {"limit": 0, "busy": 0}
            while True:
                ctx.set(sequencer.received, received(cycle))
                ctx.set(sequencer.run_done, due.get(cycle) == "run_done")
                ctx.set(sequencer.reader_done, due.get(cycle) == "reader_done")
                now = {name: ctx.get(getattr(sequencer, name)) for name in names}
                start = not now["busy"] and started < clips
                ctx.set(sequencer.start, start)
                ctx.set(sequencer.start_addr, self.start if start else 0xFFFF)
                if start:
                    started += 1
                    self.log.append((cycle, "start", None))
                if now["limit"] != before["limit"]:
                    self.log.append((cycle, "limit", now["limit"]))
                if before["busy"] and not now["busy"]:
                    self.log.append((cycle, "idle", None))
                    if started == clips and not start:
                        return
                if now["go"]:
                    assert now["running"]
                    fields = {n: ctx.get(getattr(sequencer.run, n)) for n in RUN_FIELDS}
                    fields |= {n: ctx.get(getattr(sequencer.layer, n)) for n in LAYER_FIELDS}
                    self.log.append((cycle, "go", fields))
                    due[cycle + self.run_cycles] = "run_done"
                if now["read_go"]:
                    assert not now["running"]
                    fields = {n: ctx.get(getattr(sequencer.read, n)) for n in
                              ("layer", "start", "count")}
                    self.log.append((cycle, "read", fields))
                    due[cycle + self.read_cycles] = "reader_done"
                if now["result_go"]:
                    assert not now["running"]
                    fields = {n: ctx.get(getattr(sequencer.result, n)) for n in
                              ("start", "lane", "first", "last")}
                    self.log.append((cycle, "result", fields))
                    due[cycle + self.read_cycles] = "reader_done"
                before = now
                await ctx.tick()
                if now["r_en"]:
                    ctx.set(sequencer.r_data, self.program[now["r_addr"]])
                cycle += 1

        self.simulate(sequencer, bench)
        return self.log


KINDS = {
    "fast": partial(Sequencer, program_words=1 << 16),
    "compact": partial(CompactSequencer, program_words=1 << 16, code_words=1 << 16),
}


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def machine(kind, simulate):
    return partial(Machine, kind, simulate)


@pytest.fixture
def fetch(kind):
    """Cycles of an instruction's fetch and decode."""
    return FETCH - (kind is KINDS["compact"])


LAST = {"start": 3, "lane": 1, "first": 1, "last": 1}


def simple(op, count):
    return words(SIMPLE, op=op, count=count)


def result(**fields):
    return words(RESULT, op=Op.RESULT, **{**LAST, **fields})


def test_a_limit_and_a_fulfilled_wait_take_no_more_than_their_fetch(machine, fetch):
    program = simple(Op.LIMIT, 5) + simple(Op.LIMIT, 9) + simple(Op.WAIT, 4)
    program += simple(Op.LIMIT, (1 << RING_BITS) - 1) + result()
    log = machine(program).play(received=lambda cycle: 4)
    assert [each for each in log if each[1] == "limit"] == [
        (1 + fetch, "limit", 5), (1 + 2 * fetch, "limit", 9),
        (1 + 4 * fetch, "limit", (1 << RING_BITS) - 1),
    ]
    assert (5 * fetch, "result", LAST) in log


@pytest.mark.parametrize("arrives", [0, 3, 4, 5, 21])
def test_a_wait_ends_in_the_cycle_in_which_the_codes_are_there(machine, fetch, arrives):
    program = simple(Op.WAIT, 100) + simple(Op.LIMIT, 1) + result()

    def received(cycle):
        return 100 if cycle >= arrives else 99

    log = machine(program).play(received=received)
    decoded = max(fetch, arrives)
    assert (decoded + 1 + fetch, "limit", 1) in log


@pytest.mark.parametrize("count", [1 << RING_BITS, 3 * (1 << RING_BITS) + 70000])
@pytest.mark.parametrize("ahead", [0, 1, (1 << 16) - 1])
def test_codes_are_counted_modulo_more_than_a_ring(machine, fetch, count, ahead):
    """No ring has more than 2^16 - 1 codes, and no count is further away than that."""
    modulus = 1 << RING_BITS
    program = simple(Op.WAIT, count) + simple(Op.LIMIT, count + 5) + result()

    def received(cycle):
        return (count + ahead if cycle >= 30 else count - 1 - ahead) % modulus

    log = machine(program).play(received=received)
    assert [each for each in log if each[1] == "limit"] == [
        (30 + 1 + fetch, "limit", (count + 5) % modulus),
    ]


def test_a_run_goes_with_its_place_and_its_layer(machine, fetch):
    layer_at = 20
    program = words(RUN, op=Op.RUN, layer=layer_at, **RUN_FIELDS) + simple(Op.LIMIT, 8) + result()
    program += [0xFFFFFFFF] * (layer_at - len(program)) + words(LAYER, **LAYER_FIELDS)
    log = machine(program, run_cycles=9).play()
    go = 1 + fetch + GO
    assert go == fetch + RUN_WORDS + LAYER_WORDS + 2
    assert go == fetch + 14  # as the docstring says
    assert log[1] == (go, "go", RUN_FIELDS | LAYER_FIELDS)
    # The next instruction is fetched in the cycle after `run_done`.
    assert (go + 9 + 1 + fetch, "limit", 8) in log


def test_layers_are_shared_by_runs(machine):
    first = words(RUN, op=Op.RUN, layer=10, **RUN_FIELDS)
    second = words(RUN, op=Op.RUN, layer=10, **{**RUN_FIELDS, "start": 1})
    program = first + second + result()
    program += [0] * (10 - len(program)) + words(LAYER, **LAYER_FIELDS)
    log = machine(program).play()
    goes = [fields for _, what, fields in log if what == "go"]
    assert [fields["start"] for fields in goes] == [7, 1]
    assert {k: goes[0][k] for k in LAYER_FIELDS} == {k: goes[1][k] for k in LAYER_FIELDS}


def test_maps_and_results_are_asked_for_one_after_the_other(machine, fetch):
    read = {"layer": 3, "start": 65535, "count": 77}
    program = words(READ, op=Op.READ, **read) + result(last=0) + result(first=0, lane=1023)
    log = machine(program, read_cycles=4).play()
    assert [what for _, what, _ in log] == ["start", "read", "result", "result", "idle"]
    assert log[1][2] == read
    assert log[2][2] == {**LAST, "last": 0}
    assert log[3][2] == {**LAST, "first": 0, "lane": 1023}
    # A result is asked for once the instruction that follows what came before is decoded.
    assert log[2][0] == log[1][0] + 4 + fetch
    assert log[3][0] == log[2][0] + 4 + fetch
    assert log[4][0] == log[3][0] + 4 + 1


def test_the_next_clip_begins_anew_from_its_address(machine):
    program = [0xFFFFFFFF] * 6 + simple(Op.LIMIT, 3) + simple(Op.LIMIT, 4) + result()
    log = machine(program, start=6).play(clips=2)
    # The limit falls to 0 with the start, before any code of the new clip is accepted.
    assert [(what, value) for _, what, value in log if what in ("start", "limit")] == [
        ("start", None), ("limit", 3), ("limit", 4),
        ("start", None), ("limit", 0), ("limit", 3), ("limit", 4),
    ]


@pytest.mark.parametrize("op", [0, 6, 15])
def test_what_is_no_instruction_ends_the_program(machine, fetch, op):
    log = machine([op << 28, *simple(Op.LIMIT, 1)]).play()
    assert log == [(0, "start", None), (1 + fetch, "idle", None)]


@pytest.mark.parametrize("ahead", [0, 1, 40])
def test_a_small_ring_needs_few_bits_of_a_count(simulate, ahead):
    """Its codes are counted modulo more than twice its size."""
    bits = ring_bits(40)
    assert 40 < 1 << bits - 1
    kind = partial(CompactSequencer, program_words=64, code_words=40)
    for count in (40, 9999, 1 << bits):
        program = simple(Op.WAIT, count) + simple(Op.LIMIT, count + 5) + result()

        def received(cycle, count=count):
            return (count + ahead if cycle >= 30 else count - 1 - ahead) % (1 << bits)

        log = Machine(kind, simulate, program).play(received=received)
        assert [each for each in log if each[1] == "limit"] == [
            (30 + FETCH, "limit", (count + 5) % (1 << bits)),
        ]
