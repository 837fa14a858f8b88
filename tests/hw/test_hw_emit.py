"""The Verilog: the same bytes each time, every shared module once."""

import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.accelerator import Accelerator, identity
from hw.config import Config
from hw.emit import once, to_verilog
from hw.presets import PRESETS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tiny():
    return to_verilog(Accelerator(PRESETS["tiny"]))


@pytest.fixture(scope="module")
def medium():
    return to_verilog(Accelerator(PRESETS["medium"]))


def modules(text):
    """Bodies by name."""
    found = re.findall(r"^module\s+(\S+?)\s*\((.*?)^endmodule", text, re.MULTILINE | re.DOTALL)
    return dict(found)


def instances(body, name):
    return len(re.findall(rf"^\s+{re.escape(name)}\s+\S+\s*\(", body, re.MULTILINE))


def test_the_same_machine_gives_the_same_text(tiny):
    assert to_verilog(Accelerator(PRESETS["tiny"])) == tiny


def test_another_process_gives_the_same_text(tiny):
    """Sets and hashes of another process must not show."""
    script = (
        "import hashlib; from hw.accelerator import Accelerator; from hw.presets import PRESETS;"
        " from hw.emit import to_verilog;"
        " print(hashlib.sha256(to_verilog(Accelerator(PRESETS['tiny'])).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == hashlib.sha256(tiny.encode()).hexdigest()


@pytest.mark.parametrize("name", ["tiny", "medium"])
def test_columns_and_cells_are_written_once(request, name):
    text, config = request.getfixturevalue(name), PRESETS[name]
    found = Counter(re.findall(r"^module\s+(\S+?)\s*\(", text, re.MULTILINE))
    assert set(found.values()) == {1}
    assert found["column"] == 1
    cells = [module for module in found if module.startswith("cell_")]
    assert sorted(cells) == sorted(f"cell_{config.cell}_{k}" for k in range(config.cells))
    bodies = modules(text)
    array = bodies["\\accelerator.array"]
    assert instances(array, "column") == config.columns
    for cell in cells:  # no two have sums of the same width
        assert instances(bodies["\\column.chain"], cell) == 1


def test_the_top_has_the_ports_that_hosts_rely_on(tiny):
    top = modules(tiny)["accelerator"]
    declared = set(re.findall(r"^  ((?:in|out)put (?:\[\d+:0\] )?\S+);", top, re.MULTILINE))
    assert declared == {
        "input clk",
        "input rst",
        "input [32:0] i__payload",
        "input i__valid",
        "output i__ready",
        "output [32:0] o__payload",
        "output o__valid",
        "input o__ready",
    }


def test_medium_is_at_most_600_kb(medium):
    assert len(medium.encode()) <= 600_000


@pytest.mark.parametrize(
    ("lanes", "columns", "groups"), [(1, 1, 1), (3, 7, 3)],
)
def test_machines_of_any_size_are_written(lanes, columns, groups):
    config = Config(lanes=lanes, columns=columns, groups=groups, acc_bits=32, map_words=64)
    bodies = modules(to_verilog(Accelerator(config)))
    assert instances(bodies["\\accelerator.array"], "column") == columns


def test_the_text_hardly_grows_with_the_array(tiny, medium):
    """32 times the cells, and most of what is new is wires between columns."""
    assert len(medium) < 2 * len(tiny)


def test_no_text_tells_where_it_was_made(tiny, medium):
    for text in (tiny, medium):
        assert str(ROOT) not in text
        assert ".py" not in text


@pytest.mark.parametrize("name", PRESETS)
def test_not_even_a_constant_is_multiplied(name):
    text = to_verilog(Accelerator(PRESETS[name]))
    assert not re.findall(r"^.* \* .*$", text, re.MULTILINE)


def test_machines_are_told_apart():
    configs = [*PRESETS.values(), replace(PRESETS["tiny"], strip=7)]
    numbers = [identity(config) for config in configs]
    assert len(set(numbers)) == len(configs)
    assert all(0 <= number < 1 << 32 for number in numbers)


class Leaf(wiring.Component):
    """Adds one, a cycle later."""

    def __init__(self):
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.b.eq(self.a + 1)
        return m


class Comb(wiring.Component):
    """Has neither clock nor reset."""

    def __init__(self):
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.eq(~self.a)
        return m


class Pair(wiring.Component):
    """Two leaves and a gate, in a row."""

    def __init__(self):
        super().__init__({"a": In(4), "b": Out(4)})

    def elaborate(self, platform):
        m = Module()
        before = self.a
        for i, kind in enumerate((Leaf, Comb, Leaf)):
            each = kind()
            m.submodules[f"part_{i}"] = once(each, kind.__name__.lower(), platform)
            m.d.comb += each.a.eq(before)
            before = each.b
        m.d.comb += self.b.eq(before)
        return m


def test_once_writes_a_component_once_and_wires_it_each_time():
    text = to_verilog(Pair(), "pair")
    bodies = modules(text)
    assert sorted(bodies) == ["comb", "leaf", "pair"]
    assert instances(bodies["pair"], "leaf") == 2
    assert instances(bodies["pair"], "comb") == 1
    assert ".clk(clk)" in bodies["pair"]
    assert "clk" not in bodies["comb"]


def test_once_is_the_component_itself_where_nothing_is_emitted(play, used):
    leaf = used(Leaf())
    assert once(leaf, "leaf", None) is leaf
    seen = play(Pair(), [{"a": 3}, {}, {}], ["b"])
    assert seen[2]["b"] == (~(3 + 1) + 1) & 15
