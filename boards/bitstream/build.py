"""`bambino build`: from a board to its bitstream, every step kept by a hash of what it is made of.

A machine that is too large is told after synthesis; one that is too slow after all seeds. In
neither case is anything written.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boards.bitstream.count import Unmet, check_fit, count, read, room, slowest, used
from boards.bitstream.files import check_folder, write_together
from boards.bitstream.flow import (
    clocks,
    met,
    pack_tool,
    route_arguments,
    suffix,
    synthesis_script,
)
from boards.bitstream.pins import Chip, chip, constraints
from boards.bitstream.shell import NAME, verilog
from boards.board import Board
from boards.compare.netlist import cell_types
from boards.compare.store import slowest_path
from boards.compare.tools import JobError, Runner, Tool, ended_by_signals, find
from boards.top import digest
from golden import cache
from hw.manifest import manifest

FORMAT = "1"
"""Changes when what is kept, or how it is made of the tools' output, changes."""

SEEDS = 8
"""So many are tried, at most, unless told otherwise."""

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a build has made.

    Parameters
    ----------
    paths
        Bitstream, report.json, manifest.json.
    report
        What report.json holds.
    """

    paths: tuple[Path, ...]
    report: dict[str, Any]


def build(board: Board, out: Path, *, seeds: int = SEEDS, report: Report) -> Built:
    """Make the bitstream of `board`, and write it with report.json and manifest.json to `out`.

    Parameters
    ----------
    board
        The board.
    out
        Folder, made if need be.
    seeds
        How many are tried at most.
    report
        Is told what happens.

    Raises
    ------
    Unmet
        It does not fit, or misses its clock with every seed.
    JobError, ToolError
        A tool failed, or is missing.
    OSError
        The folder cannot be written; nothing is built then.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, not {seeds}")
    check_folder(out)
    names = ("yosys", f"nextpnr-{board.family}", pack_tool(board.family)[0])
    tools = {name: find(name) for name in names}
    runner = Runner()
    with ended_by_signals():
        try:
            return _Flow(board, tools, runner, report).run(out, seeds)
        except BaseException:
            runner.stop()
            raise


class _Flow:
    """One board on its way."""

    def __init__(
        self, board: Board, tools: Mapping[str, Tool], runner: Runner, report: Report,
    ) -> None:
        self.board = board
        self.chip: Chip = chip(board)
        self.tools = tools
        self.runner = runner
        self.report = report

    def run(self, out: Path, seeds: int) -> Built:
        board = self.board
        number = digest(board)
        text = verilog(board, digest=number)
        netlist = self.synthesise(text)
        mapped = read(netlist / "mapped.json")
        check_fit(board, self.chip.device, mapped["used"])
        tried = []
        for seed in range(1, seeds + 1):
            routed = self.route(netlist, seed)
            found = read(routed / "routed.json")
            tried.append({"seed": seed, "clocks": found["clocks"]})
            mhz = slowest(found["clocks"])
            self.report(f"seed {seed}: {mhz} MHz, {board.clock / 1e6:g} are needed")
            if met(found["clocks"]):
                break
        else:
            best = max(slowest(each["clocks"]) for each in tried)
            raise Unmet(
                f"{board.name}: the clock must be at least {board.clock / 1e6:g} MHz, not {best}"
                f" MHz, the best of {seeds} seed{'s' if seeds > 1 else ''}; more may do better",
            )
        stream = (routed / "chip").read_bytes()
        name = f"{board.name}.{suffix(board.family)}"
        data = {
            "board": board.name,
            "part": self.chip.part,
            "build_digest": f"{number:016x}",
            "clock_mhz": board.clock / 1e6,
            "fmax_mhz": slowest(found["clocks"]),
            "slowest_path": found["slowest_path"],
            "seed": seed,
            "seeds_tried": tried,
            "used": found["used"],
            "available": room(self.chip.device),
            "modules": mapped["parts"],
            "cells": cell_types(read(netlist / "flat.json")),
            "tools": {tool.name: tool.version for tool in self.tools.values()},
        }
        about = manifest(board.config, text) | {
            "top": NAME,
            "board": {
                "name": board.name,
                "part": self.chip.part,
                "clock": board.clock,
                "baud": board.baud,
                "build_digest": data["build_digest"],
                "bitstream": name,
                "bitstream_sha256": hashlib.sha256(stream).hexdigest(),
                "pins": {port: pin.site for port, pin in self.chip.pins.items()},
            },
        }
        files = {name: stream, "report.json": _json(data), "manifest.json": _json(about)}
        return Built(paths=tuple(write_together(out, files)), report=data)

    def synthesise(self, text: str) -> Path:
        """Return the folder of netlist.json and mapped.json."""
        tool, family = self.tools["yosys"], self.board.family
        script = synthesis_script(self.chip.device, NAME)
        key = cache.key(FORMAT, text, script, tool.version)

        def make(folder: Path) -> None:
            self.report(f"synthesis of {self.board.name} begins, it takes minutes")
            (folder / "design.v").write_text(text, encoding="utf-8")
            self.runner.run(tool, ["-q", "-l", "yosys.log", "-p", script], folder, log="yosys.log")
            _written(tool, folder / "netlist.json")
            found = count(folder, family)
            (folder / "mapped.json").write_bytes(_json(found))

        return cache.entry(f"bitstream-synth-{key}", make)

    def route(self, netlist: Path, seed: int) -> Path:
        """Return the folder of routed.json and, if the clock is met, of the bitstream `chip`."""
        board = self.board
        place = self.tools[f"nextpnr-{board.family}"]
        packer, options = pack_tool(board.family)
        pack = self.tools[packer]
        arguments, pins = route_arguments(board, self.chip, seed), constraints(board, self.chip)
        versions = place.version, pack.version
        key = cache.key(FORMAT, netlist.name, pins, *arguments, *options, *versions)

        def make(folder: Path) -> None:
            self.report(f"place and route with seed {seed}")
            (folder / "netlist.json").hardlink_to(netlist / "netlist.json")
            (folder / "pins").write_text(pins, encoding="utf-8")
            failed = None
            try:
                self.runner.run(place, arguments, folder, log="route.log")
            except JobError as error:
                failed = error
            if not (folder / "report.json").is_file():
                raise failed or JobError(f"{place.name} must write a report, but has not")
            said = read(folder / "report.json")
            reached = clocks(said)
            found = {
                "clocks": reached,
                "used": used(board.family, said),
                "slowest_path": slowest_path(said),
            }
            good = met(reached)
            if good and failed is not None:
                raise failed
            if not reached:
                raise JobError(f"{place.name} must time a clock, but found none")
            if good:
                self.runner.run(pack, options, folder, log="pack.log")
                _written(pack, folder / "chip")
            for name in ("netlist.json", "report.json", "chip.txt"):  # large
                (folder / name).unlink(missing_ok=True)
            (folder / "routed.json").write_bytes(_json(found))

        return cache.entry(f"bitstream-route-{key}", make)


def _written(tool: Tool, path: Path) -> None:
    """Refuse a tool that ends well and has written nothing."""
    if not path.is_file() or not path.stat().st_size:
        raise JobError(f"{tool.name} must write its {path.name}, but has not: {tool.program}")


def _json(data: object) -> bytes:
    return (json.dumps(data, indent=1) + "\n").encode()
