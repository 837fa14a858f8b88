"""The network file: an `.npz` with a JSON header, versioned, checksummed, without pickle.

The archive holds, uncompressed, one array per entry (`numpy.load` opens it):

=============================================  ====================================================
``header``                                     uint8: JSON in UTF-8, all that is not an array
``layers.<i>.weights``                         int8 ``[out, in, kh, kw]``
``layers.<i>.threshold``, ``layers.<i>.flip``  int32, bool ``[out]`` of a layer that ends in bits
``layers.<i>.bias``                            int32 ``[out]`` of a layer that ends in codes or raw
``layers.<i>.scale``, ``layers.<i>.offset``    float64 ``[out]`` of the last layer
``front_end.offset``, ``front_end.step``       float32 ``[bands]``, where there is a front-end
``checksum``                                   uint8 ``[32]``: SHA-256 of all other entries
=============================================  ====================================================

Nothing in a file is believed before it is checked, its sizes included. The same network gives
the same bytes.
"""

import hashlib
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.archive import Arrays, pack, unpack
from golden.files import write_whole
from golden.front_end import FrontEnd
from golden.layer import End, Layer, Raw, Requantise, Threshold
from golden.network import Network
from golden.rules import NetworkError

FORMAT = "bambino-network"
VERSION = 1
LARGEST = 64 * 2**20
"""Greatest size of a network file, bytes: a thousand times the paper's network."""

Json = dict[str, Any]

_ENDS: dict[str, tuple[type[End], tuple[str, ...], tuple[str, ...]]] = {
    # kind: (class, its arrays, what the header holds of it)
    "threshold": (Threshold, ("threshold", "flip"), ()),
    "requantise": (Requantise, ("bias",), ("shift", "bits")),
    "raw": (Raw, ("bias", "scale", "offset"), ("names",)),
}
_FRONT_END_ARRAYS = ("offset", "step")
_FRONT_END_SCALARS = tuple(f.name for f in fields(FrontEnd) if f.name not in _FRONT_END_ARRAYS)


def save(network: Network, path: Path) -> None:
    """Write `network` to `path`, whole or not at all; the same network gives the same bytes.

    Raises
    ------
    NetworkError
        `Network.about` holds other than strings.
    OSError
        The file cannot be written.
    """
    write_whole(path, dumps(network))


def dumps(network: Network) -> bytes:
    """Give the bytes that `save` writes."""
    if not all(isinstance(text, str) for pair in network.about.items() for text in pair):
        raise NetworkError(f"about must hold strings only, not {network.about}")
    header, arrays = _describe(network)
    text = json.dumps(header, indent=1, ensure_ascii=False, default=_plain)
    arrays["header"] = np.frombuffer(text.encode(), np.uint8)
    arrays["checksum"] = np.frombuffer(checksum(arrays), np.uint8)
    return pack(arrays)


def load(path: Path) -> Network:
    """Read and check a network.

    Raises
    ------
    NetworkError
        One line with the file and the rules that it breaks.
    OSError
        The file is not there or cannot be read.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise NetworkError(f"must be at most {LARGEST} bytes, not {path.stat().st_size}")
        arrays = unpack(path.read_bytes(), largest=LARGEST)
        header = _header(arrays)
        stored = arrays.pop("checksum")
        if stored.tobytes() != checksum(arrays):
            raise NetworkError("checksum must be that of the contents, not of others")
        del arrays["header"]
        return _Reader(arrays).network(header)
    except (ValueError, TypeError, OverflowError) as error:  # of the header's numbers, too
        raise NetworkError(f"network file {path}: {error}") from None


def checksum(arrays: Arrays) -> bytes:
    """SHA-256 over name, type, shape and contents of `arrays`, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return digest.digest()


def _plain(value: object) -> object:
    """Give JSON the number in a NumPy scalar."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a header must hold plain values, not {type(value).__name__}")


def _describe(network: Network) -> tuple[Json, Arrays]:
    """Split `network` into the header's contents and the arrays by entry."""
    arrays: Arrays = {}
    layers = []
    for i, layer in enumerate(network.layers):
        end = layer.end
        kind = next(kind for kind, (cls, _, _) in _ENDS.items() if isinstance(end, cls))
        _, vectors, scalars = _ENDS[kind]
        arrays[f"layers.{i}.weights"] = layer.weights
        arrays |= {f"layers.{i}.{name}": getattr(end, name) for name in vectors}
        layers.append(
            {
                "name": layer.name,
                "input_bits": layer.input_bits,
                "stride": layer.stride,
                "padding": layer.padding,
                "pool": layer.pool,
                "end": {"kind": kind} | {name: getattr(end, name) for name in scalars},
            },
        )
    front_end = network.front_end
    header: Json = {
        "format": FORMAT,
        "version": VERSION,
        "input_shape": network.input_shape,
        "layers": layers,
        "front_end": None,
        "about": network.about,
    }
    if front_end is not None:
        header["front_end"] = {name: getattr(front_end, name) for name in _FRONT_END_SCALARS}
        arrays |= {f"front_end.{name}": getattr(front_end, name) for name in _FRONT_END_ARRAYS}
    return header, arrays


def _header(arrays: Arrays) -> Json:
    """Read the header as far as format and version, and see that a checksum is there."""
    if "header" not in arrays:
        raise NetworkError("must hold the entry header, as a network file does")
    try:
        header: Json = json.loads(arrays["header"].tobytes().decode())
    except (ValueError, RecursionError):
        raise NetworkError("header must be JSON in UTF-8") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise NetworkError(f"header must name the format {FORMAT}")
    if header.get("version") != VERSION:
        raise NetworkError(f"version must be {VERSION}, not {header.get('version')!r}")
    if "checksum" not in arrays:
        raise NetworkError("must hold the entry checksum")
    return header


class _Reader:
    """Makes a network of a header and arrays whose checksum is right but which may be wrong."""

    def __init__(self, arrays: Arrays) -> None:
        self.arrays = arrays
        self.used: set[str] = set()

    def network(self, header: Json) -> Network:
        """Build and check the whole network; the error lists every broken layer."""
        broken: list[str] = []
        layers = []
        for i, described in enumerate(_field(header, "layers", list)):
            try:
                layers.append(self.layer(i, described))
            except NetworkError as error:
                broken.append(str(error))
        front_end = self.front_end(header) if header.get("front_end") is not None else None
        about = _field(header, "about", dict)
        if not all(isinstance(value, str) for value in about.values()):
            broken.append("about must hold strings only")
        unknown = sorted(set(self.arrays) - self.used)
        if unknown and not broken:
            broken.append(f"must hold the header's entries only, not {', '.join(unknown)}")
        if broken:
            raise NetworkError("; ".join(broken))
        return Network(
            input_shape=_tuple(header, "input_shape"),
            layers=tuple(layers),
            front_end=front_end,
            about=about,
        )

    def front_end(self, header: Json) -> FrontEnd:
        """Build the front-end."""
        described = _field(header, "front_end", dict)
        if sorted(described) != sorted(_FRONT_END_SCALARS):
            rule = f"front_end must hold {', '.join(_FRONT_END_SCALARS)}"
            raise NetworkError(f"{rule}, not {', '.join(map(str, described))}")
        vectors: Json = {name: self.take(f"front_end.{name}") for name in _FRONT_END_ARRAYS}
        return FrontEnd(**described, **vectors)

    def layer(self, i: int, described: object) -> Layer:
        """Build layer `i`."""
        if not isinstance(described, dict):
            raise NetworkError(f"layers.{i} must be an object, not {type(described).__name__}")
        end = _field(described, "end", dict)
        kind = _field(end, "kind", str)
        if kind not in _ENDS:
            raise NetworkError(f"layers.{i} must end in one of {', '.join(_ENDS)}, not {kind!r}")
        cls, vectors, scalars = _ENDS[kind]
        values: Json = {name: self.take(f"layers.{i}.{name}") for name in vectors}
        values |= {name: end.get(name) for name in scalars}
        if cls is Raw:
            values["names"] = _tuple(end, "names")
            if not all(isinstance(name, str) for name in values["names"]):
                raise NetworkError(f"layers.{i}: names must be strings, not {values['names']}")
        return Layer(
            name=_field(described, "name", str),
            weights=self.weights(f"layers.{i}.weights"),
            input_bits=described.get("input_bits", 0),
            stride=_tuple(described, "stride"),
            padding=_tuple(described, "padding"),
            end=cls(**values),
            pool=described.get("pool", "none"),
        )

    def weights(self, name: str) -> NDArray[Any]:
        """Take weights; those that a wider type holds beyond int8 get their own message."""
        weights = self.take(name)
        if weights.dtype.kind in "iu":
            low, high = int(weights.min()), int(weights.max())
            if low < -128 or high > 127:
                rule = f"{name} must lie within int8 (-128 to 127)"
                raise NetworkError(f"{rule}, not reach {low} to {high}")
        return weights

    def take(self, name: str) -> NDArray[Any]:
        """Take an array that must be there."""
        if name not in self.arrays:
            raise NetworkError(f"must hold the entry {name}")
        self.used.add(name)
        return self.arrays[name]


def _field(described: Json, name: str, kind: type) -> Any:
    value = described.get(name)
    if not isinstance(value, kind):
        raise NetworkError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")
    return value


def _tuple(described: Json, name: str) -> tuple[Any, ...]:
    return tuple(_field(described, name, list))
