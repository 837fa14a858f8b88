"""A board's top as a native model: built once, loaded into this process."""

import ctypes
import os
import subprocess
import time
from pathlib import Path
from typing import Self

from boards.board import Board
from boards.top import TOP, digest, verilog
from golden import cache
from sim.build import BuildError, Report, silent
from sim.runner import OPTIMISED
from sim.toolchain import toolchain

SOURCE = Path(__file__).with_name("model.cpp")
LIBRARY = "libboard.so"
_LAYOUT = "1"  # of a cache entry; a new number forgets all models
_FLAGS = ("-fPIC", "-std=gnu++17")


def library(board: Board, report: Report = silent) -> Path:
    """Return the model of `board`, built now or earlier; as `built`."""
    return built(verilog(board, digest=digest(board)), f"the virtual {board.name}", report)


def built(text: str, name: str, report: Report = silent) -> Path:
    """Return the model of a top, built now or earlier: a library that `Model` loads.

    Parameters
    ----------
    text
        Verilog of a module `TOP` with the ports clk, rst, rx, tx.
    name
        What reports call it.
    report
        Called with a line before and after a build.

    Raises
    ------
    ToolError
        A tool is missing.
    BuildError
        The simulator refused the design.
    """
    tools, source = toolchain(), SOURCE.read_text(encoding="utf-8")
    parts = [tools.verilator.version, str(tools.verilator.root), tools.compiler, cache.processor()]
    key = cache.key(_LAYOUT, *parts, *OPTIMISED, *_FLAGS, text, source)

    def make(folder: Path) -> None:
        began = time.monotonic()
        report(f"building {name} ({len(text) / 1000:.0f} kB of Verilog)")
        (folder / f"{TOP}.v").write_text(text, encoding="utf-8")
        (folder / SOURCE.name).write_text(source, encoding="utf-8")
        _build(folder)
        report(f"built {name} in {time.monotonic() - began:.1f} s")

    return cache.entry(f"{TOP}-{key}", make) / LIBRARY


def _build(folder: Path) -> None:
    verilator = toolchain().verilator
    environment = {**os.environ, **verilator.environment}
    inner = folder / "model"
    verilate = [
        str(verilator.executable), "--cc", "--exe", f"{TOP}.v", SOURCE.name,
        "--top-module", TOP, "--prefix", f"V{TOP}", "--Mdir", inner.name, "-o", LIBRARY,
        "--x-assign", "fast", "--x-initial", "fast", "-O3", "--noassert",
        "-Wno-fatal", "-Wno-WIDTH", "-Wno-UNOPTFLAT",
        "-CFLAGS", " ".join(_FLAGS),
        "-LDFLAGS", "-shared",
    ]
    make = ["make", "-C", inner.name, "-f", f"V{TOP}.mk", *OPTIMISED, LIBRARY]
    for command in (verilate, make):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )
        if done.returncode:
            tail = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
            raise BuildError(f"the virtual board must build, not fail:\n{tail}")
    (inner / LIBRARY).rename(folder / LIBRARY)
    for path in inner.iterdir():
        path.unlink()
    inner.rmdir()


class Model:
    """One virtual board, switched on.

    Parameters
    ----------
    library
        What `library` gave.
    clock
        The board's, Hz.
    """

    def __init__(self, library: Path, clock: int) -> None:
        self.clock = clock
        self._library = ctypes.CDLL(str(library))
        for name, result, arguments in (
            ("new", ctypes.c_void_p, [ctypes.c_double]),
            ("delete", None, [ctypes.c_void_p]),
            ("cycles", ctypes.c_uint64, [ctypes.c_void_p]),
            ("serve", ctypes.c_int, [ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int)]),
            (
                "run",
                ctypes.c_int64,
                [
                    ctypes.c_void_p, ctypes.c_double, ctypes.c_char_p, ctypes.c_int64,
                    ctypes.c_char_p, ctypes.c_int64, ctypes.c_int64,
                ],
            ),
        ):
            function = getattr(self._library, f"virtual_{name}")
            function.restype, function.argtypes = result, arguments
        self._self = self._library.virtual_new(clock)
        self._out = ctypes.create_string_buffer(4096)

    def __enter__(self) -> Self:
        """Give the board."""
        return self

    def __exit__(self, *_: object) -> None:
        """Switch it off."""
        self._library.virtual_delete(self._self)
        self._self = None

    @property
    def cycles(self) -> int:
        """Clock cycles since it was switched on."""
        return int(self._library.virtual_cycles(self._self))

    def run(self, baud: float, data: bytes, cycles: int) -> bytes:
        """Send `data`; return what comes until a byte 0, or within so many cycles."""
        count = self._library.virtual_run(
            self._self, baud, data, len(data), self._out, len(self._out), cycles,
        )
        return self._out.raw[:count]

    def serve(self, master: int, stop: ctypes.c_int) -> None:
        """Serve a pseudo-terminal's master, which must not block, until `stop` is not 0.

        Raises
        ------
        OSError
            The pseudo-terminal is gone.
        """
        error = self._library.virtual_serve(self._self, master, ctypes.byref(stop))
        if error:
            raise OSError(error, os.strerror(error))
