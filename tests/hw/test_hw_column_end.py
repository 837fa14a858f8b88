"""The end of a column, bit by bit and byte by byte: thresholds, codes, raw results, maxima."""

from itertools import product

import numpy as np
import pytest

from hw.code_end import CodeEnd
from hw.column import end_class
from hw.config import Config

MACHINES = {
    f"{bits}-bits{'' if pool else '-no-maximum'}": Config(
        lanes=2, columns=1, acc_bits=bits, pool_codes=pool,
    )
    for bits in (10, 23, 32)
    for pool in (True, False)
}
BYTES = {f"{bits}-bits": Config(lanes=2, columns=1, acc_bits=bits) for bits in (16, 24, 32)}


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


class Bench:
    """Outputs of one column, played one after the other."""

    def __init__(self, play, config, mode, *, whole=False):
        self.play, self.config, self.mode = play, config, mode
        self.kind = CodeEnd if whole else end_class(config)
        self.latency = self.kind.latency
        self.width = 8 if whole else 1
        self.rows, self.outs = [], []

    def parameters(self, offset, flip=0):
        """Shift offset and flip in."""
        config = self.config
        value = offset & ((1 << config.acc_bits) - 1) | int(flip) << config.acc_bits
        for byte in value.to_bytes(config.parameter_rows, "little"):
            self.rows.append({"shift": 1, "byte": byte})

    def output(self, pixels, names, planes):
        """Let pixels come, then the steps `names` behind `load`; `planes` of them are out."""
        for i, acc in enumerate(pixels):
            token = {"valid": 1, "last": 1, "pool_first": i == 0}
            self.rows.append({"acc": int(acc), "token": token})
            # No last pass, and no pixel: neither is looked at.
            most = (1 << self.config.acc_bits - 1) - 1
            self.rows.append({"acc": most, "token": {"valid": 1, "pool_first": 1}})
            self.rows.append({"acc": most, "token": {"last": 1, "pool_first": 1}})
        self.rows += [{} for _ in range(max(0, self.latency - 3))]
        load = len(self.rows) - 3 - max(0, self.latency - 3) + self.latency
        steps = [{"load": 1}, *({name: 1 for name in each} for each in names)]
        self.rows += [{} for _ in range(max(0, load + len(steps) - len(self.rows)))]
        for k, step in enumerate(steps):
            self.rows[load + k]["step"] = step
        lag = self.kind.serial_lag
        self.outs.append([load + k + lag for k, step in enumerate(steps) if "out" in step])
        assert len(self.outs[-1]) == planes

    def seen(self):
        """What left, highest first, as numbers."""
        rows = [{**row, "mode": self.mode} for row in (*self.rows, {}, {})]
        found = self.play(self.kind(self.config), rows, ["serial"])
        values = []
        for cycles in self.outs:
            value = 0
            for cycle in cycles:
                value = value << self.width | found[cycle]["serial"]
            values.append(value)
        return values


def steps_of(planes, shifts):
    """Steps behind `load`, by the docstring of `hw.end_steps`."""
    return [
        [name for name, since in (("out", planes), ("shift", shifts)) if left <= since]
        for left in range(max(planes, shifts), 0, -1)
    ]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("distance", [-1, 0, 1])
def test_a_threshold_decides_at_its_edge(play, config, flip, distance):
    bench = Bench(play, config, {"bits": 1})
    bench.parameters(-38, flip)
    bench.output([37 + distance], [["out"]], 1)
    assert bench.seen() == [(distance > 0) ^ flip]


@pytest.mark.parametrize("whole", [False, True], ids=["bits", "bytes"])
@pytest.mark.parametrize("flip", [False, True])
def test_a_maximum_of_thresholds_is_an_or_on_every_machine(play, config, flip, whole):
    rng = np.random.default_rng(config.acc_bits)
    most = 1 << config.acc_bits - 2
    bench, expected = Bench(play, config, {"bits": 1}, whole=whole), []
    for _ in range(8):
        pixels = rng.integers(-most, most, rng.integers(2, 5))
        threshold = int(np.sort(pixels)[0 if flip else -1]) - int(rng.integers(-1, 2))
        bench.parameters(-threshold - 1, flip)
        bench.output(pixels, [["out"]], 1)
        expected.append(int(((pixels > threshold) ^ flip).any()))
    assert set(expected) == {0, 1}
    assert bench.seen() == expected


def edges(bits, shift, config):
    """Totals at which a code changes or is limited, as far as the accumulator holds them."""
    top, most = 2**bits - 1, (1 << config.acc_bits - 1) - 1
    found = {0, -1, 1, most, -most - 1, most // 2, (1 << shift) - 1, 1 << shift, -1 << shift}
    found |= {top << shift, (top + 1 << shift) - 1, top + 1 << shift, top + 2 << shift}
    found |= {1 << config.acc_bits - 2, (1 << 16) + 1, 5 << shift}
    return sorted(value for value in found if -most - 1 <= value <= most)


@pytest.mark.parametrize("bits", range(1, 9))
def test_codes_are_shifted_and_limited_by_every_shift(play, config, bits):
    """Also where shift + bits is more than the accumulator has, and the code's top is never 1."""
    for shift in range(32):
        bench, expected = Bench(play, config, {}), []
        names = steps_of(bits, max(0, config.acc_bits - shift))
        for total in edges(bits, shift, config):
            offset = -3 if total < 0 else 3
            bench.parameters(offset)
            bench.output([total - offset], names, bits)
            expected.append(min(max(total >> shift, 0), 2**bits - 1))
        assert bench.seen() == expected, shift


def test_raw_results_are_not_limited(play, config):
    most = (1 << config.acc_bits - 1) - 1
    values = [most, -most - 1, 0, -1, 100, -most // 3]
    bench = Bench(play, config, {"raw": 1})
    for value in values:
        bench.parameters(0)
        bench.output([value], steps_of(config.acc_bits, config.acc_bits), config.acc_bits)
    assert bench.seen() == [value & ((1 << config.acc_bits) - 1) for value in values]


@pytest.mark.parametrize("config", [c for c in MACHINES.values() if c.pool_codes],
                         ids=lambda c: f"{c.acc_bits}-bits")
def test_the_greatest_code_leaves_wherever_it_stands(play, config):
    most = (1 << config.acc_bits - 1) - 1
    windows = [(5, 9, -7), (9, 5, 5, 5), (-9, -5), (most, 0), (-most - 1, -most), (3, 3)]
    bench, expected = Bench(play, config, {}), []
    for shift, window in product((0, 1), windows):
        bench.parameters(0)
        bench.output(window, steps_of(4, config.acc_bits - shift), 4)
        expected.append(min(max(max(window) >> shift, 0), 15))
    assert bench.seen() == expected


@pytest.mark.parametrize("config", [c for c in MACHINES.values() if not c.pool_codes],
                         ids=lambda c: f"{c.acc_bits}-bits")
def test_without_maxima_of_codes_the_last_pixel_leaves(play, config):
    """Nothing else is promised, and the lowering refuses such a layer."""
    bench = Bench(play, config, {})
    bench.parameters(0)
    bench.output([9], steps_of(4, config.acc_bits), 4)
    bench.output([6], steps_of(4, config.acc_bits), 4)
    assert bench.seen() == [9, 6]


@pytest.mark.parametrize("config", [c for c in MACHINES.values() if not c.pool_codes],
                         ids=lambda c: f"{c.acc_bits}-bits")
@pytest.mark.parametrize("shift", [0, 2])
def test_a_total_is_loaded_in_the_last_step_of_the_one_before(play, config, shift):
    rng = np.random.default_rng(config.acc_bits)
    most, names = 1 << config.acc_bits - 1, steps_of(8, config.acc_bits - shift)
    totals = [int(rng.choice([rng.integers(-most, most), rng.integers(300)])) for _ in range(20)]
    bench = Bench(play, config, {})
    bench.parameters(0)
    first = len(bench.rows)
    bench.rows += [{} for _ in range(len(names) * len(totals) + 1)]
    for k, total in enumerate(totals):
        at = first + k * len(names)
        bench.rows[at] |= {"acc": total, "token": {"valid": 1, "last": 1, "pool_first": 1}}
        bench.rows[at]["step"] = bench.rows[at].get("step", {}) | {"load": 1}
        for j, each in enumerate(names, start=1):
            bench.rows[at + j]["step"] = dict.fromkeys(each, 1)
        bench.outs.append(
            [at + j + bench.kind.serial_lag for j, each in enumerate(names, 1) if "out" in each],
        )
    assert bench.seen() == [min(max(total >> shift, 0), 255) for total in totals]


@pytest.mark.parametrize("whole", [False, True], ids=["bits", "bytes"])
def test_an_output_leaves_while_the_next_one_comes(play, whole):
    """What is loaded is not disturbed by pixels that follow."""
    config = BYTES["24-bits"]
    bench = Bench(play, config, {"shift": 0}, whole=whole)
    bench.parameters(0)
    bench.output([201], [["out"]] if whole else steps_of(8, 24), 1 if whole else 8)
    load = next(i for i, row in enumerate(bench.rows) if row.get("step", {}).get("load"))
    token = {"valid": 1, "last": 1, "pool_first": 1}
    for cycle in range(load + 1 - bench.latency, len(bench.rows)):
        bench.rows[cycle] |= {"token": token, "acc": 5}
    assert bench.seen() == [201]


@pytest.mark.parametrize("config", BYTES.values(), ids=BYTES)
def test_whole_codes_are_shifted_and_limited_by_every_shift(play, config):
    for shift in range(32):
        bench, expected = Bench(play, config, {"shift": shift}, whole=True), []
        for total in edges(8, shift, config):
            offset = -3 if total < 0 else 3
            bench.parameters(offset)
            bench.output([total - offset], [["out"]], 1)
            expected.append(min(max(total >> shift, 0), 255))
        assert bench.seen() == expected, shift


@pytest.mark.parametrize("config", BYTES.values(), ids=BYTES)
def test_the_greatest_whole_code_leaves(play, config):
    rng = np.random.default_rng(config.acc_bits)
    for shift in (0, 3, 8, 13):
        bench, expected = Bench(play, config, {"shift": shift}, whole=True), []
        for _ in range(12):
            most = 300 << min(shift, config.acc_bits - 10)
            window = rng.integers(-most // 4, most, 4)
            bench.parameters(0)
            bench.output(window, [["out"]], 1)
            expected.append(int(np.clip(window.max() >> shift, 0, 255)))
        assert bench.seen() == expected


@pytest.mark.parametrize("config", BYTES.values(), ids=BYTES)
@pytest.mark.parametrize("flip", [False, True])
def test_a_threshold_of_whole_codes_is_0_or_1(play, config, flip):
    bench = Bench(play, config, {"bits": 1}, whole=True)
    bench.parameters(-38, flip)
    for distance in (-1, 0, 1):
        bench.output([37 + distance], [["out"]], 1)
    assert bench.seen() == [flip, flip, not flip]


@pytest.mark.parametrize("config", BYTES.values(), ids=BYTES)
def test_raw_results_leave_byte_by_byte(play, config):
    most, planes = (1 << config.acc_bits - 1) - 1, config.acc_bits // 8
    values = [most, -most - 1, 0, -1, 0x1234]
    bench = Bench(play, config, {"raw": 1}, whole=True)
    for value in values:
        bench.parameters(0)
        bench.output([value], [[], *[["out", "shift"]] * planes], planes)
    assert bench.seen() == [value & ((1 << config.acc_bits) - 1) for value in values]
