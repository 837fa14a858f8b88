"""No memory's word is looked at that is written while it is read: `no_rw_check` is no lie."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.accumulator import Accumulator
from hw.cell_kinds import CELLS
from hw.column import sum_lag
from hw.compact_fetch import CompactFetch
from hw.config import Config
from hw.loader import lead, settle
from hw.pass_fetch import PassFetch
from hw.presets import PRESETS
from sim import collisions
from sim.collisions import Spoiling, spoiling


class Small(wiring.Component):
    """A memory of four words between its ports."""

    def __init__(self):
        super().__init__(
            {
                "r_en": In(1), "r_addr": In(2), "r_data": Out(signed(8)),
                "w_en": In(1), "w_addr": In(2), "w_data": In(signed(8)),
            },
        )

    def elaborate(self, platform):
        m = Module()
        memory = m.submodules.memory = Spoiling(shape=signed(8), depth=4, init=[1, 2, 3, 4])
        r_port, w_port = memory.read_port(), memory.write_port()
        m.d.comb += [
            r_port.en.eq(self.r_en), r_port.addr.eq(self.r_addr), self.r_data.eq(r_port.data),
            w_port.en.eq(self.w_en), w_port.addr.eq(self.w_addr), w_port.data.eq(self.w_data),
        ]
        return m


def test_only_what_changes_while_it_is_read_is_spoilt(play):
    rows = [
        {"r_en": 1, "r_addr": 1},
        {"r_en": 1, "r_addr": 1, "w_en": 1, "w_addr": 2, "w_data": 50},
        {"r_en": 1, "r_addr": 2, "w_en": 1, "w_addr": 2, "w_data": 60},  # spoilt
        {"w_en": 1, "w_addr": 2, "w_data": 70},
        {"r_en": 1, "r_addr": 2, "w_en": 1, "w_addr": 2, "w_data": 70},  # the same again
        {"r_en": 1, "r_addr": 2, "w_addr": 2, "w_data": 9},
        {},
    ]
    seen = play(Small(), rows, ["r_data"])
    assert [now["r_data"] for now in seen[1:]] == [2, 2, ~50, ~50, 70, 70]


def test_every_module_that_makes_a_memory_is_named():
    root = Path(__file__).parents[2]
    found = {
        ".".join(path.relative_to(root).with_suffix("").parts)
        for path in (root / "hw").rglob("*.py")
        if "no_rw_check" in path.read_text()
    }
    assert found == set(collisions.MODULES)


@pytest.mark.parametrize(("apart", "right"), [(3, False), (Accumulator.latency + 1, True)])
def test_a_partial_sum_must_be_back_before_it_is_read(play, apart, right):
    """Passes over one pixel, so many cycles apart."""
    config = Config(lanes=4, columns=1, partial_sums=8)
    rows = [{} for _ in range(4 * apart + 8)]
    for number in range(4):
        token = {"valid": 1, "first": number == 0, "addr": 5}
        rows[number * apart]["token"] = token
        rows[number * apart + Accumulator.sum_lag]["sum"] = 100 + number
    with spoiling():
        seen = play(Accumulator(config), rows, ["acc"])
    got = [seen[number * apart + Accumulator.latency]["acc"] for number in range(4)]
    assert (got == np.cumsum([100, 101, 102, 103]).tolist()) == right


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_no_pass_is_shorter_than_a_partial_sum_takes(cell, compact):
    """The shortest pass has one read; `hw.walker` begins the next once tile and entry are there."""
    lanes = CELLS[cell].lanes
    machines = [
        Config(lanes=cells * lanes, columns=columns, acc_bits=32, cell=cell, compact=compact)
        for cells, columns in product((1, 2, 3, 8), (1, 2))
        if compact or not CELLS[cell].buffered
    ]
    for config in (*machines, *PRESETS.values()):
        fetched = 1 + CompactFetch.latency if config.compact else PassFetch.latency
        period = max(fetched, 1 + settle(config) + lead(config, last=False))
        # Read in one cycle, added `sum_lag` cycles later, in memory two cycles after that.
        assert period >= sum_lag(config) + 2, config
