"""The kernel as a shared library: compiled once, kept in the cache, trusted by its checksum."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from golden import cache

SOURCES = tuple(Path(__file__).parent / name for name in ("kernel.cpp", "kernel.h", "layer.inc"))
COMPILER = "g++"
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared", "-fno-exceptions")
LIBRARY = "adds.so"
CHECKSUM = "adds.sha256"

SLOW = "NumPy adds instead, which is about 100 times slower"


class KernelError(RuntimeError):
    """A kernel that cannot be compiled; the message is the last line that the compiler said."""


def build(report: Callable[[str], None]) -> Path | None:
    """Return the compiled kernel, from the cache if it is whole; None where nothing compiles it.

    Parameters
    ----------
    report
        Is told, in a line, that NumPy must do and why, or that the cache cannot be written.
    """
    name = f"adds-{key()}"
    try:
        place = cache.entry(name, _make)
        if not _whole(place):
            shutil.rmtree(place)
            place = cache.entry(name, _make)
        return place / LIBRARY
    except OSError as error:
        report(f"adds: the kernel cannot be kept ({error}): compiling it for this run only")
    except KernelError as error:
        report(f"adds: {error}; {SLOW}")
        return None
    try:
        return _fleeting()
    except KernelError as error:
        report(f"adds: {error}; {SLOW}")
        return None


def key() -> str:
    """Return a hash of all that the library is made from: sources, flags and processor."""
    texts = (path.read_text(encoding="utf-8") for path in SOURCES)
    return cache.key(*texts, *FLAGS, cache.processor())


@lru_cache(maxsize=1)
def _fleeting() -> Path:
    """Compile to a folder that lives as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="bambino-adds-")
    _kept.append(folder)
    _make(Path(folder.name))
    return Path(folder.name) / LIBRARY


_kept: list[tempfile.TemporaryDirectory[str]] = []


def _make(folder: Path) -> None:
    """Compile the kernel into `folder`.

    Raises
    ------
    KernelError
        There is no compiler, or it fails.
    """
    library = folder / LIBRARY
    command = [COMPILER, *FLAGS, "-o", str(library), str(SOURCES[0])]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise KernelError(f"{COMPILER} cannot be run ({error.strerror})") from None
    if done.returncode or not library.is_file():
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        said = lines[-1].strip() if lines else f"exit code {done.returncode}"
        raise KernelError(f"{COMPILER} failed: {said}")
    (folder / CHECKSUM).write_text(_checksum(library), encoding="ascii")


def _whole(folder: Path) -> bool:
    """Whether the library is what was compiled: a truncated one would end the process."""
    try:
        expected = (folder / CHECKSUM).read_text(encoding="ascii")
        return _checksum(folder / LIBRARY) == expected
    except (OSError, ValueError):
        return False


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
