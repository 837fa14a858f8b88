"""What is counted in a netlist, on netlists made by hand."""

import pytest

from boards.compare.designs import Design
from boards.compare.harness import registers, wrap
from boards.compare.ice40_cells import logic_cells
from boards.compare.netlist import (
    by_module,
    by_part,
    chain_ends,
    counts,
    flat_cells,
)


def ccu2c(cin, cout, *sums):
    return {"type": "CCU2C", "connections": {"CIN": [cin], "COUT": [cout], "S0": list(sums)}}


def netlist(cells, outputs=()):
    ports = {"o": {"direction": "output", "bits": list(outputs)}}
    named = {f"cell{i}": cell for i, cell in enumerate(cells)}
    return {"modules": {"top": {"cells": named, "ports": ports}}}


def lut_reading(*bits):
    return {"type": "LUT4", "connections": {"A": list(bits), "Z": [99]}}


def test_chain_ends_are_the_beginnings_and_what_logic_reads():
    cells = [ccu2c("0", 10, 1), ccu2c(10, 11, 2), ccu2c("1", 12, 3), lut_reading(12)]
    design = netlist(cells)
    assert chain_ends(design, "top") == 4  # two beginnings, 11 with its dangling net, 12
    cells[1]["connections"]["COUT"] = ["x"]
    assert chain_ends(design, "top") == 3
    cells[2]["connections"]["CIN"] = ["x"]
    assert chain_ends(design, "top") == 2


def test_counts_of_an_ecp5():
    cells = {"LUT4": 5, "CCU2C": 3, "TRELLIS_DPR16X4": 2, "TRELLIS_FF": 9, "DP16KD": 1,
             "MULT18X18D": 4, "PFUMX": 50}
    assert counts("ecp5", cells, ends=2) == {"lut": 27, "ff": 9, "bram": 1, "dsp": 4}


def test_counts_of_an_ice40():
    cells = {"SB_LUT4": 5, "SB_CARRY": 3, "SB_DFF": 4, "SB_DFFESR": 2, "SB_RAM40_4KNR": 1,
             "SB_MAC16": 1, "SB_SPRAM256KA": 2}
    found = counts("ice40", cells)
    assert found == {"lut": 6, "ff": 6, "bram": 1, "dsp": 1, "spram": 2}


STAT = {
    "modules": {
        "\\top": {"num_cells_by_type": {"LUT4": 1, "column": 3, "top.walker": 1}},
        "\\column": {"num_cells_by_type": {"TRELLIS_FF": 2, "cell_gated_0": 4, "$scopeinfo": 1}},
        "\\cell_gated_0": {"num_cells_by_type": {"CCU2C": 5}},
        "\\top.walker": {"num_cells_by_type": {"LUT4": 7}},
        "\\unused": {"num_cells_by_type": {"LUT4": 1000}},
    },
    "design": {"num_cells_by_type": {"LUT4": 8, "CCU2C": 60, "$scopeinfo": 3}},
}


def test_every_module_counts_as_often_as_it_stands_there():
    found = by_module(STAT, "top")
    assert found == {
        "top": {"LUT4": 1},
        "column": {"TRELLIS_FF": 6},
        "cell_gated_0": {"CCU2C": 60},
        "top.walker": {"LUT4": 7},
    }
    assert flat_cells(STAT) == {"LUT4": 8, "CCU2C": 60}


def test_parts_are_what_their_modules_hold():
    patterns = (("array", "^cell_"), ("walker", "walker"))
    found = by_part(by_module(STAT, "top"), "ecp5", patterns)
    assert {name: each["lut"] for name, each in found.items()} == {
        "other": 1, "array": 120, "walker": 7,
    }
    assert found["other"]["ff"] == 6


def lut4(i0, i1, i2, i3, out):
    pins = {"I0": [i0], "I1": [i1], "I2": [i2], "I3": [i3], "O": [out]}
    return cell("SB_LUT4", pins, {"O"})


def carry(i0, i1, ci, co):
    return cell("SB_CARRY", {"I0": [i0], "I1": [i1], "CI": [ci], "CO": [co]}, {"CO"})


def dff(d, q):
    return cell("SB_DFF", {"D": [d], "Q": [q], "C": [1]}, {"Q"})


def cell(kind, pins, outputs):
    directions = {name: "output" if name in outputs else "input" for name in pins}
    return {"type": kind, "connections": pins, "port_directions": directions}


@pytest.mark.parametrize(
    ("cells", "outputs", "expected"),
    [
        ([lut4(2, 3, "0", "0", 10), dff(10, 11)], [11], 1),  # packed
        ([lut4(2, 3, "0", "0", 10), dff(10, 11)], [11, 10], 2),  # the LUT drives more
        ([dff(2, 11)], [11], 1),
        ([carry(2, 3, "0", 20), lut4("0", 2, 3, "0", 10)], [10], 1),  # the adder beside it
        ([carry(2, 3, "0", 20), lut4("0", 2, 4, "0", 10)], [10], 2),  # another one
        ([carry(2, 3, 5, 20), lut4("0", 2, 3, 5, 10)], [10], 2),  # begins with a signal
        ([carry(2, 3, "0", 20), lut4("0", 2, 3, "0", 10), lut4(6, 4, 4, 20, 12)], [10, 12], 2),
        ([carry(2, 3, "0", 20), lut4("0", 2, 3, "0", 10)], [10, 20], 2),  # logic reads its carry
    ],
)
def test_logic_cells_of_an_ice40(cells, outputs, expected):
    assert logic_cells(netlist(cells, outputs), "top") == expected


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (3, 2), (5, 3), (7, 16), (2, 65)])
def test_the_harness_has_the_registers_that_it_says(inputs, outputs):
    ports = {"inputs": (("clk", 1), ("rst", 1), ("a", inputs)), "outputs": (("b", outputs),)}
    design = Design(top="inner", text="", **ports)
    text = wrap(design).text
    widths = [int(line.split("[")[1].split(":")[0]) + 1 for line in text.splitlines()
              if line.strip().startswith("reg [")]
    assert sum(widths) == registers(design)
    assert f".a(shift[{inputs - 1}:0])" in text
    assert f".b(level0[{outputs - 1}:0])" in text
    assert [name for name, _ in wrap(design).inputs] == ["clk", "rst", "serial"]
