"""The link alone, on its two lines, with a small machine behind it."""

import numpy as np
import pytest
from amaranth.hdl import Module, ResetInserter
from amaranth.lib.wiring import connect
from amaranth.sim import Simulator

from boards.link import protocol
from boards.link.link import LEAST_PATIENCE, Link
from boards.link.mirror import Mirror, answers
from boards.link.protocol import Kind, Reply, Status

DIVISOR = 4
DESCRIPTION = bytes(range(1, 9))
LONGEST = 400_000
"""Steps of the simulation, at most."""


class Wire:
    """A host's end of the lines: what it sends and what it gets, frame by frame."""

    def __init__(self, ctx, link):
        self.ctx, self.link, self.got = ctx, link, bytearray()

    async def send(self, data):
        for byte in data:
            for level in (0, *(byte >> i & 1 for i in range(8)), 1):
                self.ctx.set(self.link.rx, level)
                await self.ctx.tick().repeat(DIVISOR)

    async def reply(self, cycles=12_000):
        """The next frame, or None if `cycles` pass before it has begun."""
        got = bytearray()
        while True:
            for _ in range(cycles):
                _, _, level = await self.ctx.tick().sample(self.link.tx)
                if not level:
                    break
            else:
                assert not got
                return None
            await self.ctx.tick().repeat(DIVISOR // 2)
            byte = 0
            for i in range(9):
                await self.ctx.tick().repeat(DIVISOR - 1)
                _, _, level = await self.ctx.tick().sample(self.link.tx)
                byte |= level << i
            assert byte >> 8, "a byte must end in a stop bit"
            if byte == 0x100:
                return protocol.parse(bytes(got))
            got.append(byte & 0xFF)

    async def ask(self, kind, sequence, payload=b""):
        await self.send(protocol.request(kind, sequence, payload))
        return await self.reply()


class Machine:
    """The other end of the streams, for what no mirror does: `taken` is what it was brought."""

    def __init__(self, ctx, link):
        self.ctx, self.link, self.taken = ctx, link, []

    async def take(self, count):
        for _ in range(count):
            self.ctx.set(self.link.o.ready, 1)
            word, last = await self.ctx.tick().sample(
                self.link.o.payload.data, self.link.o.payload.last,
            ).until(self.link.o.valid)
            self.ctx.set(self.link.o.ready, 0)
            self.taken.append((word, last))

    def offer(self, word, *, last=False):
        self.ctx.set(self.link.i.payload.data, word)
        self.ctx.set(self.link.i.payload.last, last)
        self.ctx.set(self.link.i.valid, 1)

    async def given(self):
        await self.ctx.tick().until(self.link.i.ready)
        self.ctx.set(self.link.i.valid, 0)

    async def give(self, word, *, last=False):
        self.offer(word, last=last)
        await self.given()


def converse(talk, *, mirror=True, act=None):
    """Let `talk` speak with a link, before a mirror, before what does `act`, or before nothing."""
    m = Module()
    link = m.submodules.link = Link(
        divisor=DIVISOR, description=DESCRIPTION, patience_bits=LEAST_PATIENCE,
    )
    if mirror:
        machine = Mirror()
        m.submodules.mirror = ResetInserter(link.reset)(machine)
        connect(m, machine.i, link.o)
        connect(m, machine.o, link.i)
    ended = []

    async def bench(ctx):
        ctx.set(link.rx, 1)
        await ctx.tick().repeat(3 * DIVISOR)
        await talk(Wire(ctx, link))
        ended.append(True)

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    if act is not None:
        async def acting(ctx):
            await act(Machine(ctx, link))

        simulator.add_testbench(acting)
    for _ in range(LONGEST):
        if not simulator.advance():
            break
    assert ended


def words(*numbers):
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def counted(dropped, repeated):
    return DESCRIPTION + dropped.to_bytes(2, "little") + repeated.to_bytes(2, "little")


def answers_to(packets):
    for answer in answers([np.array(packet, np.uint32) for packet in packets]):
        yield answer.tolist()


def test_nothing_is_answered_before_a_session():
    async def talk(wire):
        assert await wire.ask(Kind.ASK, 1) is None
        assert await wire.ask(Kind.LAST, 0, words(7)) is None
        first = await wire.ask(Kind.OPEN, 9)
        assert first == Reply(
            kind=Kind.DESCRIPTION, sequence=9, payload=counted(2, 0), status=Status.ROOM,
        )
        assert (await wire.ask(Kind.ASK, 10)).payload == counted(2, 0)

    converse(talk)


def test_words_reach_the_machine_once_and_its_answers_come_back():
    packet = [3, 5, 2]

    async def talk(wire):
        await wire.ask(Kind.OPEN, 255)
        got = await wire.ask(Kind.WORDS, 0, words(*packet[:2]))
        assert (got.payload, got.status) == (b"", Status.ROOM)
        got = await wire.ask(Kind.LAST, 1, words(packet[2]))
        whole = words(*next(answers_to([packet])))
        assert (got.payload, got.status) == (whole, Status.LAST | Status.ROOM)
        again = await wire.ask(Kind.LAST, 1, words(packet[2]))
        assert again == got
        for sequence in (0, 3, 129):
            assert await wire.ask(Kind.LAST, sequence, words(1)) is None
        got = await wire.ask(Kind.ASK, 2)
        assert got.payload == counted(3, 1)
        got = await wire.ask(Kind.LAST, 3, words(1))
        both = list(answers_to([packet, [1]]))
        assert got.payload == words(*both[1])

    converse(talk)


@pytest.mark.parametrize("more", [protocol.PIECE_WORDS - 1, protocol.PIECE_WORDS, 127])
def test_a_long_answer_comes_in_pieces(more):
    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        whole, sequence = b"", 1
        got = await wire.ask(Kind.LAST, sequence, words(more))
        while Status.LAST not in got.status:
            assert len(got.payload) == 4 * protocol.PIECE_WORDS
            whole += got.payload
            sequence += 1
            got = await wire.ask(Kind.WORDS, sequence)
        assert whole + got.payload == words(*next(answers_to([[more]])))
        assert sequence == 1 + more // protocol.PIECE_WORDS

    converse(talk)


def test_open_begins_anew_and_resets_the_machine():
    async def talk(wire):
        for _ in range(2):
            await wire.ask(Kind.OPEN, 4)
            got = await wire.ask(Kind.LAST, 5, words(0))
            assert got.payload == words(*next(answers_to([[0]])))

    converse(talk)


def test_a_machine_that_takes_nothing_is_waited_for_and_then_refused_more():
    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        got = await wire.ask(Kind.WORDS, 1, words(1, 2))
        assert (got.payload, got.status) == (b"", Status(0))
        got = await wire.ask(Kind.WORDS, 2, words(3))
        assert got.status == Status.REFUSED
        got = await wire.ask(Kind.WORDS, 3)
        assert got.status == Status(0)
        got = await wire.ask(Kind.OPEN, 7)
        assert (got.kind, got.status) == (Kind.DESCRIPTION, Status.ROOM)

    converse(talk, mirror=False)


def test_a_damaged_frame_is_counted_and_changes_nothing():
    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        frame = protocol.request(Kind.LAST, 1, words(1, 2, 3))
        for at in (1, 6, len(frame) - 2):
            broken = bytes(frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :])
            assert 0 not in broken[:-1]
            await wire.send(broken)
            assert await wire.reply() is None
        got = await wire.ask(Kind.LAST, 1, words(1, 2, 3))
        assert got.payload == words(*next(answers_to([[1, 2, 3]])))
        assert (await wire.ask(Kind.ASK, 2)).payload == counted(3, 0)

    converse(talk)


def test_a_frame_that_comes_while_a_reply_is_made_up_is_dropped():
    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        await wire.send(protocol.request(Kind.WORDS, 1, words(1, 2)))  # nobody takes them
        await wire.send(protocol.request(Kind.ASK, 2))
        got = await wire.reply()
        assert (got.sequence, got.payload, got.status) == (1, b"", Status(0))
        assert await wire.reply() is None
        assert (await wire.ask(Kind.ASK, 2)).payload == counted(1, 0)

    converse(talk, mirror=False)


def test_words_that_are_refused_never_reach_the_machine():
    found = []

    async def act(machine):
        found.append(machine)
        await machine.ctx.tick().repeat(15_000)
        await machine.take(3)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        assert (await wire.ask(Kind.WORDS, 1, words(1, 2))).status == Status(0)
        assert (await wire.ask(Kind.LAST, 2, words(3, 4, 5))).status == Status.REFUSED
        sequence, got = 3, await wire.ask(Kind.WORDS, 3)
        while Status.ROOM not in got.status:
            sequence += 1
            got = await wire.ask(Kind.WORDS, sequence)
        await wire.ask(Kind.LAST, sequence + 1, words(6))
        assert found[0].taken == [(1, 0), (2, 0), (6, 1)]

    converse(talk, mirror=False, act=act)


def test_a_reply_ends_with_the_packet_though_the_next_one_is_there():
    async def act(machine):
        for word in range(1, 7):
            await machine.give(word, last=word in (2, 6))

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        got = await wire.ask(Kind.WORDS, 1)
        assert (got.payload, got.status) == (words(1, 2), Status.LAST | Status.ROOM)
        got = await wire.ask(Kind.WORDS, 2)
        assert (got.payload, got.status) == (words(3, 4, 5, 6), Status.LAST | Status.ROOM)

    converse(talk, mirror=False, act=act)


@pytest.mark.parametrize("wait", [0, 700, 2_500])
def test_a_reply_comes_as_soon_as_all_words_are_taken(wait):
    async def act(machine):
        await machine.ctx.tick().until(machine.link.o.valid)
        await machine.ctx.tick().repeat(wait + 1)
        await machine.take(2)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        await wire.send(protocol.request(Kind.WORDS, 1, words(8, 9)))
        if wait:
            assert await wire.reply(wait) is None
        got = await wire.reply(400)
        assert (got.payload, got.status) == (b"", Status.ROOM)

    converse(talk, mirror=False, act=act)


def test_a_poll_waits_until_the_words_before_it_are_taken():
    async def act(machine):
        await machine.ctx.tick().until(machine.link.o.valid)
        await machine.ctx.tick().repeat(7_000)  # a reply without them, and a poll
        await machine.take(2)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        assert (await wire.ask(Kind.WORDS, 1, words(8, 9))).status == Status(0)
        await wire.send(protocol.request(Kind.WORDS, 2))
        assert (await wire.reply(2_500)).status == Status.ROOM

    converse(talk, mirror=False, act=act)


@pytest.mark.parametrize("gap", [0, 60, 900])
def test_an_answer_that_comes_word_by_word_is_one_reply(gap):
    async def act(machine):
        await machine.take(1)
        for word in range(4):
            await machine.ctx.tick().repeat(gap + 1)
            await machine.give(word, last=word == 3)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        got = await wire.ask(Kind.LAST, 1, words(5))
        assert (got.payload, got.status) == (words(0, 1, 2, 3), Status.LAST | Status.ROOM)

    converse(talk, mirror=False, act=act)


@pytest.mark.parametrize("gap", [0, 60])
def test_words_that_are_there_come_with_the_reply(gap):
    async def act(machine):
        machine.offer(1)
        await machine.take(1)
        await machine.given()
        for word in (2, 3):
            await machine.ctx.tick().repeat(gap + 1)
            await machine.give(word, last=word == 3)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        got = await wire.ask(Kind.WORDS, 1, words(5))
        assert (got.payload, got.status) == (words(1, 2, 3), Status.LAST | Status.ROOM)

    converse(talk, mirror=False, act=act)


def test_words_are_fed_whole_while_a_reply_is_sent():
    found = []
    many = [0x01020304 * k for k in range(1, protocol.PIECE_WORDS)]

    async def act(machine):
        found.append(machine)
        await machine.ctx.tick().until(machine.link.o.valid)
        for word in range(protocol.PIECE_WORDS):
            await machine.give(word, last=word == protocol.PIECE_WORDS - 1)
        for k in range(len(many)):  # a reply's byte leaves every 40 cycles
            await machine.ctx.tick().repeat(100 + k % 5)
            await machine.take(1)

    async def talk(wire):
        await wire.ask(Kind.OPEN, 0)
        got = await wire.ask(Kind.WORDS, 1, words(*many))
        assert got.payload == words(*range(protocol.PIECE_WORDS))
        got = await wire.ask(Kind.WORDS, 2)
        assert Status.ROOM in got.status
        assert found[0].taken == [(word, 0) for word in many]

    converse(talk, mirror=False, act=act)
