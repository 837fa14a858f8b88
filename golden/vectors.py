"""Vector files: every layer's input and output, for benches that need no engine to check one.

A folder holds

=================  ============================================================================
``network.npz``    the network (`golden.netfile`)
``whole.npz``      ``codes`` uint8 ``[channel, band, frame]`` and ``raw`` int32 ``[out]``
``layer<i>.npz``   ``input`` uint8 and ``output`` uint8 ``[channel, band, frame]`` of layer i, the
                   last one's ``output`` int32 ``[out]``
``vectors.json``   origin, seed, and the name and SHA-256 of every file
=================  ============================================================================
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden import netfile
from golden.archive import ArchiveError, Arrays, pack, unpack
from golden.corners import SEED, corners
from golden.naive import NaiveEngine
from golden.network import Network
from golden.rules import NetworkError
from golden.trace import Engine, Trace

FORMAT = "bambino-vectors"
VERSION = 1
INDEX = "vectors.json"
LARGEST = 2**30
"""Greatest size of the contents of one vector file, bytes."""


class VectorError(ValueError):
    """A vector file that is not what it should be; the message names file and rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerVectors:
    """One layer's input and output.

    Parameters
    ----------
    name
        The layer's name.
    input
        uint8 ``[channel, band, frame]``.
    output
        uint8 ``[channel, band, frame]``, pooling done; int32 ``[out]`` of the last layer.
    """

    name: str
    input: NDArray[np.uint8]
    output: NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Vectors:
    """What a folder of vector files holds.

    Parameters
    ----------
    network
        The network.
    codes
        Its input, uint8 ``[channel, band, frame]``.
    raw
        Its result, int32 ``[out]``.
    layers
        In the network's order.
    origin, seed
        Where the codes come from.
    """

    network: Network
    codes: NDArray[np.uint8]
    raw: NDArray[np.int32]
    layers: tuple[LayerVectors, ...]
    origin: str
    seed: int | None

    @property
    def trace(self) -> Trace:
        """The trace that an engine must give."""
        outputs = {layer.name: layer.output for layer in self.layers[:-1]}
        return Trace(outputs=outputs, raw=self.raw)


def vectors(
    codes: NDArray[np.uint8],
    network: Network,
    out: Path,
    *,
    engine: Engine | None = None,
    origin: str = "codes",
    seed: int | None = None,
) -> None:
    """Evaluate `network` on `codes` and write the vectors into the folder `out`.

    Parameters
    ----------
    codes
        uint8 ``[channel, band, frame]``.
    network
        The network.
    out
        The folder, made if it is not there.
    engine
        The oracle; the nested loops if none is given.
    origin, seed
        Kept in the index: where the codes come from.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    trace = (engine or NaiveEngine()).predict(network, codes)
    write_vectors(network, codes, trace, out, origin, seed)


def corner_vectors(out: Path) -> tuple[str, ...]:
    """Write the vectors of every named corner into its own folder in `out`; give their names."""
    found = corners()
    for name, (network, codes) in found.items():
        vectors(codes, network, out / name, origin=f"golden.corners: {name}", seed=SEED)
    return tuple(found)


def write_vectors(
    network: Network,
    codes: NDArray[np.uint8],
    trace: Trace,
    out_dir: Path,
    origin: str,
    seed: int | None,
) -> None:
    """Write what `trace` says of `codes` into `out_dir`; files that stand there are replaced.

    All files are written beside first: a disk that fills up leaves what was there.

    Raises
    ------
    OSError
        The folder cannot be written.
    """
    arrays: dict[str, Arrays] = {"whole.npz": {"codes": codes, "raw": trace.raw}}
    layers = []
    given: NDArray[Any] = codes
    for i, layer in enumerate(network.layers):
        last = i == len(network.layers) - 1
        output: NDArray[Any] = trace.raw if last else trace.outputs[layer.name]
        arrays[f"layer{i}.npz"] = {"input": given, "output": output}
        layers.append({"name": layer.name, "file": f"layer{i}.npz"})
        given = output
    files = {name: pack(contents) for name, contents in arrays.items()}
    files["network.npz"] = netfile.dumps(network)
    index = {
        "format": FORMAT,
        "version": VERSION,
        "origin": origin,
        "seed": seed,
        "layers": layers,
        "sha256": {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)},
    }
    files[INDEX] = (json.dumps(index, indent=1, ensure_ascii=False) + "\n").encode()
    _write_folder(out_dir, files)


def read_vectors(folder: Path, *, verify: bool = True) -> Vectors:
    """Read the vectors in `folder`.

    Parameters
    ----------
    folder
        What `write_vectors` wrote.
    verify
        Whether to compare checksums. A bench that shows that it notices an altered bit reads
        without.

    Raises
    ------
    VectorError
        A file is damaged, altered or of another version; the message names it.
    OSError
        A file is not there.
    """
    index = _index(folder / INDEX)
    arrays: dict[str, Arrays] = {}
    for name in ("whole.npz", *(layer["file"] for layer in index["layers"])):
        path = folder / name
        data = path.read_bytes()
        if verify:
            _verify(path, data, index)
        try:
            arrays[name] = unpack(data, largest=LARGEST)
        except ArchiveError as error:
            raise VectorError(f"vector file {path}: {error}") from None
    try:
        if verify:
            _verify(folder / "network.npz", (folder / "network.npz").read_bytes(), index)
        network = netfile.load(folder / "network.npz")
        whole = arrays["whole.npz"]
        layers = tuple(
            LayerVectors(
                name=layer["name"],
                input=arrays[layer["file"]]["input"],
                output=arrays[layer["file"]]["output"],
            )
            for layer in index["layers"]
        )
        found = Vectors(
            network=network,
            codes=whole["codes"],
            raw=whole["raw"],
            layers=layers,
            origin=index["origin"],
            seed=index["seed"],
        )
    except NetworkError as error:
        raise VectorError(str(error)) from None
    except KeyError as error:
        raise VectorError(f"vector folder {folder}: must hold {error.args[0]}") from None
    _check_shapes(folder, found)
    return found


def _verify(path: Path, data: bytes, index: dict[str, Any]) -> None:
    if hashlib.sha256(data).hexdigest() != index["sha256"].get(path.name):
        raise VectorError(f"vector file {path}: checksum must be the one in {INDEX}")


def _index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise VectorError(f"vector file {path}: must be JSON in UTF-8") from None
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise VectorError(f"vector file {path}: must name the format {FORMAT}")
    if index.get("version") != VERSION:
        raise VectorError(f"vector file {path}: version must be {VERSION}")
    layers, sums = index.get("layers"), index.get("sha256")
    listed = isinstance(layers, list) and all(_is_own(layer) for layer in layers)
    if not listed or not isinstance(sums, dict) or not {"origin", "seed"} <= set(index):
        raise VectorError(f"vector file {path}: must list layers and checksums of its own folder")
    return index


def _is_own(layer: object) -> bool:
    """Whether an entry of the index names a layer and a file beside the index."""
    if not isinstance(layer, dict) or not isinstance(layer.get("name"), str):
        return False
    file = layer.get("file")
    return isinstance(file, str) and Path(file).name == file


def _check_shapes(folder: Path, found: Vectors) -> None:
    shapes = found.network.shapes
    wanted = [layer.name for layer in found.network.layers]
    if [layer.name for layer in found.layers] != wanted:
        raise VectorError(f"vector folder {folder}: layers must be {', '.join(wanted)}")
    for i, layer in enumerate(found.layers):
        last = i == len(found.layers) - 1
        output = shapes[i + 1][:1] if last else shapes[i + 1]
        if layer.input.shape != shapes[i] or layer.output.shape != output:
            rule = f"must go from {shapes[i]} to {output}"
            got = f"from {layer.input.shape} to {layer.output.shape}"
            raise VectorError(f"vector folder {folder}: layer {layer.name} {rule}, not {got}")


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write `files` beside, then rename: the whole folder if it is new, else file by file."""
    new = not folder.exists()
    beside = (folder.parent if new else folder) / f".{folder.name}.{os.getpid()}"
    beside.mkdir(parents=True)
    try:
        for name, data in files.items():
            (beside / name).write_bytes(data)
        if new:
            beside.rename(folder)
            return
        for name in files:
            (beside / name).replace(folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
