"""Built things, kept by a hash of all that went into them; safe when several build at once."""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache as once
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def folder() -> Path:
    """Return the cache's folder: BAMBINO_CACHE, or `build/` in a checkout, or the user's cache."""
    chosen = os.environ.get("BAMBINO_CACHE")
    if chosen:
        return Path(chosen).resolve()
    if (_CHECKOUT / "pyproject.toml").is_file() and os.access(_CHECKOUT, os.W_OK):
        return _CHECKOUT / "build" / "models"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "bambino"


def key(*parts: str) -> str:
    """Return a hash of `parts`, in order; no two lists of parts run together."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "little") + raw)
    return digest.hexdigest()[:24]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock `path`; who comes second waits."""
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def entry(name: str, make: Callable[[Path], None]) -> Path:
    """Return the folder of entry `name`, made by `make(folder)` if it is not there.

    It is made beside its place and then renamed, under a lock: nothing half-made is ever seen,
    and of several processes one builds and the others wait. What one that was killed has left is
    removed.

    Parameters
    ----------
    name
        Its name in the cache, made with `key`.
    make
        Fills the empty folder it is given; what it raises leaves no entry behind.
    """
    root = folder()
    place = root / name
    if place.is_dir():
        return place
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root / f"{name}.lock"):
        if not place.is_dir():
            for left in root.glob(f"{name}.*/"):
                shutil.rmtree(left, ignore_errors=True)
            beside = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=root))
            try:
                make(beside)
                beside.rename(place)
            except BaseException:
                shutil.rmtree(beside, ignore_errors=True)
                raise
    return place


@once
def processor() -> str:
    """Return what compiled code may depend on: the processor's family, model and feature flags."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return " ".join(os.uname())
    kept = ("vendor_id", "cpu family", "model", "flags", "Features", "CPU part")
    lines = (line for line in text.splitlines() if line.partition("\t")[0].strip() in kept)
    return "\n".join(lines)
