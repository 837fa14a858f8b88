"""Widths in exact integers, and one way to write them for all of `hw`."""


def bits_for(greatest: int) -> int:
    """Bits of an unsigned number from 0 to `greatest`; none for 0."""
    return greatest.bit_length()


def signed_bits(low: int, high: int) -> int:
    """Bits of a two's complement number from `low` to `high`."""
    return 1 + max(high.bit_length() if high > 0 else 0, (-low - 1).bit_length() if low < 0 else 0)


def sum_bits(terms: int) -> int:
    """Bits of the sum of so many 8-bit weights."""
    return signed_bits(-128 * terms, 127 * terms)


def product_sum_bits(terms: int, act_bits: int) -> int:
    """Bits of the sum of so many products of an 8-bit weight and an unsigned activation."""
    return sum_bits(terms * ((1 << act_bits) - 1))
