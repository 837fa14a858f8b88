"""Parts of a word that a signal chooses."""

from amaranth.hdl import Cat, Const, Value


def piece(word: Value, number: Value, bits: int) -> Value:
    """Choose piece `number` of `word`, each of `bits`, a power of two.

    `Value.word_select` writes an index times a width into the Verilog; here is no product.
    """
    if bits < 1 or bits & (bits - 1):
        raise ValueError(f"bits must be a power of two, not {bits!r}")
    return word.bit_select(Cat(Const(0, bits.bit_length() - 1), number), bits)
