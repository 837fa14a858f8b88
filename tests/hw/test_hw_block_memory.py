"""The memory in pieces: the same words as one memory, and no piece deeper than a block RAM."""

import numpy as np
import pytest

from hw.block_memory import BLOCK_BITS, WIDE_WORDS, BlockMemory, slice_bits


@pytest.mark.parametrize(
    ("words", "width", "chunks"),
    [(1, 3, 1), (2048, 8, 1), (2049, 8, 1), (2100, 33, 3), (5000, 10, 2), (9000, 3, 1)],
)
def test_words_are_read_as_they_were_written(play, words, width, chunks):
    rng = np.random.default_rng(words)
    part = width // chunks
    places = [0, words - 1, *(int(at) for at in rng.integers(0, words, 6))]
    held, rows, due = {}, [], []
    for _ in range(200):
        write, read = (int(rng.choice(places)) for _ in range(2))
        enable, fetch = int(rng.integers(1 << chunks)), int(rng.random() < 0.8)
        value = int.from_bytes(rng.bytes(5), "little") & (1 << width) - 1
        rows.append(
            {"w_en": enable, "w_addr": write, "w_data": value, "r_en": fetch, "r_addr": read},
        )
        known = fetch and not (enable and write == read)
        due.append(held.get(read, 0) if known else None)
        mask = sum((1 << part) - 1 << part * k for k in range(chunks) if enable >> k & 1)
        held[write] = held.get(write, 0) & ~mask | value & mask
    memory = BlockMemory(words=words, width=width, chunks=chunks)
    seen = play(memory, [*rows, {}], ["r_data"])
    for word, now in zip(due, seen[BlockMemory.latency :], strict=True):
        if word is not None:
            assert now["r_data"] == word


@pytest.mark.parametrize("words", [1, 100, 2048, 2049, 4096, 4097, 8192, 16384])
def test_a_piece_is_one_range_of_addresses(words):
    bits = slice_bits(words, 40)
    assert (bits == 40) == (words <= WIDE_WORDS)
    assert words <= WIDE_WORDS or bits * (1 << (words - 1).bit_length()) == BLOCK_BITS


def test_a_memory_deeper_than_a_block_ram_stands_bit_by_bit():
    assert slice_bits(BLOCK_BITS + 1, 7) == 1
