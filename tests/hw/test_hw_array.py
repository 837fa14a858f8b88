"""The array alone against NumPy: weights in, pixels past them, outputs' bits out."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from hw.array import Array
from hw.column import END_DELAY, deepest_lane, lane_delay, sum_latency
from hw.config import Config
from hw.loader import settle

MACHINES = {
    f"{lanes}x{columns}/{groups}": Config(
        lanes=lanes,
        columns=columns,
        groups=groups,
        acc_bits=32,
        weight_rows=80,
        partial_sums=12,
        map_words=64,
    )
    for lanes, columns, groups in (
        (1, 2, 1), (6, 5, 3), (16, 3, 8),
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

    def sums(self):
        """What every column's sums are, int64 [pixel, columns], by NumPy."""
        worth = np.repeat(2 ** np.arange(self.config.groups), self.config.group_lanes)
        if not self.codes:
            worth = np.ones_like(worth)
        total = np.zeros((self.bits.shape[1], self.config.columns), np.int64)
        for number, (bits, weights) in enumerate(zip(self.bits, self.weights, strict=True)):
            if number:
                total <<= (0, 1, self.config.groups)[self.shifts[number]]
            total += (bits * worth).astype(np.int64) @ weights.astype(np.int64)
        return total

    def outputs(self):
        """The greatest of every window, ``[window, columns]``, before its end."""
        found = self.sums() + self.offsets
        found = np.where(self.flips, -found - 1, found)
        edges = np.cumsum([0, *self.windows[:-1]])
        return np.maximum.reduceat(found, edges, axis=0)

    @property
    def planes(self):
        return 1 if self.mode.get("bits") else self.mode.get("planes", self.config.acc_bits)


def job(config, rng, *, codes=0, passes=3, pixels=6, extreme=None):
    shape = (passes, config.lanes, config.columns)
    weights = rng.integers(-128, 128, shape) if extreme is None else np.full(shape, extreme)
    bits = rng.integers(0, 2, (passes, pixels, config.lanes))
    if extreme is not None:
        bits[:] = 1
    return Job(
        config=config,
        codes=codes,
        weights=weights.astype(np.int8),
        bits=bits,
        shifts=[0, *rng.integers(0, 3, passes - 1).tolist()],
        offsets=rng.integers(-3000, 3000, config.columns),
        flips=rng.integers(0, 2, config.columns).astype(bool),
        windows=[1] * pixels,
    )


def cycles(job, array):
    """Rows of inputs for `play`: weights written, then tile after tile as the machine would."""
    config, mode = job.config, {"codes": job.codes, "planes": job.planes % 16, **job.mode}
    rows = []
    ends = np.zeros((config.parameter_rows, config.columns), np.int64)
    for j, (offset, flip) in enumerate(zip(job.offsets, job.flips, strict=True)):
        value = int(offset) & ((1 << config.acc_bits) - 1) | int(flip) << config.acc_bits
        ends[:, j] = list(value.to_bytes(config.parameter_rows, "little"))
    # Last lane first, so that it has the furthest to go; behind the tiles offset and flip.
    memory = np.concatenate([*(w[::-1].astype(np.int64) & 255 for w in job.weights), ends])
    for addr, row in enumerate(memory):
        for column, byte in enumerate(row):
            token = {"valid": 1, "column": column, "addr": addr, "data": int(byte)}
            rows.append({"write": token})
    rows += [{}] * config.columns
    steps = {}
    addr = 0
    for number in range(len(job.weights)):
        last = number == len(job.weights) - 1
        for k in range(config.lanes + (config.parameter_rows if last else 0)):
            rows.append({"load": {"read": 1, "param": k >= config.lanes, "addr": addr}})
            addr += 1
        rows.append({})  # the last row read is shifted in
        rows.append({"swap": 1, "token": {"take": last}})
        sizes = iter(job.windows)
        left = size = next(sizes)
        for pixel, bits in enumerate(job.bits[number]):
            first_of, last_of = left == size, left == 1
            token = {
                "valid": 1,
                "first": number == 0,
                "last": last,
                "shift": job.shifts[number],
                "pool_first": first_of,
                "pool_last": last_of,
                "addr": pixel,
            }
            acts = sum(int(bit) << lane for lane, bit in enumerate(bits))
            rows.append({"acts": acts, "token": token})
            if last and last_of:
                out = way_out(job)
                load = len(rows) - 1 + array.token_delay + END_DELAY
                for i, step in enumerate(out):
                    steps.setdefault(load + i, {}).update(step)
                rows += [{}] * (len(out) - 2)
            left -= 1
            if left == 0:
                left = size = next(sizes, 0)
        rows += [{}] * settle(config)
    rows += [{}] * (sum_latency(config) + END_DELAY + 40 + 2 * config.columns)
    for at, step in steps.items():
        rows[at] = {**rows[at], "step": step}
    return [{**row, "mode": mode} for row in rows]


def way_out(job):
    """Steps of one output from its `load` on."""
    if job.mode.get("bits"):
        return [{"load": 1}, {"out": 1}]
    clip = [{"clip": 1}]
    return [{"load": 1}, *[{"shift": 1}] * job.shift, *clip, *[{"out": 1}] * job.planes]


def run(play, job):
    """Play `job`; return the outputs as they left, ``[window, columns]``."""
    array = Array(job.config)
    rows = cycles(job, array)
    seen = play(array, rows, ["o_bits", "o_step.out"])
    sent = [
        (at, row["o_bits"]) for at, row in enumerate(seen) if row["o_step.out"]
    ]
    entered = [at for at, row in enumerate(rows) if row.get("step", {}).get("out")]
    assert [at - job.config.columns for at, _ in sent] == entered  # as the cycle table says
    words = np.array([bits for _, bits in sent]).reshape(-1, job.planes, 1)
    bits = words >> np.arange(job.config.columns) & 1
    return (bits << np.arange(job.planes).reshape(-1, 1)).sum(1)


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_raw_sums_of_several_passes(play, config, codes):
    rng = np.random.default_rng(config.lanes)
    due = job(config, rng, codes=codes, pixels=4)
    due.mode = {"raw": 1}
    due.flips[:] = False
    assert (np.abs(due.sums()) < 2**31 - 3000).all()
    got = run(play, due)
    assert got.tolist() == (due.outputs() & 0xFFFFFFFF).tolist()


@pytest.mark.parametrize("extreme", [-128, 127])
@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_the_most_extreme_sums_are_exact(play, config, codes, extreme):
    rng = np.random.default_rng(config.columns)
    due = job(config, rng, codes=codes, pixels=2, passes=2, extreme=extreme)
    due.mode = {"raw": 1}
    due.flips[:] = False
    worth = 2**config.groups - 1 if codes else config.groups
    assert due.sums()[0, 0] == extreme * config.group_lanes * worth * (
        1 + (1, 2, 1 << config.groups)[due.shifts[1]]
    )
    assert run(play, due).tolist() == (due.outputs() & 0xFFFFFFFF).tolist()


@pytest.mark.parametrize("codes", [0, 1], ids=["bits", "codes"])
def test_thresholds_leave_one_bit_a_cycle(play, config, codes):
    rng = np.random.default_rng(config.groups)
    due = job(config, rng, codes=codes, pixels=11)
    due.mode = {"bits": 1}
    due.offsets = -np.median(due.sums(), axis=0).astype(np.int64)  # about half of them fire
    assert run(play, due).tolist() == (due.outputs() >= 0).astype(int).tolist()


@pytest.mark.parametrize(("planes", "shift"), [(8, 6), (3, 9), (1, 0)])
def test_codes_are_clipped_column_by_column(play, config, planes, shift):
    rng = np.random.default_rng(planes)
    due = job(config, rng, pixels=4)
    due.mode, due.shift = {"planes": planes}, shift
    due.flips[:] = False
    expected = np.clip(due.outputs() >> shift, 0, 2**planes - 1)
    assert run(play, due).tolist() == expected.tolist()


def test_the_greatest_of_each_window_leaves(play, config):
    rng = np.random.default_rng(1)
    due = job(config, rng, pixels=12)
    due.mode = {"planes": 8}
    due.windows, due.shift = [4, 4, 1, 3], 5
    due.flips[:] = False
    expected = np.clip(due.outputs() >> 5, 0, 255)
    assert run(play, due).tolist() == expected.tolist()


def test_weights_of_the_next_tile_do_not_disturb_this_one(play):
    """A tile loads as early as the loader's `settle` allows, while the last one still runs."""
    config = MACHINES["6x5/3"]
    rng = np.random.default_rng(2)
    due = job(config, rng, passes=2, pixels=12)
    due.mode = {"raw": 1}
    due.flips[:] = False
    array = Array(config)
    rows = cycles(due, array)
    swaps = [at for at, row in enumerate(rows) if row.get("swap")]
    loads = [at for at, row in enumerate(rows) if "load" in row]
    second = [at for at in loads if swaps[0] < at < swaps[1]]
    moved = [rows[at]["load"] for at in second]
    for at in second:
        rows[at] = {k: v for k, v in rows[at].items() if k != "load"}
    for i, load in enumerate(moved):
        at = swaps[0] + deepest_lane(config) + i
        rows[at] = {**rows[at], "load": load}
    seen = play(array, rows, ["o_bits", "o_step.out"])
    words = np.array([row["o_bits"] for row in seen if row["o_step.out"]])
    bits = words.reshape(-1, config.acc_bits, 1) >> np.arange(config.columns) & 1
    got = (bits << np.arange(config.acc_bits).reshape(-1, 1)).sum(1)
    assert got.tolist() == (due.outputs() & 0xFFFFFFFF).tolist()


@pytest.mark.parametrize(("lanes", "groups"), [(4, 1), (6, 2), (9, 3), (16, 8)])
def test_lanes_meet_their_sums(lanes, groups):
    """Lane k of a group waits for k cells, the group for the chain that adds it."""
    config = Config(lanes=lanes, columns=2, groups=groups, acc_bits=32)
    for group in range(groups):
        for lane in range(config.group_lanes):
            cells = config.group_lanes - lane  # from the lane's cell to the group's sum
            adders = min(groups - 1, group + 1)  # from the group's sum to the column's
            arrives = lane_delay(config, group, lane) + cells + adders
            assert arrives == sum_latency(config)
    assert deepest_lane(config) == max(
        lane_delay(config, g, k) for g in range(groups) for k in range(config.group_lanes)
    )
