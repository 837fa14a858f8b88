"""The whole link in Verilator: no fault of the line makes it lose, double or forge a word."""

import itertools
import json

import numpy as np
import pytest

import bambino
from boards.link import faults, protocol
from boards.link.host import Host, LinkError, Patience
from boards.link.mirror import answers
from boards.link.protocol import PIECE_WORDS, Kind, Status

pytestmark = pytest.mark.cosim

FRAMES = 3000
PATIENCE = Patience(seconds=faults.LONGEST_REPLY / faults.CLOCK, tries=3, greetings=3)


@pytest.fixture
def model():
    with faults.mirror() as switched_on:
        yield switched_on


@pytest.fixture
def line(model):
    return faults.FaultyLine(model, rate=0, seed=0)


def words(*values):
    return np.array(values, np.uint32)


def exchange(line, kind, sequence, payload=b""):
    """One request, with any number; its reply, or None."""
    line.write(protocol.request(kind, sequence, payload))
    got = line.read(PATIENCE.seconds)
    return protocol.parse(got[:-1]) if got else None


def test_faults_cost_time_only(capsys):
    assert bambino.main(["faults", "--frames", str(FRAMES), "--seed", "5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["good"]
    assert (found["wrong"], found["hangs"]) == (0, 0)
    assert found["answered"] == found["packets"] > FRAMES / 10
    assert found["frames"] >= FRAMES
    assert sum(found["faults"].values()) > FRAMES / 8
    assert min(found["faults"].values()) > 0
    assert min(found["resent"], found["dropped"], found["repeated"]) > FRAMES / 50


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--frames", "0"], "frames must be at least 1, not 0"),
        (["--rate", "0.6"], "rate must be from 0 to 0.5, not 0.6"),
        (["--rate", "nan"], "rate must be from 0 to 0.5, not nan"),
        (["--seed", "-1"], "seed must be at least 0, not -1"),
    ],
)
def test_a_run_that_cannot_be_is_refused(options, rule, capsys):
    assert bambino.main(["faults", *options]) == 2
    assert rule in capsys.readouterr().err


def test_without_faults_nothing_is_sent_twice():
    found = faults.survive(200, rate=0, seed=2)
    assert found.good
    assert (found.resent, found.dropped, found.repeated) == (0, 0, 0)


def test_words_that_come_twice_are_seen(monkeypatch):
    once = Host._exchange

    def twice(self, kind, payload, tries):
        reply = once(self, kind, payload, tries)
        again = kind == Kind.WORDS and payload and not reply.payload
        return once(self, kind, payload, tries) if again else reply

    monkeypatch.setattr(Host, "_exchange", twice)
    found = faults.survive(400, rate=0, seed=2)
    assert not found.good
    assert found.wrong > 0


def test_a_number_out_of_turn_has_no_effect(line):
    assert exchange(line, Kind.WORDS, 1) is None  # there has been no OPEN
    assert exchange(line, Kind.OPEN, 250) is not None
    before = exchange(line, Kind.LAST, 251, b"\1\0\0\0")
    for sequence in (250, 253, 0, 124):
        assert exchange(line, Kind.LAST, sequence, b"\1\0\0\0") is None
    assert exchange(line, Kind.LAST, 251, b"\2\0\0\0") == before  # the reply, once more
    after = exchange(line, Kind.LAST, 252, b"\1\0\0\0")
    want = b"".join(each.tobytes() for each in answers([words(1), words(1)]))
    assert before.payload + after.payload == want
    host = Host(line, PATIENCE, sequence=252)
    described = host.ask()
    assert (described.dropped, described.repeated) == (5, 1)


def test_an_unknown_kind_is_dropped(line):
    assert exchange(line, Kind.OPEN, 1) is not None
    for kind in (0, 5, 6, 7):
        assert exchange(line, kind, 2) is None
    assert exchange(line, Kind.ASK, 2) is not None


def test_open_forgets_what_was_half_done(line):
    host = Host(line, PATIENCE, sequence=0)
    sent = [words(*range(1, 200, 2))]
    host.open()
    exchange(line, Kind.WORDS, 2, sent[0][:PIECE_WORDS].tobytes())
    host.open()
    got = host.converse(sent, 1, 1 << 20, check=faults.anything)
    assert np.array_equal(got[0], next(answers(sent)))


def test_words_are_refused_while_those_before_wait(line):
    sent = [words(127), words(127), words(5)]
    want = b"".join(each.tobytes() for each in answers(sent))
    exchange(line, Kind.OPEN, 0)
    first = exchange(line, Kind.LAST, 1, sent[0].tobytes())
    assert (first.status, len(first.payload)) == (Status.ROOM, 4 * PIECE_WORDS)
    second = exchange(line, Kind.LAST, 2, sent[1].tobytes())  # the mirror has not finished
    assert (second.status, len(second.payload)) == (Status(0), 4 * PIECE_WORDS)
    third = exchange(line, Kind.LAST, 3, sent[2].tobytes())
    assert third.status == Status.REFUSED | Status.LAST | Status.ROOM  # they have gone by now
    got = first.payload + second.payload + third.payload
    for sequence in range(4, 8):
        reply = exchange(line, Kind.WORDS, sequence)
        got += reply.payload
        if reply.status & Status.LAST:
            break
    reply = exchange(line, Kind.LAST, sequence + 1, sent[2].tobytes())
    assert reply.status == Status.LAST | Status.ROOM
    assert got + reply.payload == want


def test_a_session_says_how_much_of_the_line_is_payload(model):
    assert 0.70 < faults.efficiency(model) < 0.74


def test_nobody_there_is_said_in_time(line, monkeypatch):
    monkeypatch.setattr(line, "_damaged", lambda frame: b"")
    with pytest.raises(LinkError, match="a board must answer, not nobody"):
        Host(line, PATIENCE).open()


def conversation(host, seed):
    """Open a session and return how many answers were wrong."""
    sent = faults.packets(np.random.default_rng(seed), 5)
    host.open()
    got = host.converse(sent, len(sent), faults.SILENCE, check=faults.anything)
    return sum(not np.array_equal(a, b) for a, b in zip(got, answers(sent), strict=True))


def test_noise_before_the_first_frame():
    rng = np.random.default_rng(4)
    with faults.mirror() as model:
        for seed in range(6):
            model.run(faults.CLOCK / faults.DIVISOR, rng.bytes(int(rng.integers(1, 600))), 50_000)
            line = faults.FaultyLine(model, rate=0, seed=seed)
            assert conversation(Host(line, PATIENCE), seed) == 0


def test_a_host_that_asks_again_too_soon_is_never_told_wrong():
    with faults.mirror() as model:
        line = faults.FaultyLine(model, rate=0.1, seed=1)
        soon = Patience(seconds=0.2 * PATIENCE.seconds, tries=5000, greetings=5000)
        host = Host(line, soon)
        assert [conversation(host, seed) for seed in range(3)] == [0, 0, 0]
        assert host.resent > 50


@pytest.mark.parametrize("reads", [2, 4, 6])
def test_a_board_that_loses_power_is_told_and_the_next_session_works(reads):
    with faults.mirror() as first, faults.mirror() as second:
        line = faults.FaultyLine(first, rate=0, seed=1)
        host = Host(line, PATIENCE)
        read, count = line.read, itertools.count()

        def interrupted(seconds):
            if next(count) == reads:
                line._model = second
            return read(seconds)

        line.read = interrupted
        with pytest.raises(LinkError, match="must go on answering, not fall silent"):
            conversation(host, 2)
        assert conversation(host, 3) == 0
