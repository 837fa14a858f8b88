"""The commander: every command, every error, and work that goes on after each."""

from dataclasses import replace

import numpy as np
import pytest

from hw.commander import Commander
from hw.config import Config
from hw.packets import MAGIC, Command, Error, Reply, header

MACHINES = {
    "1-column": Config(lanes=4, columns=1, weight_rows=9, program_words=20, code_words=50),
    "3-columns": Config(lanes=4, columns=3, weight_rows=9, program_words=20, code_words=50),
    "4-columns": Config(lanes=4, columns=4, weight_rows=9, program_words=20, code_words=50),
    "7-columns": Config(lanes=4, columns=7, weight_rows=9, program_words=20, code_words=50),
}
IDENTITY = 0x89ABCDEF


class Session:
    """A commander with the memories around it, and everything that it did to them."""

    def __init__(self, simulate, streams, config, *, busy=0, codes=0):
        self.simulate, self.streams, self.config = simulate, streams, config
        self.busy, self.codes_left = busy, codes
        self.program, self.weights, self.starts, self.codes = {}, {}, [], []

    def run(self, packets, replies=None, *, gap=0.0, stall=0.0):
        """Send `packets`; return the replies."""
        commander = Commander(self.config, identity=IDENTITY)
        send = self.streams.sender(commander.i, packets, gap=gap, seed=1)
        count = len(packets) if replies is None else replies
        receive, got = self.streams.receiver(commander.o, count, stall=stall, seed=2)
        ended = []

        async def sender(ctx):
            await send(ctx)
            ended.append(1)

        async def receiver(ctx):
            await receive(ctx)
            for _ in range(8):  # what is still on its way is done, and no more comes
                await ctx.tick()
                assert not ctx.get(commander.o.valid)
            ended.append(1)

        async def memories(ctx):
            rng = np.random.default_rng(3)
            left = self.codes_left
            column = 0  # that of the next weight: a row's first one comes marked
            while len(ended) < 2:
                ctx.set(commander.busy, self.busy)
                ctx.set(commander.codes_full, left == 0)
                ready = left > 0 and rng.random() < 0.6
                ctx.set(commander.codes_ready, ready)
                _, _, p_en, write, start, codes, *at_edge = await ctx.tick().sample(
                    commander.p_en, commander.write, commander.start, commander.codes_valid,
                    commander.p_addr, commander.p_data, commander.start_addr, commander.total,
                    commander.size, commander.codes,
                )
                if p_en:
                    self.program[at_edge[0]] = at_edge[1]
                if write.valid:
                    column = 0 if write.first else column + 1
                    self.weights[write.addr, column] = write.data
                if start:
                    self.starts.append(tuple(at_edge[2:5]))
                if ready and codes:
                    self.codes.append(at_edge[5])
                    left -= 1

        self.simulate(commander, sender, receiver, memories)
        return got


@pytest.fixture(params=["1-column", "3-columns", "7-columns"])
def config(request):
    return MACHINES[request.param]


@pytest.fixture
def session(simulate, streams):
    def make(config, **state):
        return Session(simulate, streams, config, **state)

    return make


def packet(command, *payload):
    return [header(command, len(payload)), *payload]


def ok(command):
    return [header(Reply.OK, command)]


def error(why):
    return [header(Reply.ERROR, why)]


HELLO = packet(Command.HELLO)
HELLO_REPLY = [header(Reply.OK, Command.HELLO), MAGIC, IDENTITY]


@pytest.mark.parametrize(("gap", "stall"), [(0, 0), (0.5, 0), (0, 0.5), (0.5, 0.5)])
def test_hello_tells_who_answers(session, config, gap, stall):
    assert session(config).run([HELLO] * 3, gap=gap, stall=stall) == [HELLO_REPLY] * 3


def test_hello_is_answered_while_a_program_runs(session, config):
    assert session(config, busy=1).run([HELLO]) == [HELLO_REPLY]


@pytest.mark.parametrize("gap", [0, 0.5])
def test_program_words_are_written_from_their_address_on(session, config, gap):
    machine = session(config)
    words = [0xFFFFFFFF, 0, 0x12345678]
    packets = [packet(Command.PROGRAM, 17, *words), packet(Command.PROGRAM, 0, 7)]
    assert machine.run(packets, gap=gap) == [ok(Command.PROGRAM)] * 2
    assert machine.program == {17: words[0], 18: words[1], 19: words[2], 0: 7}


@pytest.mark.parametrize("gap", [0, 0.5])
def test_weights_go_to_rows_and_columns(session, config, gap):
    machine = session(config)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (5, config.columns))
    data = np.zeros(-(-rows.size // 4) * 4, np.uint8)
    data[: rows.size] = rows.ravel()
    words = data.view("<u4").tolist()
    assert machine.run([packet(Command.WEIGHTS, 3, *words)], gap=gap) == [ok(Command.WEIGHTS)]
    written = {
        (3 + row, column): rows[row, column]
        for row in range(5)
        for column in range(config.columns)
    }
    assert machine.weights.items() >= written.items()
    # A word's unused bytes follow; they stay in the row behind.
    assert {row for row, _ in machine.weights.keys() - written.keys()} <= {8}


def test_the_last_row_takes_a_word_that_is_not_full(session):
    config = MACHINES["3-columns"]
    machine = session(config)
    last = config.weight_rows - 1
    assert machine.run([packet(Command.WEIGHTS, last, 0x04030201)]) == [ok(Command.WEIGHTS)]
    assert machine.weights == {(last, 0): 1, (last, 1): 2, (last, 2): 3}


@pytest.mark.parametrize("bad", ["weights-short", "weights-long", "weights-range"])
def test_weights_begin_anew_after_a_packet_that_broke_off(session, config, bad):
    """A word of four weights ends anywhere in a row; the next packet's first one is marked."""
    config = replace(config, weight_rows=11)
    machine = session(config)
    good = packet(Command.WEIGHTS, 2, 0x04030201, 0x08070605)
    broken = packet(Command.WEIGHTS, 11, 1) if bad == "weights-range" else REFUSED[bad][0]
    replies = machine.run([broken, good, broken, good])
    assert replies == [error(REFUSED[bad][1]), ok(Command.WEIGHTS)] * 2
    for k in range(8 // config.columns * config.columns):
        assert machine.weights[2 + k // config.columns, k % config.columns] == k + 1


def test_a_start_names_address_codes_and_ring(session, config):
    machine = session(config)
    assert machine.run([packet(Command.START, 5, 239040, 50)]) == [ok(Command.START)]
    assert machine.starts == [(5, 239040, 50)]


@pytest.mark.parametrize("gap", [0, 0.5])
def test_codes_go_to_the_ingest(session, config, gap):
    machine = session(config, busy=1, codes=4)
    packets = [packet(Command.CODES, 1, 2, 3), packet(Command.CODES, 0xFFFFFFFF)]
    assert machine.run(packets, gap=gap) == [ok(Command.CODES)] * 2
    assert machine.codes == [1, 2, 3, 0xFFFFFFFF]


def short(command, *payload):
    """One payload word less than the header says."""
    return [header(command, len(payload) + 1), *payload]


def long(command, *payload):
    """One payload word more than the header says."""
    return [header(command, len(payload) - 1), *payload]


REFUSED = {
    "unknown": (packet(0x77), Error.UNKNOWN),
    "unknown-with-payload": (packet(0, 1, 2, 3), Error.UNKNOWN),
    "reply-as-command": (packet(Reply.OK), Error.UNKNOWN),
    "hello-long": (packet(Command.HELLO, 1), Error.LENGTH),
    "hello-unsaid-payload": ([header(Command.HELLO, 0), 1, 2], Error.LENGTH),
    "hello-said-payload": ([header(Command.HELLO, 2)], Error.LENGTH),
    "program-empty": (packet(Command.PROGRAM), Error.LENGTH),
    "program-zero-said": ([header(Command.PROGRAM, 0), 0, 1], Error.LENGTH),
    "program-no-payload": ([header(Command.PROGRAM, 3)], Error.LENGTH),
    "program-short": (short(Command.PROGRAM, 0, 1), Error.LENGTH),
    "program-address-short": (short(Command.PROGRAM, 0), Error.LENGTH),
    "program-long": (long(Command.PROGRAM, 0, 1, 2), Error.LENGTH),
    "program-far-long": ([header(Command.PROGRAM, 2), 0, *range(30)], Error.LENGTH),
    "program-range": (packet(Command.PROGRAM, 20, 1), Error.RANGE),
    "program-range-later": (packet(Command.PROGRAM, 19, 1, 2, 3), Error.RANGE),
    "program-range-far": (packet(Command.PROGRAM, 0x10000, 1), Error.RANGE),
    "weights-empty": (packet(Command.WEIGHTS), Error.LENGTH),
    "weights-short": (short(Command.WEIGHTS, 0, 1), Error.LENGTH),
    "weights-long": (long(Command.WEIGHTS, 0, 1, 2), Error.LENGTH),
    "weights-range": (packet(Command.WEIGHTS, 9, 1), Error.RANGE),
    "weights-range-far": (packet(Command.WEIGHTS, 0x80000000, 1), Error.RANGE),
    "start-empty": (packet(Command.START), Error.LENGTH),
    "start-one": (packet(Command.START, 0), Error.LENGTH),
    "start-two": (packet(Command.START, 0, 10), Error.LENGTH),
    "start-short": (short(Command.START, 0, 10, 50), Error.LENGTH),
    "start-long": (packet(Command.START, 0, 10, 50, 1), Error.LENGTH),
    "start-unsaid": (long(Command.START, 0, 10, 50), Error.LENGTH),
    "start-address": (packet(Command.START, 0x10000, 10, 50), Error.RANGE),
    "start-no-ring": (packet(Command.START, 0, 10, 0), Error.RANGE),
    "start-ring": (packet(Command.START, 0, 10, 51), Error.RANGE),
    "start-no-codes": (packet(Command.START, 0, 0, 50), Error.RANGE),
    "start-codes": (packet(Command.START, 0, 1 << 28, 50), Error.RANGE),
    "codes-idle": (packet(Command.CODES, 1, 2), Error.IDLE),
    "codes-empty": (packet(Command.CODES), Error.LENGTH),
    "codes-no-payload": ([header(Command.CODES, 2)], Error.LENGTH),
}

REFUSED_BUSY = {
    "program": (packet(Command.PROGRAM, 0, 1), Error.BUSY),
    "weights": (packet(Command.WEIGHTS, 0, 1), Error.BUSY),
    "start": (packet(Command.START, 0, 10, 50), Error.BUSY),
    "codes-short": (short(Command.CODES, 1, 2), Error.LENGTH),
    "codes-long": (long(Command.CODES, 1, 2, 3), Error.LENGTH),
    "codes-empty": (packet(Command.CODES), Error.LENGTH),
    "codes-too-many": (packet(Command.CODES, 1, 2, 3, 4, 5), Error.LENGTH),
    "unknown": (packet(0xFF, 1), Error.UNKNOWN),
}


@pytest.mark.parametrize(("bad", "why"), REFUSED.values(), ids=REFUSED)
def test_a_bad_command_is_refused_and_work_goes_on(session, bad, why):
    config = MACHINES["3-columns"]
    machine = session(config)
    good = [HELLO, packet(Command.PROGRAM, 1, 5), packet(Command.WEIGHTS, 1, 5),
            packet(Command.START, 1, 1, 1)]
    replies = machine.run([bad, *good, bad, *good])
    fine = [HELLO_REPLY, ok(Command.PROGRAM), ok(Command.WEIGHTS), ok(Command.START)]
    assert replies == [error(why), *fine] * 2
    assert machine.starts == [(1, 1, 1)] * 2
    assert machine.codes == []
    assert all(at < config.program_words for at in machine.program)
    assert all(row < config.weight_rows for row, _ in machine.weights)


@pytest.mark.parametrize(("bad", "why"), REFUSED_BUSY.values(), ids=REFUSED_BUSY)
def test_a_bad_command_is_refused_while_a_program_runs(session, bad, why):
    machine = session(MACHINES["3-columns"], busy=1, codes=4)
    assert machine.run([bad, HELLO]) == [error(why), HELLO_REPLY]
    assert machine.program == {}
    assert machine.weights == {}
    assert machine.starts == []
    assert len(machine.codes) <= 4


def test_every_error_is_among_them():
    assert {why for _, why in (*REFUSED.values(), *REFUSED_BUSY.values())} == set(Error)


def test_weights_are_refused_beyond_the_last_row_but_those_before_stay(session):
    config = MACHINES["4-columns"]
    machine = session(config)
    words = [0x01010101 * (i + 1) for i in range(4)]
    assert machine.run([packet(Command.WEIGHTS, 7, *words)]) == [error(Error.RANGE)]
    assert machine.weights == {(7 + i, j): i + 1 for i in (0, 1) for j in range(4)}


def test_random_packets_are_all_answered(session):
    """Garbage of any length: one reply each, an error unless it is a command by chance."""
    rng = np.random.default_rng(9)
    packets = [
        [int(w) for w in rng.integers(0, 2**32, rng.integers(1, 6))] for _ in range(40)
    ]
    packets[3::4] = [[header(int(rng.integers(0, 8)), int(rng.integers(0, 5))), *p[1:]]
                     for p in packets[3::4]]
    machine = session(MACHINES["7-columns"])
    replies = machine.run([*packets, HELLO], gap=0.2, stall=0.2)
    assert len(replies) == len(packets) + 1
    assert replies[-1] == HELLO_REPLY
    assert {reply[0] >> 24 for reply in replies} <= {Reply.OK, Reply.ERROR}
