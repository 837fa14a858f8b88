"""Files that belong together: all of them are there, or none of them is new."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path


def check_folder(out: Path) -> None:
    """Refuse a folder in which nothing can be written, before hours go into what shall be there.

    Raises
    ------
    OSError
        It, or the one that it would be made in, is none, or is forbidden.
    """
    there = out
    while not there.exists() and there != there.parent:
        there = there.parent
    try:
        Path(tempfile.mkdtemp(dir=there, prefix=".probe.")).rmdir()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise OSError(f"out must be a folder that can be written, not {out} ({why})") from error


def write_together(out: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write `files` by name into the folder `out`, made if need be; return their paths.

    All are written beside, then renamed.
    """
    out.mkdir(parents=True, exist_ok=True)
    beside: dict[Path, Path] = {}
    try:
        for name, content in files.items():
            handle, path = tempfile.mkstemp(dir=out, prefix=f".{name}.")
            beside[out / name] = Path(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(path).chmod(0o644)
        for place, written in beside.items():
            written.replace(place)
    except BaseException:
        for written in beside.values():
            written.unlink(missing_ok=True)
        raise
    return list(beside)
