"""The link's parts, each alone, in Amaranth's own simulator."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from cobs import cobs

from boards.link import protocol
from boards.link.checksum import Checksum
from boards.link.framer import Framer
from boards.link.link import check_patience
from boards.link.protocol import Kind
from boards.link.uart import UartReceiver, UartTransmitter, check_divisor
from boards.link.unframer import PAYLOAD_AT, Unframer


def simulate(component, *benches, cycles=200_000):
    """Run benches beside a component, and its checksum, until all have ended."""
    top = Module()
    top.submodules.dut = component
    if isinstance(component, Framer | Unframer):
        checksum = top.submodules.checksum = Checksum()
        top.d.comb += [checksum.load.eq(component.load), checksum.start.eq(component.start)]
        if isinstance(component, Framer):
            top.d.comb += [
                checksum.data.eq(component.byte),
                component.crc.eq(checksum.crc),
                component.busy.eq(checksum.busy),
            ]
        else:
            top.d.comb += [
                checksum.data.eq(component.w_data), component.match.eq(checksum.match),
            ]
    top.d.sync += Signal().eq(1)
    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    ended = []

    def watched(bench):
        async def run(ctx):
            await bench(ctx)
            ended.append(bench)

        return run

    for bench in benches:
        simulator.add_testbench(watched(bench))
    steps = 100  # it runs until it is told to stop
    for step in range(1, steps + 1):
        simulator.run_until(step * cycles / steps * 1e-6)
        if len(ended) == len(benches):
            return
    pytest.fail(f"not done after {cycles} cycles")


def bits(data):
    """Levels of a line that carries `data`, a bit each."""
    return [level for byte in data for level in (0, *(byte >> i & 1 for i in range(8)), 1)]


@pytest.mark.parametrize("divisor", [4, 5, 12])
@pytest.mark.parametrize("drift", [0.98, 1.0, 1.02])
def test_bytes_are_received_from_a_clock_that_drifts(divisor, drift):
    data = bytes([0, 0xFF, 0x55, 0xA5, 1, 0x80, 0])
    receiver, got = UartReceiver(divisor=divisor), []

    async def line(ctx):
        levels = [*bits(data), 1, 1]
        for cycle in range(int(len(levels) * divisor * drift)):
            ctx.set(receiver.rx, levels[int(cycle / divisor / drift)])
            _, _, valid, byte, error = await ctx.tick().sample(
                receiver.valid, receiver.data, receiver.error,
            )
            assert not error
            if valid:
                got.append(byte)

    simulate(receiver, line)
    assert bytes(got) == data


def test_a_byte_without_stop_bit_is_an_error_and_a_spike_is_nothing():
    receiver, seen = UartReceiver(divisor=8), []

    async def line(ctx):
        levels = [1] * 8 + [0] * 2 + [1] * 100 + [0] * 80 + [1] * 100
        for level in levels:
            ctx.set(receiver.rx, level)
            _, _, valid, error = await ctx.tick().sample(receiver.valid, receiver.error)
            if valid or error:
                seen.append((valid, error))

    simulate(receiver, line)
    assert seen == [(0, 1)]


@pytest.mark.parametrize("divisor", [4, 5, 12])
def test_bytes_are_sent(divisor):
    data = bytes([0, 0xFF, 0x55, 0xA5])
    transmitter, levels = UartTransmitter(divisor=divisor), []

    async def source(ctx):
        for byte in data:
            ctx.set(transmitter.i.payload, byte)
            ctx.set(transmitter.i.valid, 1)
            await ctx.tick().until(transmitter.i.ready)
        ctx.set(transmitter.i.valid, 0)

    async def line(ctx):
        await ctx.tick()
        for _ in range(len(data) * (10 * divisor + 1)):
            levels.append(ctx.get(transmitter.tx))
            await ctx.tick()
        assert ctx.get(transmitter.tx) == 1

    simulate(transmitter, source, line)
    byte_cycles = 10 * divisor + 1  # a cycle to take the next
    for i, byte in enumerate(data):
        sent = levels[i * byte_cycles :][: 10 * divisor]
        assert sent == [level for level in bits([byte]) for _ in range(divisor)]


@pytest.mark.parametrize("divisor", [0, 3, True, 4.0])
def test_a_divisor_that_is_none_is_refused(divisor):
    with pytest.raises((TypeError, ValueError), match="divisor must be"):
        check_divisor(divisor)


@pytest.mark.parametrize("patience_bits", [11, 25])
def test_a_patience_out_of_range_is_refused(patience_bits):
    with pytest.raises(ValueError, match=f"from 12 to 24, not {patience_bits}"):
        check_patience(patience_bits)


def unframed(data, *, room=1, errors=(), busy=()):
    """What an unframer says to `data`: a line for each end of a frame, and the buffer."""
    unframer, ends, buffer = Unframer(), [], bytearray(256)

    async def line(ctx):
        for at, byte in enumerate(data):
            ctx.set(unframer.room, room)
            ctx.set(unframer.busy, at in busy)
            ctx.set(unframer.valid, at not in errors)
            ctx.set(unframer.error, at in errors)
            ctx.set(unframer.data, byte)
            _, _, good, bad, w_en, w_addr, w_data, *said = await ctx.tick().sample(
                unframer.good, unframer.bad, unframer.w_en, unframer.w_addr, unframer.w_data,
                unframer.kind, unframer.sequence, unframer.length, unframer.stored,
            )
            ctx.set(unframer.valid, 0)
            ctx.set(unframer.error, 0)
            if w_en:
                buffer[w_addr] = w_data
            if good:
                kind, sequence, length, stored = said
                payload = [buffer[(PAYLOAD_AT + i) % 256] for i in range(4 * length)]
                ends.append((kind, sequence, bytes(payload), stored))
            elif bad:
                ends.append("bad")
            await ctx.tick().repeat(9)
            assert not ctx.get(unframer.w_en | unframer.good | unframer.bad)

    simulate(unframer, line)
    return ends


PAYLOADS = [
    b"",
    bytes(4),
    bytes(range(1, 241)),
    bytes(240),
    bytes([0, 1, 0, 0, 2, 0, 0, 0]),
    np.random.default_rng(1).bytes(120),
]


def test_requests_are_understood():
    data = [
        protocol.request(kind, sequence, payload)
        for payload in PAYLOADS
        for kind, sequence in ((Kind.LAST, 0), (Kind.WORDS, 255))
    ]
    assert unframed(b"\0\0".join(data)) == [
        (kind, sequence, payload, 1)
        for payload in PAYLOADS
        for kind, sequence in ((4, 0), (3, 255))
    ]


def test_a_frame_out_of_step_costs_no_other():
    good = protocol.request(Kind.LAST, 9, b"abcd")
    wanted = (4, 9, b"abcd", 1)
    too_long = cobs.encode(bytes(range(200)) * 2) + b"\0"
    wrongs = [good[:5] + good, too_long]
    for at in range(len(good) - 1):
        wrongs.append(good[:at] + bytes([good[at] ^ 0x10 or 0x20]) + good[at + 1 :])
        wrongs += [good[:at] + good[at + 1 :], good[:at] + b"\3" + good[at:]]
    data = b"".join(wrong + good for wrong in wrongs)
    assert unframed(data) == ["bad", wanted] * len(wrongs)


def test_a_byte_that_the_line_lost_costs_its_frame():
    good = protocol.request(Kind.LAST, 9, b"abcd")
    assert unframed(good + good, errors=[4]) == ["bad", (4, 9, b"abcd", 1)]


def test_a_frame_that_meets_another_use_of_the_checksum_is_bad_and_no_other():
    good = protocol.request(Kind.LAST, 9, b"abcd")
    wanted = (4, 9, b"abcd", 1)
    for busy, want in (
        ([3], ["bad", wanted]),
        ([len(good) - 1], ["bad", wanted]),
        (range(5, len(good)), ["bad", wanted]),
        (range(len(good) - 2, len(good) + 2), ["bad", "bad"]),
    ):
        assert unframed(good + good, busy=busy) == want
    assert unframed(b"\0" + good, busy=[0]) == [wanted]


def test_no_length_but_the_right_one_is_taken():
    import zlib

    lengths, frames = (0, 2, 63, 64, 65, 255), b""
    for length in lengths:
        body = bytes([3, 1, length]) + b"abcd"
        frames += cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
    assert unframed(frames) == ["bad"] * len(lengths)


def test_a_frame_that_comes_while_one_waits_is_dropped_and_leaves_it_alone():
    first, second = (protocol.request(kind, kind, bytes([kind] * 4)) for kind in (3, 4))
    assert unframed(first + second, busy=range(len(first), 99)) == [(3, 3, b"\3" * 4, 1), "bad"]


def test_without_room_the_buffer_is_left_alone():
    assert unframed(protocol.request(Kind.LAST, 1, b"abcd"), room=0) == [(4, 1, bytes(4), 0)]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
@pytest.mark.parametrize("stall", [0.0, 0.5])
def test_frames_are_made_up(payload, stall):
    framer, buffer = Framer(), bytearray(256)
    body = bytes([0x82, 0]) + payload + bytes([3, len(payload) // 4])
    rng = np.random.default_rng(2)
    found = []

    async def source(ctx):
        for _ in range(2):  # a second frame finds nothing of the first
            ctx.set(framer.start, 1)
            await ctx.tick()
            ctx.set(framer.start, 0)
            for at, byte in enumerate(body):
                ctx.set(framer.data, byte)
                ctx.set(framer.last, at == len(body) - 1)
                ctx.set(framer.valid, 1)
                await ctx.tick().until(framer.ready)
                ctx.set(framer.valid, 0)
            await ctx.tick().until(framer.done)
            found.append(bytes(buffer[: buffer.index(0)]))

    async def memory(ctx):
        while len(found) < 2:
            ctx.set(framer.w_ready, rng.random() >= stall)
            _, _, w_en, ready, addr, data = await ctx.tick().sample(
                framer.w_en, framer.w_ready, framer.w_addr, framer.w_data,
            )
            if w_en and ready:
                buffer[addr] = data

    simulate(framer, memory, source)
    for frame in found:
        assert protocol.parse(frame).payload == payload
        assert 0 not in frame
