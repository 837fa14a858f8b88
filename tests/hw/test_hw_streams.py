"""Ingest, reader and arbiter: what comes in, what goes out, packet by packet."""

from functools import partial

import numpy as np
import pytest

from hw.arbiter import Arbiter
from hw.compact_ingest import CompactIngest
from hw.compact_reader import CompactReader
from hw.config import Config
from hw.ingest import Ingest
from hw.packets import Reply, header
from hw.program import READ, RESULT
from hw.reader import Reader


def packed(codes):
    padded = np.zeros(-(-len(codes) // 4) * 4, np.uint8)
    padded[: len(codes)] = codes
    return padded.view("<u4").tolist()


@pytest.mark.parametrize(("total", "size"), [(1, 1), (4, 3), (7, 5), (30, 11), (64, 64)])
@pytest.mark.parametrize("gap", [0.0, 0.6])
@pytest.mark.parametrize("kind", [Ingest, partial(CompactIngest, code_words=64)])
def test_codes_go_round_the_ring_up_to_the_limit(simulate, kind, total, size, gap):
    rng = np.random.default_rng(total)
    ingest = kind()
    codes = rng.integers(0, 256, total)
    words = packed(codes)
    writes, taken = [], []

    async def bench(ctx):
        ctx.set(ingest.total, total)
        ctx.set(ingest.size, size)
        ctx.set(ingest.start, 1)
        await ctx.tick()
        ctx.set(ingest.start, 0)
        ctx.set(ingest.total, 0)  # what was said at the start holds
        limit, sent = 0, 0
        for cycle in range(40 + 6 * total):
            if rng.random() < 0.2:
                limit = min(total, limit + int(rng.integers(0, size + 1)))
            limit = total if cycle > 3 * total else limit
            ctx.set(ingest.limit, limit)
            valid = sent < len(words) and rng.random() >= gap
            ctx.set(ingest.valid, valid)
            ctx.set(ingest.word, words[sent] if valid else 0xFFFFFFFF)
            assert ctx.get(ingest.received) == len(writes) <= limit
            assert ctx.get(ingest.full) == (sent == len(words))
            if ctx.get(ingest.w_en):
                writes.append((ctx.get(ingest.w_addr), ctx.get(ingest.w_data)))
            if valid and ctx.get(ingest.ready):
                taken.append(cycle)
                sent += 1
            await ctx.tick()

    simulate(ingest, bench)
    assert writes == [(i % size, int(code)) for i, code in enumerate(codes)]
    assert len(taken) == len(words)


def test_without_a_stall_a_word_is_taken_every_four_cycles(play):
    """One word waits while the codes of the one before are written."""
    rows = [{"start": 1, "total": 18, "size": 20}]
    rows += [{"valid": 1, "word": 0x04030201, "limit": 18}] * 24
    seen = play(Ingest(), rows, ["ready", "w_en", "w_addr", "w_data", "received"])
    taken = [t for t, now in enumerate(seen) if now["ready"] and t > 0]
    assert taken == [1, 3, 7, 11, 15]  # 18 codes: the fifth word brings two
    written = [t for t, now in enumerate(seen) if now["w_en"]]
    assert written == list(range(3, 21))
    assert [seen[t]["w_data"] for t in written] == [1, 2, 3, 4] * 4 + [1, 2]
    assert seen[-1]["received"] == 18


def test_a_word_is_taken_with_its_last_code_where_the_stream_holds_it(play):
    rows = [{"start": 1, "total": 18, "size": 20}]
    rows += [{"valid": 1, "word": 0x04030201, "limit": 18}] * 24
    ingest = CompactIngest(code_words=20)
    seen = play(ingest, rows, ["ready", "w_en", "w_addr", "w_data", "received"])
    assert [t for t, now in enumerate(seen) if now["ready"]] == [4, 8, 12, 16, 18]
    written = [t for t, now in enumerate(seen) if now["w_en"]]
    assert written == list(range(1, 19))
    assert [seen[t]["w_data"] for t in written] == [1, 2, 3, 4] * 4 + [1, 2]
    assert seen[-1]["received"] == 18


@pytest.mark.parametrize("kind", [Ingest, partial(CompactIngest, code_words=64)])
def test_a_new_clip_begins_where_the_ring_does(play, kind):
    start = {"start": 1, "total": 3, "size": 2}
    word = {"valid": 1, "word": 0x070605, "limit": 3}
    rows = [start, *[word] * 6, start, *[word] * 6]
    seen = play(kind(), rows, ["w_en", "w_addr", "w_data"])
    writes = [(now["w_addr"], now["w_data"]) for now in seen if now["w_en"]]
    assert writes == [(0, 5), (1, 6), (0, 7)] * 2


MACHINES = [
    Config(lanes=4, columns=3, acc_bits=20, map_words=256),
    Config(lanes=33, columns=5, acc_bits=24, map_words=256),
    Config(lanes=70, columns=2, groups=7, acc_bits=32, map_words=256),
    Config(lanes=3, columns=7, acc_bits=13, map_words=256),
    Config(lanes=5, columns=2, acc_bits=24, map_words=256, cell="mac"),
    Config(lanes=8, columns=4, acc_bits=21, map_words=256, compact=True),
    Config(lanes=70, columns=3, groups=7, acc_bits=32, map_words=256, compact=True),
    Config(lanes=5, columns=3, acc_bits=24, map_words=256, cell="mac", compact=True),
]


@pytest.fixture(params=MACHINES, ids=lambda c: f"{c.cell}-{c.lanes}x{c.columns}-{c.compact}")
def config(request):
    return request.param


async def serve(ctx, reader, memory, ended):
    """Be the map memory behind the walker: a word two cycles after its address, or one."""
    word, read, at = 0, 0, 0
    soon = isinstance(reader, CompactReader)
    while not ended:
        ctx.set(reader.r_data, word)
        if not soon:
            word = memory[at] if read else word
        _, _, read, at = await ctx.tick().sample(reader.r_en, reader.r_addr)
        if soon:
            word = memory[at] if read else word


def play_reader(simulate, streams, config, memory, orders, *, packets, stall=0.0, cycles=0):
    """Give `orders` one after the other, each once the one before is done; return the packets."""
    reader = (CompactReader if config.compact else Reader)(config)
    receive, got = streams.receiver(reader.o, packets, stall=stall, seed=5)
    ended, done_at = [], []

    async def order(ctx):
        ctx.set(reader.cycles, cycles)
        for kind, fields in orders:
            ctx.set(getattr(reader, kind), fields)
            ctx.set(getattr(reader, f"{kind}_go"), 1)
            await ctx.tick()
            ctx.set(getattr(reader, f"{kind}_go"), 0)
            if kind == "read" or not config.compact:  # there a result's order stays
                ctx.set(getattr(reader, kind), {})  # what was said with `go` holds
            cycle, done = 0, 0
            while not done:
                _, _, done = await ctx.tick().sample(reader.done)
                cycle += 1
            done_at.append(cycle)
        for _ in range(5):
            await ctx.tick()
            assert not ctx.get(reader.o.valid)
        ended.append(1)

    async def memory_bench(ctx):
        await serve(ctx, reader, memory, ended)

    simulate(reader, order, memory_bench, receive)
    return got, done_at


@pytest.mark.parametrize("stall", [0.0, 0.6])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_map_leaves_word_by_word_from_its_low_end(simulate, streams, config, count, stall):
    rng = np.random.default_rng(count)
    memory = [int.from_bytes(rng.bytes(9), "little") % 2**config.word_bits for _ in range(256)]
    orders = [("read", {"layer": 3, "start": 250 - count, "count": count})]
    orders.append(("read", {"layer": 4, "start": 0, "count": 2}))
    got, _ = play_reader(simulate, streams, config, memory, orders, packets=2, stall=stall)
    pieces = -(-config.word_bits // 32)
    due = [
        [header(Reply.MAP, order["layer"])] + [
            memory[at] >> 32 * piece & 0xFFFFFFFF
            for at in range(order["start"], order["start"] + order["count"])
            for piece in range(pieces)
        ]
        for _, order in orders
    ]
    assert got == due


@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_results_are_gathered_from_their_planes_and_signed(simulate, streams, config, stall):
    rng = np.random.default_rng(1)
    most = 1 << config.acc_bits - 1
    values = [-most, most - 1, -1, int(rng.integers(-most, most))]
    got = []
    for start, value in enumerate(values):
        lane, memory = int(rng.integers(config.lanes)), [0] * 256
        width = config.act_bits
        for plane in range(config.acc_bits // width):
            part = value >> plane * width & 2**width - 1
            memory[start + plane * config.row_words] |= part << lane * width
        order = {"start": start, "lane": lane, "first": 1, "last": 1}
        packets, _ = play_reader(
            simulate, streams, config, memory, [("result", order)], packets=1, stall=stall,
            cycles=0xDEADBEEF,
        )
        got += packets
    assert got == [[header(Reply.RESULT, 0), value & 0xFFFFFFFF, 0xDEADBEEF] for value in values]


def test_several_results_share_one_packet(simulate, streams, config):
    memory = [2**config.act_bits - 1] * 256  # lane 0: all ones, lane 1: all zeros
    planes = config.acc_bits // config.act_bits
    results = [{"start": 0, "lane": lane, "first": i == 0, "last": i == 2}
               for i, lane in enumerate((0, 1, 0))]
    orders = [("result", each) for each in results]
    got, done_at = play_reader(simulate, streams, config, memory, orders, packets=1, cycles=77)
    assert got == [[header(Reply.RESULT, 0), 0xFFFFFFFF, 0, 0xFFFFFFFF, 77]]
    # `planes + 4` cycles to the word, one more with the header, one more for the count of cycles.
    word = planes + (2 if config.compact else 4)
    assert done_at == [word + 1, word, word + 1]


def test_layouts_of_the_orders_are_those_of_the_program():
    assert READ["count"].width == 16
    assert RESULT["lane"].width >= (1024 - 1).bit_length()


def numbered(source, rng, count):
    """Packets of random lengths whose words tell whose they are."""
    return [
        [source << 24 | number << 8 | i for i in range(int(rng.integers(1, 5)))]
        for number in range(count)
    ]


@pytest.mark.parametrize("stall", [0.0, 0.4, 0.8])
@pytest.mark.parametrize("gaps", [(0.0, 0.0), (0.7, 0.0), (0.5, 0.8), (0.9, 0.9)])
def test_packets_are_never_mixed_and_none_is_lost(simulate, streams, gaps, stall):
    rng = np.random.default_rng(11)
    arbiter = Arbiter()
    first, second = numbered(1, rng, 25), numbered(2, rng, 25)
    receive, got = streams.receiver(arbiter.o, 50, stall=stall, seed=3)  # holds valid and payload
    simulate(
        arbiter,
        streams.sender(arbiter.first, first, gap=gaps[0], seed=1),
        streams.sender(arbiter.second, second, gap=gaps[1], seed=2),
        receive,
    )
    assert [packet for packet in got if packet[0] >> 24 == 1] == first
    assert [packet for packet in got if packet[0] >> 24 == 2] == second


def test_first_goes_first_but_waits_for_a_packet_that_has_begun(play):
    a, b = {"data": 1, "last": 1}, {"data": 2, "last": 0}
    end = {"data": 3, "last": 1}
    rows = [
        {"second.valid": 1, "second.payload": b},  # waits: not ready
        {"second.valid": 1, "second.payload": b, "first.valid": 1, "first.payload": a},
        {"second.valid": 1, "second.payload": b, "first.valid": 1, "first.payload": a,
         "o.ready": 1},
        {"first.valid": 1, "first.payload": a, "o.ready": 1},  # a gap within the packet
        {"second.valid": 1, "second.payload": end, "first.valid": 1, "first.payload": a,
         "o.ready": 1},
        {"second.valid": 1, "second.payload": b, "first.valid": 1, "first.payload": a,
         "o.ready": 1},
        {"second.valid": 1, "second.payload": b, "o.ready": 1},
    ]
    watch = ["o.valid", "o.payload", "first.ready", "second.ready"]
    seen = play(Arbiter(), rows, watch)
    assert [now["o.valid"] for now in seen] == [1, 1, 1, 0, 1, 1, 1]
    assert [now["o.payload"]["data"] for now in seen if now["o.valid"]] == [2, 2, 2, 3, 1, 2]
    assert [now["first.ready"] for now in seen] == [0, 0, 0, 0, 0, 1, 0]
    assert [now["second.ready"] for now in seen] == [0, 0, 1, 1, 1, 0, 1]
