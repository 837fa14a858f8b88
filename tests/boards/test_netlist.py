"""The netlist of `tiny` in a chip's own cells: the bits and cycles of its Verilog."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

import bambino
from boards.netlist import cells
from boards.netlist.cells import NetlistError
from boards.netlist.engine import NetlistEngine
from boards.netlist.netlist import device, netlist
from golden.layer import Requantise, Threshold
from golden.random_networks import random_codes, random_network, tiny_network
from golden.torch_engine import TorchEngine
from golden.trace import compare
from hw.fit import FitError
from hw.lower import lower
from hw.presets import PRESETS
from hw.replies import ReplyError
from sim.engine import RtlEngine, clip_trace, load_time
from sim.simulation import SimulationError, run

TINY = PRESETS["tiny"]
FLIPS = 6
LUT = re.compile(r"^  LUT4 #\(\n    \.INIT\(16'h(\w+)\)\n  \) \w+ \(\n(.*?)^  \);", re.M | re.S)
CHOICE = "integer fault; initial if (!$value$plusargs(\"fault=%d\", fault)) fault = 0;\n"


def drawn(count):
    """Draw the paper's form and random networks that fit, of all that the machine can."""
    rng = np.random.default_rng(3)
    found = [(tiny_network(), random_codes(rng, tiny_network()))]
    while len(found) <= count:
        network = random_network(rng)
        codes = random_codes(rng, network)
        try:
            lower(network, TINY, maps=True)
        except FitError:
            continue
        found.append((network, codes))
    return found


def flipped(text, count):
    """Let ``+fault=n`` flip one bit of the INIT of one LUT4, which `count` of them take turns at.

    It is the entry of zeros, but for inputs that are constant: registers begin at zero, so it is
    asked for in most of them.
    """
    rng = np.random.default_rng(7)
    places = [each for each in LUT.finditer(text) if "n" in each[2]]
    chosen = {int(n) for n in rng.choice(len(places), count, replace=False)}
    pieces, at, number = [], 0, 0
    for n in sorted(chosen):
        place, number = places[n], number + 1
        ports = dict(re.findall(r"\.(\w)\((.*?)\)", place[2]))
        entry = sum(1 << i for i, port in enumerate("ABCD") if ports[port] == "1'h1")
        address = "{" + ", ".join(ports[port] for port in "DCBA") + "}"
        right = place[0].replace(f".Z({ports['Z']})", f".Z(right{number})")
        pieces += [
            text[at : place.start()], f"  wire right{number};\n", right,
            f"\n  assign {ports['Z']} = right{number}",
            f" ^ (fault == {number} && {address} == {entry});",
        ]
        at = place.end()
    whole = "".join([*pieces, text[at:]])
    return re.sub(r"^(module accelerator\(.*?\);\n)", rf"\1{CHOICE}", whole, flags=re.M)


@pytest.fixture(scope="module")
def work():
    found = drawn(7)
    ends = [layer for network, _ in found for layer in network.layers]
    assert any(isinstance(each.end, Requantise) for each in ends)
    assert any(isinstance(each.end, Threshold) and each.end.flip.any() for each in ends)
    assert {each.pool for each in ends} == {"none", "max2x2", "global"}
    return found


@pytest.fixture(scope="module")
def lowered(work):
    return [
        (lower(network, TINY, maps=maps), [codes])
        for network, codes in work for maps in (False, True)
    ]


@pytest.fixture(scope="module")
def expected(lowered):
    return RtlEngine(TINY).predict_lowered(lowered)


def agree(work, expected, got):
    """Compare with the Verilog, cycles too, and with PyTorch."""
    assert len(got) == len(expected) == 2 * len(work)
    for (want,), (found,), n in zip(expected, got, range(len(got)), strict=True):
        network, codes = work[n // 2]
        assert np.array_equal(found.raw, want.raw)
        assert np.array_equal(found.raw, TorchEngine().predict(network, codes).raw)
        assert (found.cycles, found.load_cycles) == (want.cycles, want.load_cycles)
        if n % 2:
            assert compare(network, want, found).first is None


@pytest.mark.cosim
def test_bits_and_cycles_on_ice40(work, lowered, expected):
    agree(work, expected, NetlistEngine(TINY, "ice40").predict_lowered(lowered))


@pytest.mark.cosim
def test_bits_and_cycles_on_ecp5_and_flipped_bits_of_luts_are_seen(work, lowered, expected):
    engine = NetlistEngine(TINY, "ecp5", verilog=flipped(netlist(TINY, "ecp5"), FLIPS))
    agree(work, expected, engine.predict_lowered(lowered))  # no bit is flipped yet
    played, wanted = lowered[:6], expected[:6]
    job = replace(engine.job(played), timeout=30_000)

    def seen(number):
        try:
            phases = iter(run(engine.model, job, plusargs=(f"+fault={number}",)).phases)
            for (low, _), (want,) in zip(played, wanted, strict=True):
                load_time(low, next(phases))
                got = clip_trace(low, next(phases), want.load_cycles)
                if not np.array_equal(got.raw, want.raw) or got.cycles != want.cycles:
                    return True
                if any(not np.array_equal(got.outputs[k], v) for k, v in want.outputs.items()):
                    return True
        except (SimulationError, ReplyError):
            return True
        return False

    assert not seen(0)
    found = [number for number in range(1, FLIPS + 1) if seen(number)]
    # An entry that no network here ever asks for changes nothing.
    assert len(found) >= FLIPS // 2, found


@pytest.mark.cosim
def test_the_command_line(capsys):
    how = ["--preset", "tiny", "--engine", "netlist", "--target", "ice40"]
    assert bambino.main(["verify", *how, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["identical"] is True
    assert found["cycles"] == found["estimated_cycles"]
    scores = []
    for engine in (how, ["--preset", "tiny", "--engine", "torch"]):
        assert bambino.main(["score", *engine, "--json"]) == 0
        scores.append(json.loads(capsys.readouterr().out))
    assert scores[0]["scores"] == scores[1]["scores"]
    assert (scores[0]["engine"], scores[0]["target"]) == ("netlist", "ice40")


@pytest.mark.parametrize("verb", ["score", "verify"])
@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--target", "ecp5"], "--target must go with --engine netlist"),
        (["--engine", "netlist"], "--engine netlist must come with --target ecp5 or ice40"),
        (
            ["--engine", "netlist", "--target", "ecp5"],
            "lanes x columns must be at most 32 for the engine netlist, not 1024 (--preset tiny",
        ),
        (
            ["--engine", "netlist", "--target", "ecp5", "--preset", "small"],
            "single_port must be false on ecp5",
        ),
        (
            ["--engine", "netlist", "--target", "ecp5", "--port", "x"],
            "--port, --board and --baud must go with --engine board",
        ),
    ],
)
def test_options_that_do_not_go_together(verb, options, rule, capsys):
    assert bambino.main([verb, *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"bambino {verb}: {rule}")


def test_a_netlist_writes_no_waveform(tmp_path, capsys):
    how = ["--engine", "netlist", "--target", "ecp5", "--waves", str(tmp_path / "w.vcd")]
    assert bambino.main(["verify", "--preset", "tiny", *how]) == 2
    assert "--waves must go with --engine rtl" in capsys.readouterr().err


def test_chips_of_both_families():
    assert device(TINY, "ecp5").name == "ECP5-25F"
    assert device(TINY, "ice40").name == "iCE40 HX8K"
    with pytest.raises(NetlistError, match="lanes x columns must be at most 32"):
        device(PRESETS["medium"], "ice40")
    with pytest.raises(NetlistError, match="single_port must be false for the engine netlist"):
        device(replace(TINY, single_port=True), "ice40")


def test_a_cell_without_a_model():
    assert "module LUT2" in cells.models("ecp5", ["CCU2C"])
    with pytest.raises(NetlistError, match="must have a model in yosys, not be MULT18X18D"):
        cells.models("ecp5", ["LUT4", "MULT18X18D"])


@pytest.mark.parametrize(
    ("parameters", "ports", "rule"),
    [
        ({"REGMODE_B": "OUTREG"}, {}, "REGMODE_B must be NOREG, not OUTREG"),
        ({"DATA_WIDTH_A": "0100"}, {}, r"DATA_WIDTH_A must be one of \(9, 18, 36\), not 4"),
        ({"INITVAL_3F": "0001"}, {}, "INITVAL_3F must be 0, not 0001"),
        ({}, {"WEB": [7]}, "WEB must be 0, not a signal"),
    ],
)
def test_a_block_ram_whose_use_the_model_does_not_cover(parameters, ports, rule):
    good = {"DATA_WIDTH_A": f"{9:032b}", "DATA_WIDTH_B": f"{36:032b}", "INITVAL_00": "0x0"}
    cell = {"type": "DP16KD", "parameters": good, "connections": {"WEB": ["0"], "RSTA": ["x"]}}
    cells.check({"cells": {"ram": cell, "lut": {"type": "LUT4"}}})
    bad = cell | {
        "parameters": good | parameters, "connections": cell["connections"] | ports,
    }
    with pytest.raises(NetlistError, match=f"block RAM ram: {rule}"):
        cells.check({"cells": {"ram": bad}})
