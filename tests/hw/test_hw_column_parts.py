"""What a column is made of: cells and accumulator; its end is in `test_hw_column_end`."""

import numpy as np
import pytest

from hw.accumulator import Accumulator
from hw.cell_kinds import CELLS
from hw.cells.mac import MacCell
from hw.cells.table import BufferedTableCell
from hw.config import Config
from hw.doubling_sum import DoublingSum
from hw.words import product_sum_bits
from sim.collisions import spoiling


def written(cell, weights):
    """What loading `weights` writes: entry and data."""
    if cell.entries == 1:
        return [(0, weights[0])]
    if cell.lanes == 1:
        return [(n, weights[0] * n) for n in range(cell.entries)]
    return [
        (n, sum(w for k, w in enumerate(weights) if n >> k & 1)) for n in range(cell.entries)
    ]


@pytest.fixture(params=CELLS.values(), ids=CELLS)
def kind(request):
    return request.param


@pytest.mark.parametrize("above", [0, 1, 31])
@pytest.mark.parametrize("doubles", [False, True])
def test_a_cell_adds_what_its_lanes_give(play, kind, above, doubles):
    """Loaded twice; `above` lanes of weights come from above, doubled where the cell heeds it."""
    if doubles and (kind.act_bits > 1 or above == 0):
        return  # whole codes do not double, and neither does the top of a column
    rng = np.random.default_rng(above)
    i_bits = product_sum_bits(above, kind.act_bits) if above else 0
    sum_bits = product_sum_bits((1 + doubles) * above + kind.lanes, kind.act_bits)
    low = -128 * above * (2**kind.act_bits - 1)
    rows, due = [], {}
    for weights in (rng.integers(-128, 128, kind.lanes), rng.choice([-128, 127], kind.lanes)):
        rows += [{} for _ in range(kind.latency)]
        rows += [{"write": 1, "addr": n, "data": int(x)} for n, x in written(kind, weights)]
        for _ in range(40):
            acts = rng.integers(0, 2**kind.act_bits, kind.lanes)
            i_sum = int(rng.choice([low, rng.integers(low, 1 - low // 128 * 127)]))
            double = int(rng.integers(2))
            at = len(rows) + kind.latency - (kind.buffered and above == 0)
            rows.append({
                "acts": sum(int(act) << k * kind.act_bits for k, act in enumerate(acts)),
                "addr": int(rng.integers(kind.entries)) + kind.entries * kind.buffered,
                "data": int(rng.integers(-128, 128)),
            })
            total = i_sum if above else 0
            due[at] = i_sum, double, total * (1 + (double and doubles)) + int(acts @ weights)
    rows += [{} for _ in range(kind.latency + 1)]
    for at, (i_sum, double, _) in due.items():  # the sum from above is a cycle before
        rows[at - 1] |= {"i_sum": i_sum, "double": double} if above else {"double": double}
    cell = kind(i_bits=i_bits, sum_bits=sum_bits, doubles=doubles)
    seen = play(cell, rows, ["o_sum"])
    for at, (_, _, total) in due.items():
        assert seen[at]["o_sum"] == total, at


def test_a_cell_of_whole_codes_does_not_double(used):
    cell = used(MacCell.__new__(MacCell))
    with pytest.raises(ValueError, match="^doubles must be False where activations come whole"):
        cell.__init__(i_bits=9, sum_bits=20, doubles=True)


@pytest.mark.parametrize(("i_bits", "bits"), [(3, 9), (12, 12), (13, 32)])
def test_one_side_of_a_sum_may_count_twice(play, i_bits, bits):
    rng = np.random.default_rng(bits)
    most, wide = 1 << i_bits - 1, 1 << bits - 1
    rows = [
        {
            "i": int(rng.choice([-most, most - 1, rng.integers(-most, most)])),
            "twice": int(rng.choice([-wide, wide - 1, rng.integers(-wide, wide)])),
            "double": int(rng.integers(2)),
        }
        for _ in range(60)
    ]
    seen = play(DoublingSum(i_bits=i_bits, bits=bits), rows, ["o"])
    for row, now in zip(rows, seen, strict=True):
        total = row["i"] + row["twice"] * (1 + row["double"])
        assert (now["o"] - total) % (1 << bits) == 0


MACHINES = [
    Config(lanes=4, columns=1, groups=1, acc_bits=24, partial_sums=8),
    Config(lanes=6, columns=3, groups=3, acc_bits=27, partial_sums=5),
    Config(lanes=16, columns=2, groups=8, acc_bits=32, partial_sums=17),
    Config(lanes=8, columns=2, groups=2, acc_bits=20, partial_sums=4, cell="table"),
]


def accumulate(play, config, tokens):
    """Play ``{cycle: (token, sum)}``; return what is seen."""
    rows = [{} for _ in range(max(tokens) + Accumulator.latency + 2)]
    for at, (token, sum_) in tokens.items():
        rows[at]["token"] = token
        rows[at + Accumulator.sum_lag]["sum"] = sum_
    return play(Accumulator(config), rows, ["acc", "token_d3"])


@pytest.mark.parametrize("config", MACHINES, ids=lambda c: f"{c.groups}-groups")
def test_the_accumulator_keeps_a_partial_sum_for_each_pixel(play, config):
    """Passes over every pixel, between them each shift that the groups may need."""
    rng = np.random.default_rng(config.groups)
    top = 2 ** (config.array_sum_bits - 1)
    pixels = config.partial_sums
    tokens, expected = {}, {}
    partial = np.zeros(pixels, np.int64)
    cycle = 0
    shifts = (0, 1, 2) if 1 < config.groups < 8 else (0, 1)
    for number, shift in enumerate(shifts):
        for pixel in range(pixels):
            sum_ = int(rng.integers(-top, top))
            token = {
                "valid": 1,
                "first": number == 0,
                "last": number == len(shifts) - 1,
                "shift": shift,
                "addr": pixel,
            }
            tokens[cycle] = token, sum_
            before = 0 if number == 0 else int(partial[pixel]) << (0, 1, config.groups)[shift]
            partial[pixel] = before + sum_
            expected[cycle + Accumulator.latency] = int(partial[pixel])
            cycle += 1
        cycle += 1  # the walker's pause between two passes
    seen = accumulate(play, config, tokens)
    for at, value in expected.items():
        token, _ = tokens[at - Accumulator.latency]
        assert seen[at]["acc"] == value
        assert seen[at]["token_d3"]["addr"] == token["addr"]
        assert seen[at]["token_d3"]["last"] == token["last"]
    assert sum(now["token_d3"]["valid"] for now in seen) == len(tokens)


def test_the_last_sum_is_not_kept_and_neither_is_one_of_no_pixel(play):
    apart = Accumulator.latency + 1
    tokens = [
        ({"valid": 1, "first": 1, "addr": 3}, 5),
        ({"valid": 1, "addr": 3}, 70),
        ({"addr": 3}, 8000),
        ({"valid": 1, "last": 1, "addr": 3}, 400),
        ({"valid": 1, "addr": 3}, 1),
    ]
    seen = accumulate(play, MACHINES[0], {k * apart: each for k, each in enumerate(tokens)})
    sums = [seen[k * apart + Accumulator.latency]["acc"] for k in (0, 1, 3, 4)]
    assert sums == [5, 75, 475, 76]


def test_one_table_is_read_while_the_other_is_written(play):
    """The highest bit of the address says which one is written."""
    rng = np.random.default_rng(3)
    tables = [rng.integers(-512, 509, 16).tolist() for _ in range(4)]
    rows, due = [], {}
    for number, table in enumerate(tables):
        bank = number % 2
        for entry, value in enumerate(table):
            acts = int(rng.integers(16))
            if number:
                due[len(rows) + BufferedTableCell.latency - 1] = tables[number - 1][acts]
            rows.append({"write": 1, "addr": entry + 16 * bank, "data": value, "acts": acts})
    cell = BufferedTableCell(i_bits=0, sum_bits=10)
    with spoiling():
        seen = play(cell, [*rows, {}, {}], ["o_sum"])
    assert {at: seen[at]["o_sum"] for at in due} == due
