"""Files that are whole or not there: written beside, then renamed."""

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`; if anything fails, what stood there before is untouched.

    Raises
    ------
    OSError
        The folder is missing or cannot be written, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
