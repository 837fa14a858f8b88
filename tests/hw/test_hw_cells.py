"""Every portable cell against its formula, weights changing under way."""

import numpy as np
import pytest

from hw.cells.folded import FoldedCell
from hw.cells.gated import GatedCell
from hw.cells.mac import MacCell
from hw.cells.mac_rows import MacRowsCell
from hw.cells.mac_table import MacTableCell
from hw.words import product_sum_bits, signed_bits, sum_bits

BINARY = [GatedCell, FoldedCell]
MACS = [MacCell, MacRowsCell, MacTableCell]
WEIGHTS = [-128, 127, -1, 0, 1, 85, -86, 64]


def loads(kind, weight):
    """Rows that write a weight, each as the cell takes it."""
    if kind.entries == 1:
        return [{"write": 1, "data": weight}]
    return [{"write": 1, "addr": n, "data": weight * n} for n in range(kind.entries)]


def check(play, cell, weights, acts, *, seed=0):
    """Give each weight its activations, the sum from above at random, and compare every sum."""
    rng = np.random.default_rng(seed)
    limit = 1 << cell.i_bits - 1 if cell.i_bits else 0
    rows, terms = [], []
    for weight, codes in zip(weights, acts, strict=True):
        writes = loads(type(cell), weight)
        before = weights[weights.index(weight) - 1] if rows else 0
        # Activation 0 while a table is half written; a single weight is exchanged under load.
        code = int(codes[0]) if cell.entries == 1 else 0
        for write in writes:
            rows.append({**write, "acts": code})
            terms.append(before * code)
        for each in codes:
            rows.append({"acts": int(each)})
            terms.append(weight * int(each))
    rows += [{}] * cell.latency
    for row in rows:
        row["double"] = int(rng.integers(2)) if cell.doubles else 0
        row["i_sum"] = int(rng.choice([-limit, limit - 1, rng.integers(-limit, limit)])) \
            if limit else 0
    seen = play(cell, rows, ["o_sum"])
    for at, term in enumerate(terms):
        last = rows[at + cell.latency - 1]
        expected = (last["i_sum"] << last["double"]) + term
        assert seen[at + cell.latency]["o_sum"] == expected, f"cycle {at}"


@pytest.mark.parametrize("doubles", [False, True])
@pytest.mark.parametrize("above", [0, 1, 5, 31])
@pytest.mark.parametrize("kind", BINARY)
def test_a_bit_lets_its_weight_in(play, kind, above, doubles):
    terms = above * (2 if doubles else 1) + 1
    i_bits = sum_bits(above) if above else 0
    # The greatest number of the width, doubled, is more than the greatest sum.
    bits = signed_bits(-(1 << i_bits << doubles), 1 << i_bits << doubles) if i_bits else sum_bits(1)
    assert bits >= sum_bits(terms)
    cell = kind(i_bits=i_bits, sum_bits=bits, doubles=doubles and above > 0)
    rng = np.random.default_rng(above)
    check(play, cell, WEIGHTS, rng.integers(0, 2, size=(len(WEIGHTS), 12)))


@pytest.mark.parametrize("above", [0, 1, 6, 31])
@pytest.mark.parametrize("kind", MACS)
def test_a_code_is_multiplied(play, kind, above):
    i_bits = product_sum_bits(above, 8) if above else 0
    bits = max(i_bits + 1, product_sum_bits(above + 1, 8))
    cell = kind(i_bits=i_bits, sum_bits=bits)
    codes = [255, 0, 1, 254, 16, 15, 240, 128, 127]
    check(play, cell, WEIGHTS, [codes] * len(WEIGHTS))


@pytest.mark.parametrize("kind", MACS)
def test_all_codes_with_the_corner_weights(play, kind):
    weights = [-128, 127, -1, 93]
    check(play, kind(i_bits=17, sum_bits=18), weights, [range(255, -1, -1)] * len(weights))


@pytest.mark.parametrize("kind", MACS)
def test_codes_come_whole_and_are_not_doubled(kind, used):
    cell = used(kind.__new__(kind))
    with pytest.raises(ValueError, match="^doubles must be False where activations come whole"):
        cell.__init__(i_bits=16, sum_bits=18, doubles=True)


def test_the_sum_of_products_fits():
    for terms in (1, 2, 3, 32, 1152):
        bits = product_sum_bits(terms, 8)
        assert -(1 << bits - 1) <= -128 * 255 * terms < -(1 << bits - 2)
    assert product_sum_bits(1, 1) == sum_bits(1)
