"""Vector files and corners: what is written comes back, and an altered bit is noticed."""

import json
from pathlib import Path

import numpy as np
import pytest

from golden import netfile
from golden.archive import pack, unpack
from golden.corners import corners
from golden.layer import Threshold
from golden.naive import NaiveEngine, sums
from golden.network import Network
from golden.random_networks import random_codes, tiny_network
from golden.torch_engine import TorchEngine
from golden.trace import compare
from golden.vectors import VectorError, corner_vectors, read_vectors, vectors

CORNERS = corners()


@pytest.fixture
def network() -> Network:
    return tiny_network()


@pytest.fixture
def folder(tmp_path: Path, network: Network) -> Path:
    codes = random_codes(np.random.default_rng(7), network)
    vectors(codes, network, tmp_path / "v", engine=TorchEngine(), origin="a test", seed=7)
    return tmp_path / "v"


def alter(path: Path, name: str) -> None:
    """Flip one bit of one array and write the archive anew."""
    arrays = unpack(path.read_bytes(), largest=2**20)
    changed = arrays[name].copy()
    changed.reshape(-1)[3] ^= 1
    path.write_bytes(pack(arrays | {name: changed}))


def test_the_trace_and_every_input_come_back(folder: Path, network: Network) -> None:
    found = read_vectors(folder)
    assert (found.origin, found.seed) == ("a test", 7)
    assert np.array_equal(found.codes, random_codes(np.random.default_rng(7), network))
    expected = NaiveEngine().predict(network, found.codes)
    assert compare(network, expected, found.trace).identical
    given = found.codes
    for layer in found.layers:
        assert np.array_equal(layer.input, given), layer.name
        given = layer.output
    assert np.array_equal(given, found.raw)


def test_the_same_vectors_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    found = read_vectors(folder)
    vectors(found.codes, found.network, tmp_path / "w", origin="a test", seed=7)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "w").iterdir())
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "w" / name).read_bytes(), name


def test_numpy_reads_them(folder: Path) -> None:
    with np.load(folder / "layer1.npz", allow_pickle=False) as archive:
        assert archive["input"].shape == (4, 8, 10)


@pytest.mark.parametrize(
    ("file", "array"),
    [("layer0.npz", "input"), ("layer3.npz", "output"), ("whole.npz", "codes")],
)
def test_one_altered_bit_fails_the_checksum_by_name(folder: Path, file: str, array: str) -> None:
    alter(folder / file, array)
    with pytest.raises(VectorError, match=rf"v/{file}: checksum must be the one in vectors\.json"):
        read_vectors(folder)


def test_without_verifying_one_altered_bit_shows_in_the_comparison(folder: Path) -> None:
    alter(folder / "layer3.npz", "output")
    found = read_vectors(folder, verify=False)
    result = compare(found.network, found.trace, NaiveEngine().predict(found.network, found.codes))
    assert result.first is not None
    assert (result.first.layer, result.first.channel) == ("conv4", 3)
    assert sum(layer.mismatches for layer in result.layers) == 1


def test_a_raw_bit_in_the_file_is_noticed_even_without_verifying(folder: Path) -> None:
    path = folder / "layer2.npz"
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    with pytest.raises(VectorError, match=r"layer2\.npz: must be a whole \.npz file"):
        read_vectors(folder, verify=False)


def test_missing_damaged_and_foreign_files(folder: Path) -> None:
    (folder / "layer4.npz").rename(folder / "kept")
    with pytest.raises(FileNotFoundError, match=r"layer4\.npz"):
        read_vectors(folder)
    (folder / "kept").rename(folder / "layer4.npz")
    arrays = unpack((folder / "layer4.npz").read_bytes(), largest=2**20)
    (folder / "layer4.npz").write_bytes(pack({"input": arrays["input"]}))
    with pytest.raises(VectorError, match="must hold output"):
        read_vectors(folder, verify=False)
    (folder / "layer4.npz").write_bytes(pack(arrays | {"input": arrays["output"][1:]}))
    with pytest.raises(VectorError, match=r"layer fc1 must go from \(8, 1, 1\) to \(8, 1, 1\)"):
        read_vectors(folder, verify=False)
    netfile.save(tiny_network(2), folder / "network.npz")
    (folder / "layer4.npz").write_bytes(pack(arrays))
    with pytest.raises(VectorError, match=r"network\.npz: checksum must be"):
        read_vectors(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "x"}, "must name the format bambino-vectors"),
        ({"version": 9}, "version must be 1"),
        ({"layers": 3}, "must list layers and checksums of its own folder"),
        ({"layers": [{"file": "../a.npz", "name": "a"}]}, "of its own folder"),
        ({"layers": [{"name": "a"}]}, "of its own folder"),
        ({"layers": []}, "layers must be conv1, conv2"),
    ],
)
def test_a_bad_index_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    index = json.loads((folder / "vectors.json").read_text())
    (folder / "vectors.json").write_text(json.dumps(index | change))
    with pytest.raises(VectorError, match=message):
        read_vectors(folder)


def test_an_index_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "vectors.json").write_text("{")
    with pytest.raises(VectorError, match=r"vectors\.json: must be JSON"):
        read_vectors(folder)


def test_writing_again_replaces_and_leaves_other_files(folder: Path, network: Network) -> None:
    (folder / "notes.txt").write_text("mine")
    codes = random_codes(np.random.default_rng(8), network)
    vectors(codes, network, folder, origin="another", seed=8)
    assert read_vectors(folder).seed == 8
    assert (folder / "notes.txt").read_text() == "mine"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_folder_that_cannot_be_written_leaves_nothing(tmp_path: Path, network: Network) -> None:
    (tmp_path / "file").write_text("")
    codes = random_codes(np.random.default_rng(8), network)
    for out in (tmp_path / "file", tmp_path / "file" / "v"):
        with pytest.raises(OSError, match="file"):
            vectors(codes, network, out)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_vectors(
    folder: Path, network: Network, monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        if self.name == "layer4.npz":
            raise OSError(28, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        vectors(random_codes(np.random.default_rng(8), network), network, folder)
    assert read_vectors(folder).seed == 7
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_every_corner_is_written_and_read(tmp_path: Path) -> None:
    names = corner_vectors(tmp_path / "corners")
    assert sorted(path.name for path in (tmp_path / "corners").iterdir()) == sorted(names)
    for name in names:
        assert name in read_vectors(tmp_path / "corners" / name).origin


@pytest.mark.parametrize("name", CORNERS)
def test_both_oracles_agree_on_the_corner(name: str) -> None:
    network, codes = CORNERS[name]
    expected, got = (engine.predict(network, codes) for engine in (NaiveEngine(), TorchEngine()))
    assert compare(network, expected, got).identical
    assert max(layer.sum_bits for layer in network.layers) <= 20


@pytest.mark.parametrize(
    ("name", "above"),
    [("sum-at-threshold", 0), ("sum-one-above-threshold", 1), ("sum-one-below-threshold", -1)],
)
def test_a_sum_of_every_channel_lies_where_the_name_says(name: str, above: int) -> None:
    network, codes = CORNERS[name]
    first = network.layers[0]
    assert isinstance(first.end, Threshold)
    assert set(first.end.flip.tolist()) == {False, True}
    bits = NaiveEngine().predict(network, codes).outputs["conv"]
    total = sums(first, codes)
    for channel in range(first.out_channels):
        at = total[channel] == first.end.threshold[channel] + above
        assert at.any()
        assert set(bits[channel][at]) == {int((above > 0) != first.end.flip[channel])}


def test_the_extreme_corners_reach_the_ends_of_the_range() -> None:
    for name, index in (("weights-all-minus-128-8-bit", 0), ("weights-all-127-8-bit", 1)):
        network, codes = CORNERS[name]
        total = sums(network.layers[0], codes)
        assert network.layers[0].sum_range[index] == (total.min(), total.max())[index]
    network, codes = CORNERS["largest-fan-in"]
    bits = NaiveEngine().predict(network, codes).outputs["expand"]
    total = sums(network.layers[1], bits)
    assert (total.min(), total.max()) == network.layers[1].sum_range == (-51200, 50800)
