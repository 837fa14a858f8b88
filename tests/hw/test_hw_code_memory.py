"""The code memory: codes of neighbouring frames at once, whatever bank they begin in."""

import numpy as np
import pytest

from hw.code_memory import CodeMemory
from hw.config import Config


def machine(code_frames, code_words):
    return Config(lanes=8, columns=1, code_frames=code_frames, code_words=code_words)


@pytest.mark.parametrize(
    ("code_frames", "code_words"), [(1, 37), (1, 64), (2, 64), (3, 8), (3, 128), (4, 64)],
)
def test_codes_of_neighbouring_frames_are_read_at_once(play, code_frames, code_words):
    """Frames are one code longer than a multiple of the banks; the ring wraps anywhere in them."""
    config = machine(code_frames, code_words)
    banks = config.code_banks
    assert banks >= code_frames
    assert banks & (banks - 1) == 0
    frame_words = 1 if code_words == 8 else 2 * banks + 1
    rng = np.random.default_rng(code_words)
    codes = rng.integers(0, 256, code_words)
    rows = [{"w_en": 1, "w_addr": at, "w_data": int(code)} for at, code in enumerate(codes)]
    due, held = {}, None
    for _ in range(150):
        first = int(rng.integers(code_words))
        addresses = [(first + k * frame_words) % code_words for k in range(code_frames)]
        read, target = int(rng.random() < 0.7), int(rng.integers(code_words))
        row = {f"r_addr.{k}": at for k, at in enumerate(addresses)} | {"r_en": read}
        if target not in addresses and rng.random() < 0.5:
            row |= {"w_en": 1, "w_addr": target, "w_data": int(rng.integers(256))}
        else:
            row |= {"w_addr": target, "w_data": 99}
        if read:
            held = [(at % banks, int(codes[at])) for at in addresses]
        if row.get("w_en"):
            codes[target] = row["w_data"]
        due[len(rows) + CodeMemory.latency] = held
        rows.append(row)
    rows.append({})
    seen = play(CodeMemory(config), rows, [f"r_data.{b}" for b in range(banks)])
    for t, found in due.items():
        for bank, code in found or ():
            assert seen[t][f"r_data.{bank}"] == code, t
    assert any(len({bank for bank, _ in found}) == code_frames for found in due.values() if found)
