"""What was built is looked at again: `python -m boards.bitstream.audit FOLDER...`.

A folder is one that `bambino build` has written. Each rule that it breaks is a line; the exit code
is then 1.
"""

import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from boards.bitstream.flow import pack_tool, unpack_tool
from boards.compare.tools import JobError, Runner, find

MULTIPLIERS = ("MULT18X18D", "MULT9X9D", "ALU54B", "SB_MAC16")
"""Cells that multiply; yosys's own, such as $mul, all begin with $."""

TILE_LUTS = 8
"""Look-up tables of a tile of logic, on either family."""

TILE = {"ecp5": r"^\.tile \S+:PLC2$", "ice40": r"^\.logic_tile \d+ \d+\n[^.]*1"}
"""What says, in an unpacked bitstream, that a tile of logic is not empty."""


def audit(folder: Path) -> list[str]:
    """Return the rules that a build breaks.

    Parameters
    ----------
    folder
        Of the bitstream, report.json and manifest.json.

    Raises
    ------
    OSError, ToolError
        A file or a tool is missing.
    """
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    about = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["board"]
    family = "ecp5" if about["bitstream"].endswith(".bit") else "ice40"
    stream = (folder / about["bitstream"]).read_bytes()
    broken = list(_figures(report))
    if hashlib.sha256(stream).hexdigest() != about["bitstream_sha256"]:
        broken.append("bitstream must be the one that the manifest tells of")
    if about["build_digest"] != report["build_digest"]:
        broken.append("report and manifest must be of one build")
    try:
        text, again = round_trip(family, stream)
    except JobError as error:
        return [*broken, f"bitstream must be one that the tools read: {error}"]
    if again != stream:
        broken.append("bitstream, unpacked and packed again, must be the same")
    tiles = len(re.findall(TILE[family], text, re.MULTILINE))
    least = report["used"]["lut"] // TILE_LUTS
    if tiles < max(1, least):
        broken.append(f"bitstream must hold at least {max(1, least)} tiles of logic, not {tiles}")
    return broken


def _figures(report: Mapping[str, Any]) -> Iterator[str]:
    """Give what a report breaks."""
    clocks = report["seeds_tried"][-1]["clocks"]
    if not clocks:
        yield "at least one clock must have been timed"
    for name, each in clocks.items():
        if each["mhz"] < each["target_mhz"]:
            yield f"clock {name} must reach {each['target_mhz']} MHz, not {each['mhz']}"
    if max((each["target_mhz"] for each in clocks.values()), default=0) < report["clock_mhz"]:
        yield f"some clock must have been asked for {report['clock_mhz']:g} MHz"
    for name, most in report["available"].items():
        if report["used"].get(name, 0) > most:
            yield f"{name} used must be at most {most}, not {report['used'][name]}"
    bad = [kind for kind in report["cells"] if kind.startswith("$") or kind in MULTIPLIERS]
    if bad:
        yield f"cells must be mapped, and none a multiplier, not {', '.join(sorted(bad))}"


def round_trip(family: str, stream: bytes) -> tuple[str, bytes]:
    """Return what a bitstream configures, as text, and that packed again."""
    runner = Runner()
    with tempfile.TemporaryDirectory(prefix="audit.") as name:
        folder = Path(name)
        (folder / "chip").write_bytes(stream)
        for tool, arguments in (unpack_tool(family), pack_tool(family)):
            runner.run(find(tool), arguments, folder, log=f"{tool}.log")
        return (folder / "chip.txt").read_text(encoding="utf-8"), (folder / "chip").read_bytes()


def main(folders: Sequence[str]) -> int:
    """Look at each folder; return the exit code."""
    code = 0
    for folder in folders:
        broken = audit(Path(folder))
        for rule in broken:
            print(f"{folder}: {rule}")
        print(f"{folder}: {'bad' if broken else 'good'}")
        code |= bool(broken)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
