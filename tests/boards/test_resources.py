"""The resource model: its arithmetic, what was committed of it, and how it is shown."""

import json
import subprocess
from dataclasses import replace
from statistics import median

import pytest

import bambino
from boards import resources
from boards.blocks import Memory, block_rams, memories, muxed_bits, single_port_rams
from boards.compare import fitting
from boards.compare.job import TARGETS
from boards.compare.machines import config
from boards.compare.shapes import shapes
from boards.compare.tools import find
from boards.known import BOARDS
from hw.config import Config
from hw.presets import PRESETS

SMALL = Config(lanes=8, columns=8, acc_bits=24, weight_rows=2048)
CASES = (  # words, width, chunks; block RAMs of ECP5, of iCE40
    (2048, 8, 1, 1, 4),
    (16384, 8, 1, 8, 32),
    (512, 36, 1, 1, 5),
    (512, 24, 1, 1, 3),
    (1024, 18, 1, 1, 5),
    (1024, 24, 1, 2, 6),
    (256, 16, 1, 1, 1),
    (2560, 8, 1, 2, 5),
    (3072, 32, 1, 6, 24),
    (1000, 64, 4, 4, 16),
    (512, 96, 8, 4, 12),
    (32, 16, 1, 0, 1),
    (4, 8, 1, 0, 0),
)


@pytest.mark.parametrize(("words", "width", "chunks", "ecp5", "ice40"), CASES)
def test_block_rams(words, width, chunks, ecp5, ice40):
    one = Memory(name="m", words=words, width=width, chunks=chunks)
    assert block_rams(one, "ecp5") == ecp5
    assert block_rams(one, "ice40") == ice40
    assert block_rams(replace(one, copies=3), "ecp5") == 3 * ecp5


def test_small_fits_an_ice40_up5k():
    config, board = PRESETS["small"], BOARDS["icebreaker"]
    assert board.config == config
    found = {each.name: block_rams(each, "ice40") for each in memories(config)}
    assert found == {"codes": 4, "maps": 8, "partial_sums": 6, "delays": 2, "tables": 8}
    link = 1  # its buffer of 4 kbit
    assert sum(found.values()) + link <= 30
    assert single_port_rams(config) == 4


def test_words_in_several_ranges_are_multiplexed():
    assert muxed_bits(Memory(name="m", words=16384, width=8), "ecp5") == 0
    assert muxed_bits(Memory(name="m", words=20000, width=8), "ecp5") == 4 * 8 + 5
    assert muxed_bits(Memory(name="m", words=20000, width=8, copies=2), "ecp5") == 2 * 37


@pytest.mark.synth
@pytest.mark.parametrize("target", TARGETS)
def test_yosys_cuts_memories_alike(target, tmp_path):
    modules, instances, ports = [], [], []
    for i, (words, width, chunks, *_) in enumerate(CASES):
        top = (words - 1).bit_length() - 1
        part = width // chunks
        writes = "".join(
            f"if (we[{k}]) mem[wa][{k * part} +: {part}] <= d[{k * part} +: {part}];\n"
            for k in range(chunks)
        )
        ports += [
            f"input [{top}:0] ra{i}, wa{i}", f"input re{i}", f"input [{chunks - 1}:0] we{i}",
            f"input [{width - 1}:0] d{i}", f"output [{width - 1}:0] q{i}",
        ]
        modules.append(
            f"module m{i}(input clk, input [{top}:0] ra, wa, input re, input [{chunks - 1}:0] we,"
            f" input [{width - 1}:0] d, output reg [{width - 1}:0] q);\n(* no_rw_check *)"
            f" reg [{width - 1}:0] mem [0:{words - 1}];\nalways @(posedge clk) begin\n"
            f"if (re) q <= mem[ra];\n{writes}end endmodule\n",
        )
        instances.append(f"m{i} u{i}(clk, ra{i}, wa{i}, re{i}, we{i}, d{i}, q{i});\n")
    text = f"module top(input clk, {', '.join(ports)});\n{''.join(instances)}endmodule\n"
    (tmp_path / "m.v").write_text("".join(modules) + text)
    script = (
        f"read_verilog m.v; synth_{target} -noflatten -top top -run :map_ffram;"
        " tee -q -o s.json stat -json"
    )
    command = [find("yosys").program, "-q", "-l", "log", "-p", script]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    stat = json.loads((tmp_path / "s.json").read_text())["modules"]
    for i, (words, width, chunks, *_) in enumerate(CASES):
        cells = stat[f"\\m{i}"]["num_cells_by_type"]
        found = sum(n for name, n in cells.items() if "16KD" in name or "RAM4" in name)
        one = Memory(name="m", words=words, width=width, chunks=chunks)
        assert found == block_rams(one, target), (words, width, chunks)


def test_memories_are_those_of_the_configuration():
    machine = PRESETS["medium"]
    found = {each.name: each for each in memories(machine)}
    for name, bits in machine.memory_bits.items():
        assert found[name].words * found[name].width * found[name].copies == bits
    banks = {each.name: each for each in memories(replace(machine, groups=1, code_frames=3))}
    assert (banks["codes"].words, banks["codes"].copies) == (machine.code_words // 4, 4)
    tables = replace(SMALL, cell="table8")
    assert {each.name for each in memories(tables)} - set(found) == {"tables"}
    more = resources.counted(tables, "ice40")["bram"] - resources.counted(SMALL, "ice40")["bram"]
    assert more == 8  # one table for eight lanes of each of eight columns


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("field", ["lanes", "columns"])
@pytest.mark.parametrize("cell", ["gated", "folded"])
def test_more_of_anything_takes_more(target, field, cell):
    before = None
    for number in (4, 8, 12, 24, 32, 48):
        found = resources.predict(replace(SMALL, cell=cell, **{field: number}), target)
        assert found.lut is not None
        assert found.ff is not None
        now = (found.lut.value, found.ff.value)
        assert before is None or (before[0] < now[0] and before[1] < now[1])
        before = now


@pytest.fixture(params=TARGETS)
def model(request):
    return request.param, resources.saved()["targets"][request.param]


def of_shapes(target, model, name):
    """Return the relative errors of the shapes that were held back, counted anew."""
    off = []
    for shape in model["shapes"]:
        if shape["held_back"]:
            predicted = resources.values(resources.config_of(shape), target, model)[name]
            off.append(abs(predicted - shape["counts"][name]) / shape["counts"][name])
    return off


def test_what_was_held_back_is_predicted(model):
    target, saved = model
    for name in resources.FITTED:
        off = of_shapes(target, saved, name)
        assert median(off) <= 0.10
        assert median(off) == pytest.approx(saved["errors"]["held_back"][name]["median"], abs=1e-4)
        assert max(off) == pytest.approx(saved["errors"]["held_back"][name]["worst"], abs=1e-4)


def test_what_is_counted_is_exact(model):
    target, saved = model
    for shape in saved["shapes"]:
        counted = resources.counted(resources.config_of(shape), target)
        assert counted == {name: shape["counts"][name] for name in resources.COUNTED}


def test_the_fit_has_not_seen_what_was_held_back(model):
    target, saved = model
    seen = [shape for shape in saved["shapes"] if not shape["held_back"]]
    assert 2 * len(seen) > len(saved["shapes"]) > len(seen)
    for name in resources.FITTED:
        again = fitting.coefficients(target, seen, name)
        assert again == pytest.approx(saved["coefficients"][name], rel=1e-2, abs=0.5)
        assert len(again) < len(seen)
    held = {shape["config"]["cell"] for shape in saved["shapes"] if shape["held_back"]}
    assert held == {shape["config"]["cell"] for shape in saved["shapes"]}


@pytest.mark.parametrize("target", TARGETS)
def test_the_committed_shapes_are_those_of_the_list(target):
    listed = [(config(job), held) for job, held in shapes(target)]
    saved = resources.saved()["targets"][target]["shapes"]
    assert [(resources.config_of(shape), shape["held_back"]) for shape in saved] == listed


def test_parts():
    assert resources.predict(SMALL, "ecp5").device == "ECP5-25F"
    assert resources.predict(PRESETS["large"], "ecp5").device == "ECP5-85F"
    tight = replace(SMALL, columns=4, weight_rows=512, map_words=512, code_words=1024)
    assert resources.predict(tight, "ice40").device == "iCE40 HX8K"
    assert resources.predict(replace(SMALL, lanes=256, columns=256), "ecp5").device is None


def test_refusals():
    with pytest.raises(ValueError, match="cell must be one of .* on ice40, not 'table'"):
        resources.predict(replace(SMALL, cell="table"), "ice40")
    with pytest.raises(ValueError, match="target must be one of ecp5, ice40, not 'xc7'"):
        resources.predict(SMALL, "xc7")


def test_a_cell_that_was_not_measured():
    found = resources.predict(replace(SMALL, cell="table8"), "ecp5")
    assert found.lut is None
    assert found.device is None
    assert found.bram.value > 0
    assert found.why == "no machine with table8 cells was measured on ecp5"


def run(capsys, *argv):
    code = bambino.main([*map(str, argv)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_estimate_shows_the_resources(capsys):
    code, out, _ = run(capsys, "estimate", "--preset", "tiny", "--json")
    assert code == 0
    found = json.loads(out)["resources"]
    assert found["target"] == "ecp5"
    assert set(found) == {
        "target", "lut", "ff", "bram", "dsp", "spram", "fmax_mhz", "device", "why",
    }
    assert set(found["lut"]["error"]) == {"median", "worst", "shapes"}
    code, out, _ = run(capsys, "estimate", "--preset", "tiny", "--target", "ice40")
    assert code == 0
    assert "logic cells" in out
    assert "part: none that is known holds it" in out  # for want of block RAM
    code, out, _ = run(capsys, "estimate", "--preset", "tiny", "--lanes", 16, "--cell", "table8")
    assert code == 0
    assert "not predicted: no machine with table8 cells was measured on ecp5" in out


def test_estimate_refuses_a_cell_that_the_target_lacks(capsys):
    code, out, err = run(capsys, "estimate", "--cell", "table", "--target", "ice40")
    assert (code, out) == (2, "")
    assert err.startswith("bambino estimate: cell must be one of gated, ")
    assert err.count("\n") == 1
