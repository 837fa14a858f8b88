"""The map memory, and the writer that says where outputs go."""

from dataclasses import replace

import numpy as np
import pytest

from hw.config import Config
from hw.memories import MapMemory
from hw.writer import Writer, writer_latency

SHAPES = [(8, 4), (8, 3), (5, 5), (4, 9), (6, 40), (7, 1)]


def machine(lanes, columns, cell="gated"):
    return Config(lanes=lanes, columns=columns, map_words=64, cell=cell)


@pytest.mark.parametrize("cell", ["gated", "mac"])
@pytest.mark.parametrize(("lanes", "columns"), SHAPES)
def test_a_row_is_written_in_chunks_and_read_in_words(play, lanes, columns, cell):
    """What is read while it is written is not said."""
    config = machine(lanes, columns, cell)
    rng = np.random.default_rng(columns)
    lanes, columns = lanes * config.act_bits, columns * config.act_bits  # from here on bits
    memory = np.zeros((config.map_words // config.row_words, config.row_words * lanes), int)
    rows, due = [], []
    for _ in range(150):
        row = int(rng.integers(len(memory))) * config.row_words
        chunk = int(rng.integers(config.row_chunks))
        bits = int.from_bytes(rng.bytes(-(-columns // 8)), "little") & (1 << columns) - 1
        read = int(rng.integers(config.map_words))
        write, fetch = rng.random() < 0.6, rng.random() < 0.8
        rows.append(
            {
                "w_en": int(write), "w_addr": row, "w_chunk": chunk, "w_data": bits,
                "r_en": int(fetch), "r_addr": read,
            },
        )
        words = memory[read // config.row_words].reshape(config.row_words, lanes)
        known = fetch and not (write and row == read - read % config.row_words)
        due.append(words[read % config.row_words].copy() if known else None)
        if write:
            place = slice(chunk * columns, (chunk + 1) * columns)
            memory[row // config.row_words, place] = [bits >> k & 1 for k in range(columns)]
    seen = play(MapMemory(config), [*rows, {}], ["r_data"])
    for word, now in zip(due, seen[MapMemory.latency :], strict=True):
        if word is not None:
            assert [now["r_data"] >> k & 1 for k in range(lanes)] == word.tolist()


@pytest.mark.parametrize(("lanes", "columns"), SHAPES)
@pytest.mark.parametrize("planes", [1, 3, 20])
def test_the_writer_walks_pixels_tiles_and_blocks(play, lanes, columns, planes):
    """Blocks of some pixels, each tile over the same pixels into its own chunk and row."""
    config = replace(machine(lanes, columns), map_words=4096)
    tiles = 2 * config.row_chunks + 1
    rows_of_pixel = -(-tiles // config.row_chunks)
    stride = rows_of_pixel * planes * config.row_words
    base, slots = 3 * config.row_words, 5
    layer = {
        "out_base": base,
        "out_end": base + slots * stride,
        "out_stride": stride,
        "out_planes": planes,
    }
    rng = np.random.default_rng(planes)
    rows, due = [], []
    for first, blocks in ((2, (2, 1)), (0, (1,)), (4, (4,))):
        start = base + first * stride
        rows.append({"go": 1, "run": {"out_start": start}})
        pixel = first
        for number, pixels in enumerate(blocks):
            for tile in range(tiles):
                for i in range(pixels):
                    for plane in reversed(range(planes)):
                        if rng.random() < 0.3:
                            rows.append({})
                        ended = plane == 0 and i == pixels - 1
                        block = ended and tile == tiles - 1
                        run = block and number == len(blocks) - 1
                        step = {"out": 1, "tile": ended, "block": block, "run": run}
                        row, chunk = divmod(tile, config.row_chunks)
                        at = base + (pixel + i) % slots * stride
                        at += (row * planes + plane) * config.row_words
                        bits = int(rng.integers(1 << min(columns, 60)))
                        due.append((len(rows) + writer_latency(config), at, chunk, bits, run))
                        rows.append({"step": step, "bits": bits})
            pixel += pixels
    rows = [{**row, "layer": layer} for row in [*rows, {}]]
    seen = play(Writer(config), rows, ["w_en", "w_addr", "w_chunk", "w_data", "done"])
    got = [
        (at, row["w_addr"], row["w_chunk"], row["w_data"], row["done"])
        for at, row in enumerate(seen)
        if row["w_en"]
    ]
    assert got == due
