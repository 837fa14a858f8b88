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


def converse(talk, *, mirror=True):
    """Let `talk` speak with a link, before a mirror or before nothing."""
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
    simulator.run()
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
