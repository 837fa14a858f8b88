"""What is listed, derived, written and drawn, from results made up of round figures."""

import json
from dataclasses import replace

import pytest

from boards.compare import activations, matrix
from boards.compare.command import as_dict, save
from boards.compare.derive import best_without_dsp, derive, fill
from boards.compare.devices import DEVICES, fitting
from boards.compare.job import KINDS, TARGETS, WITHOUT_DSP, Job, check_targets
from boards.compare.results import Failure, load
from boards.compare.rows import number
from boards.compare.tables import markdown, notes, show


def test_a_job_that_cannot_be_names_every_rule():
    with pytest.raises(ValueError, match="job: target must be one of ecp5, ice40, not 'xc7'") as e:
        Job(target="xc7", level="cell", kind="dsp", lanes=0, columns=1)
    for rule in ("kind must be one of gated", "lanes must be at least 1, not 0"):
        assert rule in str(e.value)


def test_targets():
    assert check_targets("ice40, ecp5") == ("ecp5", "ice40")
    with pytest.raises(ValueError, match="targets must be of ecp5, ice40, not 'xc7'"):
        check_targets("ecp5,xc7")


def test_the_smallest_part_with_room_for_it():
    assert fitting("ecp5", {"lut": 17000, "dsp": 28}).name == "ECP5-25F"
    assert fitting("ecp5", {"lut": 17002}).name == "ECP5-45F"  # fits a 25F, but not easily
    assert fitting("ecp5", {"lut": 83640}).name == "ECP5-85F"
    assert fitting("ecp5", {"lut": 83641}) is None
    assert fitting("ecp5", {"lut": 100, "dsp": 29}).name == "ECP5-45F"
    assert fitting("ecp5", {"lut": 100, "bram": 109}).name == "ECP5-85F"
    assert fitting("ecp5", {"lut": 100, "dsp": 256}) is None
    assert fitting("ice40", {"lut": 7000}).name == "iCE40 HX8K"
    assert fitting("ice40", {"lut": 5000, "dsp": 1}).name == "iCE40 UP5K"
    assert fitting("ice40", {"lut": 5281}, "up5k") is None
    with pytest.raises(ValueError, match="part must be one of hx8k, up5k, not '25f'"):
        fitting("ice40", {}, "25f")


@pytest.mark.parametrize("name", matrix.MATRICES)
def test_every_matrix_lists_each_design_once(name):
    entries = matrix.entries(name, TARGETS)
    assert len({entry.job for entry in entries}) == len(entries)
    assert {entry.job.kind for entry in entries} == set(KINDS)
    assert {entry.job.target for entry in matrix.entries(name, ["ice40"])} == {"ice40"}
    if name == "quick":
        assert not matrix.seeded(entries, {"ecp5": "mac-rows", "ice40": "mac-rows"})


def test_of_the_macs_without_dsp_the_best_alone_is_routed():
    entries = matrix.entries("default", TARGETS)
    jobs = matrix.seeded(entries, {"ecp5": "mac-table", "ice40": "mac-rows"})
    routed = {(job.target, job.kind) for job in jobs if job.kind in WITHOUT_DSP}
    assert routed == {("ecp5", "mac-table"), ("ice40", "mac-rows")}
    seeds = [j.seed for j in jobs if (j.target, j.level, j.kind) == ("ecp5", "array", "table")]
    assert seeds == [1, 2, 3, 4, 5]


def test_an_unknown_matrix():
    with pytest.raises(ValueError, match="matrix must be one of quick, default, full, not 'huge'"):
        matrix.entries("huge", TARGETS)


def test_filling_a_part(result):
    made = result("gated", lut=2560, ff=256, bram=16)
    assert fill(DEVICES["85f"], made.used, 256) == (208 * 256 // 16, "block RAM")
    assert fill(DEVICES["85f"], made.used | {"bram": 0}, 256) == (8364, "LUT")


def test_the_best_mac_is_the_one_of_which_most_fit(measured):
    # On iCE40 the tables take fewer LCs, but the part has block RAM for 16 of them only.
    assert best_without_dsp(measured.results) == {"ecp5": "mac-rows", "ice40": "mac-rows"}


def test_rates_and_capacities(measured):
    figures = derive(measured)
    gated = next(rate for rate in figures.rates if rate.label == "ecp5 array gated 16x16")
    assert gated.lut_per_cell == 20
    assert gated.accumulates_per_second == 256 * 240e6
    assert gated.per_lut == pytest.approx(12e6)
    filled = {(c.device, c.what): c for c in figures.capacities}
    assert filled["ECP5-85F", "table"].cells == 83640 // 8
    assert filled["ECP5-85F", "table"].per_second == pytest.approx(83640 // 8 * 300e6)
    assert filled["ECP5-85F", "MAC, carry rows"].cells == 836
    assert filled["ECP5-85F", "MAC, DSP (18x18)"].cells == 156
    # 156 of 20 LUTs with their DSPs, and MACs of 100 LUTs in what is left, at the slower clock
    both = filled["ECP5-85F", "MAC, DSP (18x18) + no DSP"]
    assert (both.cells, both.fmax_mhz) == (156 + (83640 - 156 * 20) // 100, 180)
    (nine,) = (c for what, c in filled.items() if "9x9" in what[1] and "no DSP" not in what[1])
    assert (nine.cells, nine.fmax_mhz) == (312, 200)
    assert filled["iCE40 HX8K", "table"].limit == "block RAM"
    assert filled["iCE40 HX8K", "table"].cells == 256


def test_the_clip(measured):
    (clip,) = derive(measured).clips
    assert clip.cycles_x_lut == 200_000 * 8000
    assert clip.clips_per_second == 500
    assert clip.machines == 3  # 208 block RAMs for 60 each; LUTs for 10
    assert clip.clips_per_second_device == 1500


def test_the_networks_work_and_maps():
    multiplies, accumulates = activations.work(activations.shipped())
    assert round(multiplies / 1e6) == 103
    assert round(accumulates / 1e6) == 163
    maps = activations.maps(activations.shipped())
    assert [each.name for each in maps] == ["conv1", "conv2", "conv3", "conv4"]
    assert maps[0].shape == (32, 60, 124)
    assert maps[0].elements == 238_080
    assert maps[0].before_pooling == 956_160


def test_json_comes_back_the_same(measured, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(as_dict(measured, derive(measured))))
    assert load(path) == measured
    assert json.loads(path.read_text())["derived"]["finn_r_lut"]


def test_tables(measured, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    measured = replace(measured, left_out=("no cell x: y",), failures=(Failure(job="j", why="w"),))
    figures = derive(measured)
    show(measured, figures)
    said = capsys.readouterr().out
    text = markdown(measured, figures)
    for shown in (said, text):
        assert "240 (230 to 250)" in shown
        assert "Part none: no part holds it" in shown
        assert " none " in shown
        assert "MAC, no DSP (best: carry rows)" in shown
        assert "left out: no cell x: y" in shown
        assert "failed: j: w" in shown
    assert "103 M MACs are 163 M accumulates" in " ".join(notes(measured, figures))
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| gated")}
    heads = [line.count("|") for line in text.splitlines() if line.startswith("| cell |")]
    assert widths <= set(heads)


@pytest.mark.parametrize(
    ("value", "written"), [(None, "-"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23")],
)
def test_figures_have_three_digits(value, written):
    assert number(value, 1) == written


def test_pictures(measured, tmp_path):
    save(measured, derive(measured), tmp_path)
    made = {path.name for path in tmp_path.iterdir()}
    pictures = {f"{stem}.{end}" for stem in ("lut", "work", "parts") for end in ("svg", "png")}
    assert made == pictures | {"results.json", "table.md"}
    svg = (tmp_path / "lut.svg").read_bytes()
    save(measured, derive(measured), tmp_path)
    assert (tmp_path / "lut.svg").read_bytes() == svg


def test_pictures_of_what_was_not_routed(measured, tmp_path):
    bare = replace(measured, results=tuple(replace(r, routed=()) for r in measured.results[:3]))
    save(bare, derive(bare), tmp_path)
    assert {path.stem for path in tmp_path.glob("*.png")} == {"lut"}
