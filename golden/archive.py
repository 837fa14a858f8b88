"""Archives of arrays: `.npz` bytes that are the same for the same arrays, read without trust."""

import io
import zipfile
import zlib
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class ArchiveError(ValueError):
    """Bytes that are no whole archive of plain arrays."""


def pack(arrays: Arrays) -> bytes:
    """Pack arrays by name into an uncompressed `.npz`; the same arrays give the same bytes."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in sorted(arrays):
            entry = io.BytesIO()
            array = np.asarray(arrays[name], order="C")
            npy.write_array(entry, array, version=(1, 0), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")  # of 1980, whatever the clock says,
            info.create_system = 3  # and of Unix, whatever the system
            info.external_attr = 0o644 << 16
            file.writestr(info, entry.getvalue())
    return archive.getvalue()


def unpack(data: bytes, *, largest: int) -> Arrays:
    """Read what `pack` or `numpy.savez` wrote; no size that the archive claims is believed.

    Parameters
    ----------
    data
        The whole file.
    largest
        Greatest size of all entries together, bytes.

    Returns
    -------
    dict
        Read-only arrays by name.

    Raises
    ------
    ArchiveError
        Truncated, damaged, too large, or with entries that are no plain arrays.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            infos = file.infolist()
            if sum(info.file_size for info in infos) > largest:
                raise ArchiveError(f"must hold at most {largest} bytes")
            if len({info.filename for info in infos}) != len(infos):
                raise ArchiveError("entries must differ in name")
            contents = {info.filename.removesuffix(".npy"): file.read(info) for info in infos}
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, zlib.error):
        raise ArchiveError("must be a whole .npz file: truncated, damaged or none") from None
    return {name: _array(name, content) for name, content in contents.items()}


def _array(name: str, data: bytes) -> NDArray[Any]:
    """Parse one `.npy`; `numpy.load` would allocate whatever the entry's header claims."""
    stream = io.BytesIO(data)
    try:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError(name)
        shape, fortran, dtype = npy.read_array_header_1_0(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError):
        raise ArchiveError(f"entry {name} must be an array in .npy format 1.0") from None
    if dtype.hasobject:
        raise ArchiveError(f"entry {name} must be numbers, not pickled objects")
    count = 1
    for size in shape:
        count *= size
    content = data[stream.tell() :]
    if min(shape, default=0) < 0 or count * dtype.itemsize != len(content) or not content:
        got = f"{len(content)} bytes"
        raise ArchiveError(f"entry {name} must hold {list(shape)} of {dtype}, not {got}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
