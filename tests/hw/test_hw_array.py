"""The array alone against NumPy: weights in, pixels past them, outputs' bits out."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from hw.array import Array, step_latency, token_delay
from hw.column import end_delay, lane_delay, sum_latency
from hw.compact_array import CompactArray
from hw.config import Config
from hw.fill import walk
from hw.loader import LEAST_REST, lead, parameter_wait, settle, tile_cycles
from hw.walk_reads import entry_delay
from hw.words import bits_for
from sim.collisions import spoiling

MACHINES = {
    f"{'compact-' * compact}{cell}-{lanes}x{columns}/{groups}": Config(
        lanes=lanes,
        columns=columns,
        groups=groups,
        cell=cell,
        acc_bits=32,
        weight_rows=256,
        partial_sums=12,
        map_words=64,
        compact=compact,
    )
    for cell, lanes, columns, groups, compact in (
        ("gated", 1, 2, 1, False), ("gated", 6, 5, 3, False), ("folded", 16, 3, 8, False),
        ("table", 8, 3, 2, False), ("table8", 8, 2, 1, False), ("gated", 1, 3, 1, True),
        ("folded", 8, 4, 2, True), ("folded", 16, 3, 8, True), ("table", 12, 5, 3, True),
    )
}


@dataclass
class Job:
    """One tile of output channels: weights of every pass, pixels, and the sums due.

    Shapes: `weights` [pass, lanes, columns], `bits` [pass, pixel, lanes], `shifts` [pass],
    `offsets` and `flips` [columns], `windows` the pixels of each maximum.
    """

    config: Config
    codes: int
    weights: np.ndarray
    bits: np.ndarray
    shifts: list[int]
    offsets: np.ndarray
    flips: np.ndarray
    windows: list[int]
    mode: dict[str, int] = field(default_factory=dict)
    shift: int = 0
    planes: int = 32

    def sums(self):
        """What every column's sums are, int64 [pixel, columns], by NumPy."""
        groups = self.config.groups
        worth = np.repeat(2 ** np.arange(groups)[::-1], self.config.group_lanes)
        if not self.codes:
            worth = np.ones_like(worth)
        total = np.zeros((self.bits.shape[1], self.config.columns), np.int64)
        for number, (bits, weights) in enumerate(zip(self.bits, self.weights, strict=True)):
            if number:
                total <<= (0, 1, groups)[self.shifts[number]]
            total += (bits * worth).astype(np.int64) @ weights.astype(np.int64)
        return total

    def outputs(self):
        """The greatest of every window, ``[window, columns]``, before its end."""
        found = self.sums() + self.offsets
        found = np.where(self.flips, -found - 1, found)
        edges = np.cumsum([0, *self.windows[:-1]])
        return np.maximum.reduceat(found, edges, axis=0)

    def rows(self):
        """The weight memory's rows, ``[row, column]``: lanes top first, then offset and flip."""
        config = self.config
        ends = np.zeros((config.parameter_rows, config.columns), np.int64)
        for j, (offset, flip) in enumerate(zip(self.offsets, self.flips, strict=True)):
            value = int(offset) & ((1 << config.acc_bits) - 1) | int(flip) << config.acc_bits
            ends[:, j] = list(value.to_bytes(config.parameter_rows, "little"))
        return np.concatenate([*(w.astype(np.int64) & 255 for w in self.weights), ends])

    def way_out(self):
        """Steps of one output from its `load` on, by the docstring of `hw.end_steps`."""
        shifts = 0 if self.mode.get("bits") else self.config.acc_bits - self.shift
        steps = max(shifts, self.planes)
        names = [
            {name for name, since in (("out", self.planes), ("shift", shifts)) if left <= since}
            for left in range(steps, 0, -1)
        ]
        return [{"load"}, *names]


def job(config, rng, *, codes=0, passes=3, pixels=6, extreme=None, **changes):
    shape = (passes, config.lanes, config.columns)
    weights = rng.integers(-128, 128, shape) if extreme is None else np.full(shape, extreme)
    bits = rng.integers(0, 2, (passes, pixels, config.lanes))
    if extreme is not None:
        bits[:] = 1
    most = 2 if config.groups < 8 else 1  # eight groups hold all planes of a code
    made = Job(
        config=config,
        codes=codes,
        weights=weights.astype(np.int8),
        bits=bits,
        shifts=[0, *rng.integers(0, most + (config.groups > 1), passes - 1).tolist()],
        offsets=rng.integers(-3000, 3000, config.columns),
        flips=np.zeros(config.columns, bool),
        windows=[1] * pixels,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def tile_rows(config, at):
    """Tokens that load a tile from row `at` on."""
    lanes, entries = config.cell_class.lanes, config.cell_class.entries
    for cell in range(config.cells):
        if entries == 1:
            yield {"read": 1, "first": cell == 0, "addr": at + cell}
            continue
        for number, (lane, entry, subtract) in enumerate(walk(bits_for(entries - 1))):
            yield {"read": 1, "first": cell == 0, "addr": at + cell * lanes + lane,
                   "next": number == 0, "entry": entry, "subtract": subtract}


def cycles(jobs):
    """Rows of inputs for `play`: weights written, then tile after tile as early as it may."""
    config = jobs[0].config
    rows = []
    for addr, row in enumerate(np.concatenate([each.rows() for each in jobs])):
        for column, byte in enumerate(row):
            token = {"valid": 1, "first": column == 0, "addr": addr, "data": int(byte)}
            rows.append({"write": token})
    begin = len(rows) + config.columns
    inputs, steps = {}, {}
    at, free = 0, 0
    held = token_delay(config) if config.compact else 0  # before the array, not in it
    for each in jobs:
        out = each.way_out()
        for number, bits in enumerate(each.bits):
            last = number == len(each.bits) - 1
            reads = begin
            for token in tile_rows(config, at):
                inputs.setdefault(reads, {})["load"] = token
                reads += 1
            at += config.lanes
            if last:
                reads += parameter_wait(config) + 1
                for _ in range(config.parameter_rows):
                    token = {"read": 1, "param": 1, "addr": at}
                    inputs.setdefault(reads, {})["load"] = token
                    reads, at = reads + 1, at + 1
            pixel = begin + lead(config, last=last) + 1 + entry_delay(config)
            edges = np.cumsum([0, *each.windows])
            for k, acts in enumerate(bits):
                ends = k + 1 in edges
                if last and ends:
                    pixel = max(pixel, free)
                    free = pixel + len(out) - 1
                    load = pixel + token_delay(config) + end_delay(config)
                    for i, names in enumerate(out):
                        steps.setdefault(load + i, set()).update(names)
                packed = sum(int(bit) << lane for lane, bit in enumerate(acts))
                inputs.setdefault(pixel, {})["acts"] = packed
                inputs.setdefault(pixel + held, {})["token"] = {
                    "valid": 1,
                    "first": number == 0,
                    "last": last,
                    "shift": each.shifts[number],
                    "pool_first": k in edges,
                    "addr": k,
                }
                pixel += 1
            rest = max(settle(config), LEAST_REST)
            begin = max(pixel - 1 - entry_delay(config) + settle(config), reads - 1 + rest)
    for cycle, names in steps.items():
        inputs.setdefault(cycle, {})["step"] = dict.fromkeys(names, 1)
    rows += [{} for _ in range(max(inputs) + step_latency(config) + 2 - len(rows))]
    for cycle, given in inputs.items():
        rows[cycle] = {**rows[cycle], **given}
    mode = {"codes": jobs[0].codes, **jobs[0].mode}
    return [{**row, "mode": mode} for row in rows]


def run(play, *jobs):
    """Play `jobs` one after the other; return their outputs as they left, ``[window, columns]``."""
    config, planes = jobs[0].config, jobs[0].planes
    rows = cycles(jobs)
    kind = CompactArray if config.compact else Array
    with spoiling():
        seen = play(kind(config), rows, ["o_bits", "o_step.out"])
    sent = [(at, row["o_bits"]) for at, row in enumerate(seen) if row["o_step.out"]]
    entered = [at for at, row in enumerate(rows) if row.get("step", {}).get("out")]
    assert [at - step_latency(config) for at, _ in sent] == entered  # as the cycle table says
    words = np.array([bits for _, bits in sent]).reshape(-1, planes, 1)
    bits = words >> np.arange(config.columns) & 1
    return (bits << np.arange(planes)[::-1].reshape(-1, 1)).sum(1)  # the highest comes first


def signed(values, bits=32):
    return (values & (1 << bits) - 1).tolist()


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_raw_sums_of_several_passes(play, config, codes):
    due = job(config, np.random.default_rng(config.lanes), codes=codes, pixels=4)
    due.mode = {"raw": 1}
    assert (np.abs(due.sums()) < 2**31 - 3000).all()
    assert run(play, due).tolist() == signed(due.outputs())


@pytest.mark.parametrize("extreme", [-128, 127])
@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_the_most_extreme_sums_are_exact(play, config, codes, extreme):
    rng = np.random.default_rng(config.columns)
    due = job(config, rng, codes=codes, pixels=2, passes=2, extreme=extreme, mode={"raw": 1})
    worth = 2**config.groups - 1 if codes else config.groups
    assert due.sums()[0, 0] == extreme * config.group_lanes * worth * (
        1 + (1, 2, 1 << config.groups)[due.shifts[1]]
    )
    assert run(play, due).tolist() == signed(due.outputs())


@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_thresholds_leave_one_bit_a_cycle(play, config, codes):
    rng = np.random.default_rng(config.groups)
    due = job(config, rng, codes=codes, pixels=11, planes=1, mode={"bits": 1})
    due.flips = rng.integers(0, 2, config.columns).astype(bool)
    due.offsets = -np.median(due.sums(), axis=0).astype(np.int64)  # about half of them fire
    assert run(play, due).tolist() == (due.outputs() >= 0).astype(int).tolist()


@pytest.mark.parametrize(("planes", "shift"), [(8, 6), (3, 9), (1, 0), (8, 31)])
def test_codes_are_clipped_column_by_column(play, config, planes, shift):
    due = job(config, np.random.default_rng(planes), pixels=4, planes=planes, shift=shift)
    expected = np.clip(due.outputs() >> shift, 0, 2**planes - 1)
    assert run(play, due).tolist() == expected.tolist()


def test_the_greatest_of_each_window_leaves(play, config):
    due = job(config, np.random.default_rng(1), pixels=12, planes=8)
    due.windows, due.shift = [4, 4, 1, 3], 5
    assert run(play, due).tolist() == np.clip(due.outputs() >> 5, 0, 255).tolist()


@pytest.mark.parametrize("passes", [1, 2])
def test_tiles_of_other_channels_follow_without_a_gap(play, config, passes):
    """Weights, offset and flip come as early as the loader's functions say, not a cycle later."""
    rng = np.random.default_rng(passes)
    jobs = []
    for pixels in (1, 3, 1, 1):
        due = job(config, rng, passes=passes, pixels=pixels, planes=1, mode={"bits": 1})
        due.flips = rng.integers(0, 2, config.columns).astype(bool)
        due.offsets = -np.median(due.sums(), axis=0).astype(np.int64) - rng.integers(0, 2)
        jobs.append(due)
    expected = np.concatenate([due.outputs() >= 0 for due in jobs])
    assert run(play, *jobs).tolist() == expected.astype(int).tolist()


def test_lanes_meet_their_sums(config):
    """A cell adds its lanes in the cycle in which the sum from above comes by."""
    latency, lanes = config.cell_class.latency, config.cell_class.lanes
    below = [config.cells - 1 - lane // lanes for lane in range(config.lanes)]
    sums = {lane_delay(config, lane) + latency + k for lane, k in enumerate(below)}
    assert len(sums) == 1
    assert max(sums) <= sum_latency(config)
    assert token_delay(config) >= 0
    assert tile_cycles(config) == config.cells * config.cell_class.entries
