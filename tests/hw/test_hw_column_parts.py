"""What a column is made of: cell, group sum, accumulator, end."""

import numpy as np
import pytest

from hw.accumulator import Accumulator
from hw.cells.gated import GatedCell
from hw.column_end import ColumnEnd
from hw.config import Config
from hw.group_sum import GroupSum
from hw.words import sum_bits


@pytest.mark.parametrize("lane", [0, 1, 2, 6, 31])
def test_a_gated_cell_adds_its_weight_where_the_bit_is_one(play, lane):
    rng = np.random.default_rng(lane)
    i_bits, o_bits = sum_bits(max(lane, 1)), sum_bits(lane + 1)
    rows = [
        {
            "act": int(rng.integers(2)),
            "shift": int(rng.random() < 0.4),
            "swap": int(rng.random() < 0.3),
            "i_weight": int(rng.choice([-128, 127, rng.integers(-128, 128)])),
            "i_sum": int(rng.integers(-128 * lane, 127 * lane + 1)),
        }
        for _ in range(120)
    ]
    seen = play(GatedCell(i_bits=i_bits, sum_bits=o_bits), rows, ["o_sum", "o_weight"])
    waiting = weight = 0
    for row, now, later in zip(rows, seen, seen[GatedCell.latency :], strict=False):
        assert now["o_weight"] == waiting
        assert later["o_sum"] == row["i_sum"] + (weight if row["act"] else 0)
        weight = waiting if row["swap"] else weight
        waiting = row["i_weight"] if row["shift"] else waiting


@pytest.mark.parametrize("weight", [-128, 127])
def test_a_chain_of_gated_cells_never_overflows(play, weight):
    """The last cell of 32, its sum from above as extreme as weights make it."""
    lanes = 32
    cell = GatedCell(i_bits=sum_bits(lanes - 1), sum_bits=sum_bits(lanes))
    load = {"shift": 1, "i_weight": weight}
    add = {"act": 1, "i_sum": weight * (lanes - 1)}
    seen = play(cell, [load, {"swap": 1}, add, {}], ["o_sum"])
    assert seen[2 + cell.latency]["o_sum"] == weight * lanes


@pytest.mark.parametrize(("groups", "group_lanes"), [(1, 3), (2, 5), (3, 1), (5, 4), (8, 2)])
@pytest.mark.parametrize("codes", [0, 1])
def test_group_sums_meet_doubled_for_codes(play, groups, group_lanes, codes):
    rng = np.random.default_rng(groups)
    low, high = -128 * group_lanes, 127 * group_lanes
    sums = rng.integers(low, high + 1, (40, groups))
    sums[3], sums[4], sums[5:8] = low, high, rng.choice([low, high], (3, groups))
    component = GroupSum(groups=groups, group_lanes=group_lanes)
    span = len(sums) + component.latency
    rows = []
    for cycle in range(span + 1):
        row = {"codes": codes}
        for g in range(groups):
            pixel = cycle - max(0, groups - 2 - g)  # groups arrive one after the other
            if 0 <= pixel < len(sums):
                row[f"group.{g}"] = int(sums[pixel, g])
        rows.append(row)
    seen = play(component, rows, ["sum"])
    weight = 2 ** np.arange(groups) if codes else np.ones(groups, int)
    assert component.latency == groups - 1
    got = [row["sum"] for row in seen[component.latency : component.latency + len(sums)]]
    assert got == (sums * weight).sum(1).tolist()


MACHINES = [
    Config(lanes=4, columns=1, groups=1, acc_bits=24, partial_sums=8),
    Config(lanes=6, columns=3, groups=3, acc_bits=27, partial_sums=5),
    Config(lanes=16, columns=2, groups=8, acc_bits=32, partial_sums=17),
]


@pytest.mark.parametrize("config", MACHINES, ids=lambda c: f"{c.groups}-groups")
def test_the_accumulator_keeps_a_partial_sum_for_each_pixel(play, config):
    """Three passes over every pixel, between them shifts of 0, 1 and as many bits as groups."""
    rng = np.random.default_rng(config.groups)
    top = 2 ** (config.array_sum_bits - 1)
    pixels = config.partial_sums
    rows, expected = [{} for _ in range(3 * (pixels + 3) + 4)], {}
    partial = np.zeros(pixels, np.int64)
    cycle = 0
    for number, shift in enumerate((0, 1, 2)):
        for pixel in range(pixels):
            sum_ = int(rng.integers(-top, top))
            token = {
                "valid": 1,
                "first": number == 0,
                "last": number == 2,
                "shift": shift,
                "addr": pixel,
            }
            rows[cycle] = {**rows[cycle], "token": token}
            rows[cycle + 1]["sum"] = sum_
            before = 0 if number == 0 else int(partial[pixel]) << (0, 1, config.groups)[shift]
            partial[pixel] = before + sum_
            expected[cycle + Accumulator.latency] = int(partial[pixel])
            cycle += 1
        cycle += 1  # the walker's pause between two passes
    seen = play(Accumulator(config), rows, ["acc", "token_d1", "token_d2"])
    for at, value in expected.items():
        token = rows[at - 2]["token"]
        assert seen[at]["acc"] == value
        assert seen[at - 1]["token_d1"]["addr"] == token["addr"]
        assert seen[at]["token_d2"]["last"] == token["last"]


def test_a_partial_sum_can_be_read_three_cycles_after_its_token_and_the_last_is_not_kept(play):
    config = MACHINES[0]
    first = {"valid": 1, "first": 1, "addr": 3}
    again = {"valid": 1, "addr": 3}
    last = {"valid": 1, "last": 1, "addr": 3}
    rows = [{} for _ in range(14)]
    for at, token, sum_ in ((0, first, 5), (3, again, 70), (6, last, 400), (9, again, 1)):
        rows[at]["token"] = token
        rows[at + 1]["sum"] = sum_
    seen = play(Accumulator(config), rows, ["acc"])
    assert [seen[at]["acc"] for at in (2, 5, 8, 11)] == [5, 75, 475, 76]


def offset_bytes(config, offset, flip):
    value = offset & ((1 << config.acc_bits) - 1) | int(flip) << config.acc_bits
    return list(value.to_bytes(config.parameter_rows, "little"))


def end_rows(config, offset, flip, pixels, mode, shift):
    """One output of a column: its offset comes in, then its pixels, then its way out."""
    rows = [{"shift": 1, "byte": byte} for byte in offset_bytes(config, offset, flip)]
    rows.append({"take": 1})
    for i, acc in enumerate(pixels):
        first, last = i == 0, i == len(pixels) - 1
        token = {"valid": 1, "last": 1, "pool_first": first, "pool_last": last}
        rows.append({"acc": int(acc), "token": token})
        rows.append({"acc": 12345, "token": {"valid": 1}})  # no last pass: not looked at
        rows.append({"acc": -(1 << config.acc_bits - 1), "token": {"last": 1}})  # no pixel
    rows[-1:] = [{}] * (ColumnEnd.latency - 2)  # the last pixel is so many cycles back
    steps = [{"load": 1}] + [{"shift": 1}] * shift
    if mode.get("bits"):
        steps.append({"out": 1})
    else:
        steps += [{"clip": 1}] + [{"out": 1}] * mode["planes"]
    rows += [{"step": step} for step in steps] + [{}]
    return [{**row, "mode": mode} for row in rows]


def outputs(rows, seen):
    """The bits that leave a cycle after each `out`, lowest first, as a number."""
    bits = [
        after["serial"]
        for row, after in zip(rows, seen[1:], strict=False)
        if row.get("step", {}).get("out")
    ]
    return sum(bit << i for i, bit in enumerate(bits))


WIDTHS = [
    Config(lanes=2, columns=1, acc_bits=bits) for bits in (10, 23, 32)
]


@pytest.mark.parametrize("config", WIDTHS, ids=lambda c: f"{c.acc_bits}-bits")
@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_a_threshold_decides_at_its_edge(play, config, flip, distance):
    threshold = 37
    pixels = [threshold + distance]
    mode = {"bits": 1, "planes": 1}
    rows = end_rows(config, -threshold - 1, flip, pixels, mode, 0)
    bit = outputs(rows, play(ColumnEnd(config), rows, ["serial"]))
    assert bit == (distance > 0) ^ flip


@pytest.mark.parametrize("config", WIDTHS, ids=lambda c: f"{c.acc_bits}-bits")
@pytest.mark.parametrize("flip", [False, True])
def test_a_maximum_of_thresholds_is_an_or(play, config, flip):
    rng = np.random.default_rng(config.acc_bits)
    most = 1 << config.acc_bits - 2
    for _ in range(4):
        pixels = rng.integers(-most, most, rng.integers(2, 5))
        threshold = int(np.sort(pixels)[0 if flip else -1]) - int(rng.integers(-1, 2))
        mode = {"bits": 1, "planes": 1}
        rows = end_rows(config, -threshold - 1, flip, pixels, mode, 0)
        bit = outputs(rows, play(ColumnEnd(config), rows, ["serial"]))
        assert bit == ((pixels > threshold) ^ flip).any()


@pytest.mark.parametrize("config", WIDTHS, ids=lambda c: f"{c.acc_bits}-bits")
@pytest.mark.parametrize(("planes", "shift"), [(1, 0), (3, 5), (8, 0), (8, 2), (5, 8)])
def test_codes_are_shifted_and_clipped(play, config, planes, shift):
    top = 2**planes - 1
    most = (1 << config.acc_bits - 1) - 1
    edges = [0, -1, 1, top << shift, (top << shift) + 2**shift - 1, (top + 1) << shift]
    edges += [most, -most - 1, top, 2**shift - 1]
    bias = -3
    for value in edges:
        if not -most - 1 <= value - bias <= most or value > most:
            continue
        mode = {"planes": planes}
        rows = end_rows(config, bias, False, [value - bias], mode, shift)
        code = outputs(rows, play(ColumnEnd(config), rows, ["serial"]))
        assert code == min(max(value >> shift, 0), top), value


@pytest.mark.parametrize("config", WIDTHS, ids=lambda c: f"{c.acc_bits}-bits")
def test_raw_results_are_not_clipped(play, config):
    most = (1 << config.acc_bits - 1) - 1
    for value in (most, -most - 1, 0, -1, 100):
        mode = {"raw": 1, "planes": config.acc_bits % 16}
        rows = end_rows(config, 0, False, [value], mode, 0)
        rows[-1:] = [{"mode": mode, "step": {"out": 1}}] * (config.acc_bits - mode["planes"]) + [{}]
        raw = outputs(rows, play(ColumnEnd(config), rows, ["serial"]))
        assert raw == value & ((1 << config.acc_bits) - 1)


def test_an_output_leaves_while_the_next_one_comes(play):
    """`pooled` is taken by `load`; what follows does not disturb the way out."""
    config = WIDTHS[1]
    mode = {"planes": 8}
    rows = end_rows(config, 0, False, [201], mode, 0)
    first = next(i for i, row in enumerate(rows) if row.get("step", {}).get("load"))
    token = {"valid": 1, "last": 1, "pool_first": 1, "pool_last": 1}
    rows[first] = {**rows[first], "token": token, "acc": 5}
    assert outputs(rows, play(ColumnEnd(config), rows, ["serial"])) == 201
