"""What `generate` writes: the same bytes, all fields, nothing half there."""

import hashlib
import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hw import manifest as module
from hw.accelerator import identity
from hw.column import end_delay, sum_latency
from hw.config import Config
from hw.loader import settle, tile_cycles
from hw.manifest import generate, manifest
from hw.packets import MAGIC
from hw.presets import PRESETS

SMALLEST = Config(
    lanes=3, columns=2, groups=1, acc_bits=12, code_words=16, map_words=16, weight_rows=16,
    partial_sums=4, program_words=32,
)


@pytest.mark.parametrize("config", [*PRESETS.values(), SMALLEST], ids=[*PRESETS, "smallest"])
def test_a_manifest_tells_all_that_a_host_needs(config):
    found = manifest(config, "module x; endmodule\n")
    assert json.loads(json.dumps(found)) == found  # plain data
    assert found["version"] == 1
    assert found["top"] == "accelerator"
    assert found["verilog_sha256"] == hashlib.sha256(b"module x; endmodule\n").hexdigest()
    assert found["magic"] == MAGIC == int.from_bytes(b"BAM1", "big")
    assert found["identity"] == identity(config)
    assert found["configuration"] == asdict(config)
    assert Config(**found["configuration"]) == config
    assert found["widths"] == {
        "stream_data": 32, "array_sum": config.array_sum_bits, "map_row": config.row_bits,
    }
    assert found["layout"] == {
        "group_lanes": config.group_lanes,
        "row_words": config.row_words,
        "row_chunks": config.row_chunks,
        "parameter_rows": config.parameter_rows,
    }
    assert found["latency"]["sum"] == sum_latency(config)
    assert found["latency"]["settle"] == settle(config)
    assert found["latency"]["end"] == end_delay(config)
    assert found["latency"]["tile"] == tile_cycles(config)
    assert set(found["latency"]) == {"entry", "sum", "end", "settle", "tile"}
    assert found["memory_bits"] == config.memory_bits
    assert found["commands"] == {"HELLO": 1, "PROGRAM": 2, "WEIGHTS": 3, "START": 4, "CODES": 5}
    assert found["replies"] == {"OK": 128, "ERROR": 129, "MAP": 130, "RESULT": 131}
    assert found["errors"] == {"UNKNOWN": 1, "LENGTH": 2, "RANGE": 3, "BUSY": 4, "IDLE": 5}


@pytest.fixture
def quick(monkeypatch):
    """Spare the generator where the text does not matter."""
    monkeypatch.setattr(module, "Accelerator", lambda config: None)
    monkeypatch.setattr(module, "to_verilog", lambda component, target: "module x; endmodule\n")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_machine_gives_the_same_files(tmp_path):
    for name in ("one", "two"):
        paths = generate(SMALLEST, tmp_path / "made" / name)
        assert [path.name for path in paths] == ["accelerator.v", "manifest.json"]
        assert all(path.parent == tmp_path / "made" / name for path in paths)
    one, two = contents(tmp_path / "made/one"), contents(tmp_path / "made/two")
    assert one == two
    assert sorted(one) == ["accelerator.v", "manifest.json"]
    found = json.loads(one["manifest.json"])
    assert found["verilog_sha256"] == hashlib.sha256(one["accelerator.v"]).hexdigest()
    assert found == manifest(SMALLEST, one["accelerator.v"].decode())
    assert one["manifest.json"].endswith(b"}\n")
    assert b"\r" not in one["accelerator.v"]


def test_files_that_are_there_are_replaced_as_a_whole(tmp_path, quick):
    (tmp_path / "accelerator.v").write_text("old\n" * 9)
    generate(SMALLEST, tmp_path)
    assert sorted(contents(tmp_path)) == ["accelerator.v", "manifest.json"]
    assert "old" not in (tmp_path / "accelerator.v").read_text()


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    path = tmp_path / "taken"
    path.write_text("mine")
    for out in (path, path / "below"):
        with pytest.raises(OSError, match="taken"):
            generate(SMALLEST, out)
    with pytest.raises(OSError, match="/dev/null"):
        generate(SMALLEST, Path("/dev/null/below"))
    assert contents(tmp_path) == {"taken": b"mine"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, quick):
    tmp_path.chmod(0o555)
    with pytest.raises(PermissionError):
        generate(SMALLEST, tmp_path)
    tmp_path.chmod(0o755)
    assert contents(tmp_path) == {}


class Full:
    """A file on a disk that is full."""

    def __init__(self, handle):
        os.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def write(self, text):
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("good", [0, 1])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, quick, good):
    """Also when the first of the two files still had its place: they belong together."""
    (tmp_path / "manifest.json").write_text("before")
    (tmp_path / "accelerator.v").write_text("before, too")
    opened, fdopen = [], os.fdopen

    def filling(handle, *rest, **more):
        opened.append(handle)
        return fdopen(handle, *rest, **more) if len(opened) <= good else Full(handle)

    monkeypatch.setattr(module.os, "fdopen", filling)
    with pytest.raises(OSError, match="No space left"):
        generate(SMALLEST, tmp_path)
    assert contents(tmp_path) == {"manifest.json": b"before", "accelerator.v": b"before, too"}


def test_what_cannot_be_renamed_is_not_left_beside(tmp_path, quick):
    (tmp_path / "accelerator.v").mkdir()
    (tmp_path / "accelerator.v" / "kept").write_text("mine")
    with pytest.raises(OSError, match=r"accelerator\.v"):
        generate(SMALLEST, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["accelerator.v"]


def test_a_target_gets_its_own_primitives(tmp_path):
    generate(SMALLEST, tmp_path / "any")
    folded = replace(SMALLEST, cell="folded")
    for target, primitive in (("ecp5", "CCU2C"), ("ice40", "SB_CARRY")):
        verilog, _ = generate(folded, tmp_path / target, target=target)
        assert primitive in verilog.read_text()
        assert primitive not in (tmp_path / "any/accelerator.v").read_text()


def test_a_cell_that_a_target_does_not_have_is_refused(tmp_path):
    config = replace(SMALLEST, cell="table", lanes=4)
    with pytest.raises(ValueError, match="^cell must be one of gated, .* on ice40, not 'table'$"):
        generate(config, tmp_path / "none", target="ice40")
    assert not (tmp_path / "none").exists()
    generate(config, tmp_path / "ecp5", target="ecp5")
