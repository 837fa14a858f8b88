"""What was built is looked at again: every rule, broken once."""

import hashlib
import json
import re

import pytest

from boards.bitstream import audit
from boards.compare.tools import JobError

STREAM = b"all the bits"
TEXTS = {
    "ecp5": ".tile R2C2:PLC2\nword: 1\n\n.tile R2C3:PLC2\nword: 1\n\n.tile CIB_R1C1:CIB\n",
    "ice40": ".io_tile 1 0\n111\n.logic_tile 1 1\n000\n010\n.logic_tile 2 1\n000\n"
    ".logic_tile 3 1\n100\n.ramb_tile 4 1\n111\n",
}


@pytest.fixture(params=["ecp5", "ice40"])
def family(request, monkeypatch):
    monkeypatch.setattr(
        audit, "round_trip", lambda family, stream: (TEXTS[family], stream.replace(b"B", b"b")),
    )
    return request.param


@pytest.fixture
def built(family, tmp_path):
    """Write a build that is good but for what it is given; return its folder."""

    def write(stream=STREAM, name="", **changed):
        name = name or f"board.{'bit' if family == 'ecp5' else 'bin'}"
        clock = {"mhz": 13.0, "target_mhz": 12.0}
        report = {
            "clock_mhz": 12.0, "build_digest": "abc", "used": {"lut": 17}, "available": {"lut": 20},
            "seeds_tried": [{"seed": 1, "clocks": {"clk": {"mhz": 1.0, "target_mhz": 12.0}}},
                            {"seed": 2, "clocks": {"clk": clock}}],
            "cells": {"LUT4": 17, "TRELLIS_FF": 3},
        }
        about = {
            "bitstream": name, "build_digest": "abc",
            "bitstream_sha256": hashlib.sha256(STREAM).hexdigest(),
        }
        (tmp_path / name).write_bytes(stream)
        (tmp_path / "report.json").write_text(json.dumps(report | changed))
        (tmp_path / "manifest.json").write_text(json.dumps({"board": about}))
        return tmp_path

    return write


def test_a_good_build(built, capsys):
    assert audit.main([str(built())]) == 0
    assert capsys.readouterr().out.endswith(": good\n")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"stream": b"other bits"}, "bitstream must be the one that the manifest tells of"),
        ({"stream": b"all the Bits"}, "bitstream, unpacked and packed again, must be the same"),
        ({"build_digest": "abd"}, "report and manifest must be of one build"),
        ({"used": {"lut": 21}}, "lut used must be at most 20, not 21"),
        (
            {"used": {"lut": 24}, "available": {"lut": 24}},
            "bitstream must hold at least 3 tiles of logic, not 2",
        ),
        ({"cells": {"LUT4": 1, "$mul": 2}}, r"none a multiplier, not \$mul"),
        ({"cells": {"MULT18X18D": 2, "SB_MAC16": 1}}, "not MULT18X18D, SB_MAC16"),
        ({"seeds_tried": [{"seed": 1, "clocks": {}}]}, "at least one clock must have been timed"),
        (
            {"seeds_tried": [{"clocks": {"c": {"mhz": 11.9, "target_mhz": 12.0}}}]},
            "clock c must reach 12.0 MHz, not 11.9",
        ),
        (
            {"seeds_tried": [{"clocks": {"c": {"mhz": 11.9, "target_mhz": 11.0}}}]},
            "some clock must have been asked for 12 MHz",
        ),
    ],
)
def test_a_bad_build(changed, rule, built, capsys):
    folder = built(**changed)
    assert audit.main([str(folder)]) == 1
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{folder}: bad"
    assert any(re.search(rule, line) for line in lines), lines


def test_what_the_tools_cannot_read(built, monkeypatch, capsys):
    def refuse(*_):
        raise JobError("ecpunpack failed")

    monkeypatch.setattr(audit, "round_trip", refuse)
    assert audit.main([str(built())]) == 1
    assert "must be one that the tools read: ecpunpack failed" in capsys.readouterr().out
