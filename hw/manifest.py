"""What `generate` writes: the Verilog and the manifest that tells a host about it."""

import hashlib
import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hw.accelerator import Accelerator, identity
from hw.cell_kinds import check_target
from hw.column import end_delay, sum_latency
from hw.config import Config
from hw.emit import to_verilog
from hw.loader import settle, tile_cycles
from hw.packets import MAGIC, WORD, Command, Error, Reply
from hw.walk_reads import entry_delay

VERSION = 1
"""Of the manifest; it changes when a field's meaning does."""


def manifest(config: Config, verilog: str) -> dict[str, Any]:
    """Return what a host needs to know of a machine, as plain data.

    Parameters
    ----------
    config
        The machine.
    verilog
        Its text, of which the manifest holds the digest.
    """
    return {
        "version": VERSION,
        "top": "accelerator",
        "verilog_sha256": hashlib.sha256(verilog.encode()).hexdigest(),
        "magic": MAGIC,
        "identity": identity(config),
        "configuration": asdict(config),
        "widths": {
            "stream_data": WORD["data"].width,
            "array_sum": config.array_sum_bits,
            "map_row": config.row_bits,
        },
        "layout": {
            "group_lanes": config.group_lanes,
            "row_words": config.row_words,
            "row_chunks": config.row_chunks,
            "parameter_rows": config.parameter_rows,
        },
        "latency": {
            "entry": entry_delay(config),
            "sum": sum_latency(config),
            "end": end_delay(config),
            "settle": settle(config),
            "tile": tile_cycles(config),
        },
        "memory_bits": config.memory_bits,
        "commands": {each.name: int(each) for each in Command},
        "replies": {each.name: int(each) for each in Reply},
        "errors": {each.name: int(each) for each in Error},
    }


def generate(config: Config, out: Path, *, target: str | None = None) -> tuple[Path, Path]:
    """Write ``accelerator.v`` and ``manifest.json`` to the folder `out`; make it if need be.

    The same configuration gives the same bytes. Both files are written beside and then renamed, so
    that neither is ever half there, or there without the other.

    Raises
    ------
    OSError
        The folder cannot be made or written.
    ValueError
        The target does not have the machine's cell.
    """
    check_target(config.cell, target)
    out.mkdir(parents=True, exist_ok=True)
    verilog = to_verilog(Accelerator(config), target=target)
    text = json.dumps(manifest(config, verilog), indent=2) + "\n"
    paths = out / "accelerator.v", out / "manifest.json"
    beside: list[Path] = []
    try:
        for path, content in zip(paths, (verilog, text), strict=True):
            handle, name = tempfile.mkstemp(dir=out, prefix=f".{path.name}.")
            beside.append(Path(name))
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(content)
            beside[-1].chmod(0o644)
        for written, path in zip(beside, paths, strict=True):
            written.replace(path)
    except BaseException:
        for written in beside:
            written.unlink(missing_ok=True)
        raise
    return paths
