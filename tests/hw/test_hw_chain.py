"""A column's chain of cells against NumPy, and tables against the sums that they stand for."""

import numpy as np
import pytest

from hw.cell_kinds import CELLS
from hw.chain import Chain, chain_latency, chain_load_delay
from hw.column import lane_delay, load_delay
from hw.config import Config
from hw.fill import Fill, walk
from hw.loader import lead, settle, tile_cycles
from hw.walk_reads import entry_delay
from hw.words import bits_for
from sim.collisions import spoiling

SHAPES = [("gated", 1, 1), ("gated", 5, 1), ("gated", 6, 3), ("gated", 16, 8), ("table", 4, 1),
          ("table", 12, 3), ("table", 24, 2), ("table8", 8, 1), ("table8", 16, 2)]
MACHINES = {
    f"{cell}-{lanes}/{groups}": Config(lanes=lanes, columns=1, groups=groups, acc_bits=32,
                                       cell=cell, map_words=64)
    for cell, lanes, groups in SHAPES
}
MACHINES |= {  # whole codes stand in one group
    f"{name}-{lanes}": Config(lanes=lanes, columns=1, acc_bits=32, cell=name)
    for name, cell in CELLS.items()
    if cell.act_bits > 1
    for lanes in (1, 3)
}


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


def worth(config, codes):
    """What an activation of each lane counts: of bit-planes the first group has the highest."""
    groups = np.arange(config.lanes) // config.group_lanes
    return 1 << (config.groups - 1 - groups) * codes


def rows_of(config, weights):
    """Tokens and weights of one tile, row by row, as the loader's docstring has them."""
    lanes, entries = config.cell_class.lanes, config.cell_class.entries
    for cell in range(config.cells):
        if entries == 1:
            yield {"read": 1, "first": cell == 0}, int(weights[cell])
            continue
        for number, (bit, entry, subtract) in enumerate(walk(bits_for(entries - 1))):
            token = {"read": 1, "first": cell == 0, "next": number == 0}
            token |= {"entry": entry, "subtract": subtract}
            if lanes == 1:
                token["scale"] = bit
            yield token, int(weights[cell * lanes + (0 if lanes == 1 else bit)])


def stream(config, tiles, *, early=0):
    """Rows for `play`, and the sums due by cycle: every tile as early as the loader brings it.

    `tiles` are weights ``[lanes]`` and activations ``[pixel, lanes]``; `early` moves each tile's
    first row forward, which must go wrong.
    """
    begin, at = 0, {}
    acts, due = {}, {}
    for number, (weights, pixels) in enumerate(tiles):
        for k, row in enumerate(rows_of(config, weights)):
            at[begin + k] = row
        # The loader counts from a row's token; here the row itself is there.
        pixel = begin - (load_delay(config) - chain_load_delay(config))
        pixel += lead(config, last=False) + 1 + entry_delay(config)
        for each in pixels:
            for lane, act in enumerate(each):
                cycle = pixel + lane_delay(config, lane)
                acts[cycle] = acts.get(cycle, 0) | int(act) << lane * config.act_bits
            due[pixel + chain_latency(config)] = number, weights, each
            pixel += 1
        begin = max(
            begin + tile_cycles(config),
            pixel - 1 - entry_delay(config) + settle(config) - early
            + load_delay(config) - chain_load_delay(config),
        )
    rows = [{} for _ in range(max(due) + 2)]
    for cycle, row in enumerate(rows):
        if cycle in at:
            row["load"], row["weight"] = at[cycle]
        row["acts"] = acts.get(cycle, 0)
    return rows, due


def drawn(config, rng, sizes):
    """Draw tiles of random weights; around the pixels counted lie others, which hold all ones."""
    most = 2**config.act_bits
    for size in sizes:
        weights = rng.choice([-128, 127, *rng.integers(-128, 128, 6)], config.lanes)
        yield weights, rng.integers(0, most, (size, config.lanes))


@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_tiles_come_in_the_wake_of_the_last_pixel(play, config, codes):
    rng = np.random.default_rng(config.lanes)
    tiles = list(drawn(config, rng, [3, 1, 1, 9, 2]))
    first_entry = np.arange(config.lanes) % config.cell_class.lanes == 0  # of the next walk
    for _, pixels in tiles[1::2]:
        pixels[-1] = first_entry
    rows, due = stream(config, tiles)
    with spoiling():  # a table is read and written at the same time, but not at one entry
        seen = play(Chain(config), [{**row, "codes": codes} for row in rows], ["sum"])
    for cycle, (number, weights, pixel) in due.items():
        expected = int((weights * pixel * worth(config, codes)).sum())
        assert seen[cycle]["sum"] == expected, (number, cycle)


@pytest.mark.parametrize("weight", [-128, 127])
def test_the_most_extreme_sums_fit(play, config, weight):
    pixels = np.full((2, config.lanes), 2**config.act_bits - 1)
    rows, due = stream(config, [(np.full(config.lanes, weight), pixels)])
    seen = play(Chain(config), [{**row, "codes": 1} for row in rows], ["sum"])
    expected = weight * int((pixels[0] * worth(config, 1)).sum())
    assert len(due) == 2
    for cycle in due:
        assert seen[cycle]["sum"] == expected
    least = -1 << config.array_sum_bits - 1
    assert least <= expected <= -1 - least
    assert weight > 0 or expected < least // 2  # not a bit more than it takes


@pytest.mark.parametrize("name", ["gated-5/1", "table-12/3", "table8-8/1"])
def test_a_tile_that_comes_too_early_is_seen(play, name):
    """What the tests above rest on: not a cycle is to spare (a table's first step is, at times)."""
    config = MACHINES[name]
    tiles = [
        (np.full(config.lanes, weight), np.eye(config.lanes, dtype=int)[np.zeros(4, int)])
        for weight in (1, 5)
    ]
    rows, due = stream(config, tiles, early=2)
    seen = play(Chain(config), rows, ["sum"])
    wrong = [
        cycle for cycle, (_, weights, pixel) in due.items()
        if seen[cycle]["sum"] != (weights * pixel).sum()
    ]
    assert wrong


@pytest.mark.parametrize("name", ["gated-6/3", "table-12/3"])
def test_weights_stay_while_nothing_or_other_rows_are_read(play, name):
    """Rows of offset and flip pass by, and so does what stands on the port between the rows."""
    config = MACHINES[name]
    rng = np.random.default_rng(4)
    ((weights, pixels),) = drawn(config, rng, [40])
    rows, due = stream(config, [(weights, pixels)])
    for row in rows[tile_cycles(config) :]:
        row["weight"] = int(rng.integers(-128, 128))
        if rng.random() < 0.5:
            row["load"] = {"read": 1, "param": 1}
    seen = play(Chain(config), rows, ["sum"])
    for cycle in due:
        assert seen[cycle]["sum"] == (due[cycle][1] * due[cycle][2]).sum()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_walk_visits_every_entry_once_and_ends_where_it_began(bits):
    steps = walk(bits)
    assert sorted(entry for _, entry, _ in steps) == list(range(1 << bits))
    assert steps[-1][1] == 0
    before = 0
    for bit, entry, subtract in steps:
        assert before ^ entry == 1 << bit  # one weight comes or goes
        assert subtract == bool(before >> bit & 1)
        before = entry


@pytest.mark.parametrize("name", ["table", "table8"])
@pytest.mark.parametrize("corner", [None, -128, 127])
def test_the_running_sum_is_that_of_each_entry_and_closes_at_zero(play, name, corner):
    """Three walks, the next one with other weights, pauses anywhere."""
    lanes, bits = CELLS[name].lanes, CELLS[name].data_bits
    rng = np.random.default_rng(lanes)
    rows, due = [], {}
    for _ in range(3):
        weights = rng.integers(-128, 128, lanes) if corner is None else np.full(lanes, corner)
        for lane, entry, subtract in walk(lanes):
            while rng.random() < 0.2:
                rows.append({"weight": int(rng.integers(-128, 128)), "subtract": 1})
            expected = sum(int(w) for k, w in enumerate(weights) if entry >> k & 1)
            due[len(rows) + Fill.latency] = expected
            rows.append({"step": 1, "subtract": subtract, "weight": int(weights[lane])})
        assert expected == 0
    rows += [{"weight": 55}] * 3
    seen = play(Fill(bits=bits), rows, ["sum"])
    for cycle, value in due.items():
        assert seen[cycle]["sum"] == value, cycle
    assert [now["sum"] for now in seen[-3:]] == [0, 0, 0]
