"""The network file: what is saved comes back, and every bad file is refused in one line."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden import netfile
from golden.archive import Arrays, pack
from golden.network import Network
from golden.random_networks import random_network, tiny_network
from golden.rules import NetworkError

Change = Callable[[dict[str, Any], Arrays], None]


def same(a: Network, b: Network) -> bool:
    """Compare by what would be written: dataclasses of arrays do not compare."""
    (header, arrays), (header_b, arrays_b) = (netfile._describe(n) for n in (a, b))
    return header == header_b and arrays.keys() == arrays_b.keys() and all(
        np.array_equal(arrays[k], arrays_b[k]) and arrays[k].dtype == arrays_b[k].dtype
        for k in arrays
    )


def crafted(path: Path, change: Change, *, sign: bool = True) -> Path:
    """Write the tiny network after `change` of header and arrays, checksum right if `sign`."""
    netfile.save(tiny_network(), path)
    with np.load(path, allow_pickle=False) as archive:
        arrays = dict(archive)
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    if header:
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    stored = arrays.pop("checksum")
    arrays["checksum"] = np.frombuffer(netfile.checksum(arrays), np.uint8) if sign else stored
    path.write_bytes(pack(arrays))
    return path


def refusal(path: Path) -> str:
    """Load and give the error's text without the file's name, which it must hold."""
    with pytest.raises(NetworkError) as caught:
        netfile.load(path)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(f"network file {path}: ")
    return text.removeprefix(f"network file {path}: ")


@pytest.mark.parametrize("seed", range(12))
def test_a_random_network_comes_back(tmp_path: Path, seed: int) -> None:
    network = random_network(np.random.default_rng(seed))
    netfile.save(network, tmp_path / "n.npz")
    assert same(netfile.load(tmp_path / "n.npz"), network)


def test_a_network_that_hears_comes_back(tmp_path: Path) -> None:
    netfile.save(tiny_network(), tmp_path / "n.npz")
    network = netfile.load(tmp_path / "n.npz")
    assert same(network, tiny_network())
    assert network.front_end is not None
    assert network.front_end.hop == 4000


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        netfile.save(tiny_network(), tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.npz") as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_numpy_opens_it_without_pickle(tmp_path: Path) -> None:
    netfile.save(tiny_network(), tmp_path / "n.npz")
    with np.load(tmp_path / "n.npz", allow_pickle=False) as archive:
        assert archive["layers.0.weights"].dtype == np.int8
        assert json.loads(archive["header"].tobytes())["version"] == netfile.VERSION


def test_loaded_arrays_cannot_be_changed(tmp_path: Path) -> None:
    netfile.save(tiny_network(), tmp_path / "n.npz")
    with pytest.raises(ValueError, match="read-only"):
        netfile.load(tmp_path / "n.npz").layers[0].weights[0] = 0


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_a_truncated_file(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "n.npz"
    netfile.save(tiny_network(), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    assert refusal(path) == "must be a whole .npz file: truncated, damaged or none"


def test_every_altered_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    netfile.save(tiny_network(), path)
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for at in rng.integers(0, len(data), 150):
        altered = bytearray(data)
        altered[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(altered)
        try:
            loaded = netfile.load(path)
        except NetworkError:
            continue
        assert same(loaded, tiny_network()), f"byte {at}"


def test_an_altered_weight_fails_the_checksum(tmp_path: Path) -> None:
    def change(header: dict[str, Any], arrays: Arrays) -> None:
        arrays["layers.2.weights"] = arrays["layers.2.weights"] ^ np.int8(1)

    path = crafted(tmp_path / "n.npz", change, sign=False)
    assert refusal(path) == "checksum must be that of the contents, not of others"


def test_an_altered_header_fails_the_checksum(tmp_path: Path) -> None:
    path = crafted(tmp_path / "n.npz", lambda h, a: h["about"].update(seed="2"), sign=False)
    assert "checksum" in refusal(path)


def _widen(header: dict[str, Any], arrays: Arrays) -> None:
    arrays["layers.1.weights"] = arrays["layers.1.weights"].astype(np.int16)


def _beyond(header: dict[str, Any], arrays: Arrays) -> None:
    _widen(header, arrays)
    arrays["layers.1.weights"][0, 0, 0, 0] = 300
    arrays["layers.1.weights"][0, 0, 0, 1:] = -128


def _sums(header: dict[str, Any], arrays: Arrays) -> None:
    arrays["layers.6.bias"] = np.array([2**31 - 1, 0], np.int32)


def _objects(header: dict[str, Any], arrays: Arrays) -> None:
    arrays["layers.1.weights"] = arrays["layers.1.weights"].astype(str)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h.update(version=2), "version must be 1, not 2"),
        (lambda h, a: h.pop("version"), "version must be 1, not None"),
        (lambda h, a: h.update(format="other"), "header must name the format bambino-network"),
        (lambda h, a: h.clear(), "must hold the entry header, as a network file does"),
        (lambda h, a: a.pop("layers.3.flip"), "must hold the entry layers.3.flip"),
        (lambda h, a: a.pop("front_end.step"), "must hold the entry front_end.step"),
        (lambda h, a: a.update(more=a["layers.3.flip"]), "header's entries only, not more"),
        (_beyond, r"layers.1.weights must lie within int8 \(-128 to 127\), not reach -128 to 300"),
        (_widen, r"layer conv2: weights must be int8 \[out, in, kh, kw\], not int16"),
        (_objects, r"layer conv2: weights must be int8 \[out, in, kh, kw\], not <U"),
        (_sums, "layer out: sums must stay within int32, not reach -?[0-9]+ to 2147"),
        (lambda h, a: h.update(input_shape=[2, 16, 20]), "layer conv1 must take 2 channels, not 1"),
        (lambda h, a: h.update(input_shape=[1, 3, 3]), "layer conv2 must leave a map"),
        (lambda h, a: h.update(input_shape=[1, 16, 21]), "as the front-end gives it"),
        (lambda h, a: h.update(input_shape=7), "input_shape must be a list, not int"),
        (lambda h, a: h["layers"][1].update(input_bits=2), "layer conv2 must take 1-bit inputs"),
        (lambda h, a: h["layers"][1].update(input_bits="1"), "input_bits must be an integer"),
        (lambda h, a: h["layers"][1].pop("name"), "name must be a str, not NoneType"),
        (lambda h, a: h["layers"][1].update(stride=[1]), "stride must be two integers"),
        (lambda h, a: h["layers"][1].update(pool=[]), "pool must be one of"),
        (lambda h, a: h["layers"][1].update(end={"kind": "relu"}), "must end in one of threshold"),
        (lambda h, a: h["layers"][1].update(end=[]), "end must be a dict, not list"),
        (lambda h, a: h["layers"][4]["end"].pop("shift"), "shift must be an integer from 0 to 31"),
        (lambda h, a: h["layers"][6]["end"].update(names=[1, 2]), "names must be strings"),
        (lambda h, a: h["layers"].__setitem__(1, 5), "layers.1 must be an object, not int"),
        (lambda h, a: h.pop("layers"), "layers must be a list, not NoneType"),
        (lambda h, a: h["front_end"].pop("hop"), "front_end must hold kind, sample_rate"),
        (lambda h, a: h["front_end"].update(hop=0), "hop must be an integer of at least 1, not 0"),
        (lambda h, a: h["front_end"].update(floor=10**400), "ufunc 'isfinite' not supported"),
        (lambda h, a: h["about"].update(seed=1), "about must hold strings only"),
    ],
)
def test_a_bad_file_with_a_right_checksum(tmp_path: Path, change: Change, message: str) -> None:
    text = refusal(crafted(tmp_path / "n.npz", change))
    assert re.search(message, text), text


def test_two_broken_layers_come_in_one_error(tmp_path: Path) -> None:
    def change(header: dict[str, Any], arrays: Arrays) -> None:
        header["layers"][0]["pool"] = "mean"
        header["layers"][3]["stride"] = [0, 0]

    text = refusal(crafted(tmp_path / "n.npz", change))
    assert "layer conv1: pool must" in text
    assert "layer conv4: stride must" in text


def test_a_pickled_entry_is_refused_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    trap = tmp_path / "trap"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
            return Path.touch, (trap,)

    np.savez(path, header=np.array([Trap()], object))
    assert refusal(path) == "entry header must be numbers, not pickled objects"
    path.write_bytes(pickle.dumps(Trap()))
    assert refusal(path) == "must be a whole .npz file: truncated, damaged or none"
    assert not trap.exists()


def test_a_header_that_is_no_json(tmp_path: Path) -> None:
    for text in (b"\xff", b"{", b"[" * 10000):
        np.savez(tmp_path / "n.npz", header=np.frombuffer(text, np.uint8))
        assert refusal(tmp_path / "n.npz") == "header must be JSON in UTF-8"


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(netfile.LARGEST + 1))
    assert path.stat().st_size < netfile.LARGEST / 100
    assert refusal(path) == f"must hold at most {netfile.LARGEST} bytes"


def test_a_shape_that_the_bytes_do_not_hold_allocates_nothing(tmp_path: Path) -> None:
    entry = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        entry, {"descr": "|u1", "fortran_order": False, "shape": (2**40,)},
    )
    with zipfile.ZipFile(tmp_path / "n.npz", "w") as archive:
        archive.writestr("header.npy", entry.getvalue())
    text = refusal(tmp_path / "n.npz")
    assert text == "entry header must hold [1099511627776] of uint8, not 0 bytes"


def test_an_entry_that_is_no_array(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "n.npz", "w") as archive:
        archive.writestr("header.npy", b"{}")
    assert refusal(tmp_path / "n.npz") == "entry header must be an array in .npy format 1.0"


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with (tmp_path / "n.npz").open("wb") as file:
        file.truncate(netfile.LARGEST + 1)  # sparse
    assert "must be at most" in refusal(tmp_path / "n.npz")


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        netfile.load(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError):
        netfile.load(tmp_path)


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "n.npz"
    netfile.save(tiny_network(), path)
    before = path.read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        netfile.save(tiny_network(2), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_strings_are_saved_in_about(tmp_path: Path) -> None:
    network = tiny_network()
    about: Any = network.about
    about["seed"] = 1
    with pytest.raises(NetworkError, match="about must hold strings only"):
        netfile.save(network, tmp_path / "n.npz")
    assert list(tmp_path.iterdir()) == []
