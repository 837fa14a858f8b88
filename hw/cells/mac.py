"""The baseline of the comparison: an 8-bit weight times an 8-bit activation."""

from amaranth.hdl import Module, Signal, Value, signed

from hw.cells.cell import Cell


class MacCell(Cell):
    """One multiply-accumulate: ``o_sum = i_sum + weight * acts``; see `hw.cells.cell.Cell`.

    How the product is mapped, to a DSP or to logic, is the tools' choice. The registers before and
    after it are those of a DSP, and one more for the way from there to the sum.

    **Timing**: `latency` cycles from `acts`, one from `i_sum`; else as `hw.cells.cell.Cell`.

    **Numbers**: an activation is unsigned, 0 to 255, so a product takes 16 bits.

    Parameters
    ----------
    i_bits, sum_bits
        As those of `hw.cells.cell.Cell`; `hw.words.product_sum_bits` tells them.
    doubles
        False: the activations come whole, not in bit-planes.
    """

    act_bits = 8
    latency = 5

    def __init__(self, *, i_bits: int, sum_bits: int, doubles: bool = False) -> None:
        if doubles:
            raise ValueError("doubles must be False where activations come whole, not True")
        super().__init__(i_bits=i_bits, sum_bits=sum_bits)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = self.product(m)
        total = product if self.i_bits == 0 else self.add(
            m, "sum", self.i_sum, product, self.sum_bits,
        )
        m.d.sync += self.o_sum.eq(total)
        return m

    def weight(self, m: Module) -> Signal:
        """Return the register of the weight."""
        weight = Signal(signed(8), reset_less=True)
        with m.If(self.write):
            m.d.sync += weight.eq(self.data)
        return weight

    def product(self, m: Module) -> Signal:
        """Return the product, in a register, `latency` - 1 cycles after `acts`."""
        weight = Signal(signed(8), name="s1_weight", reset_less=True)
        act = Signal(8, name="s1_act", reset_less=True)
        m.d.sync += [weight.eq(self.weight(m)), act.eq(self.acts)]
        product: Value = weight * act
        for stage in range(2, self.latency):
            register = Signal(signed(16), name=f"s{stage}_product", reset_less=True)
            m.d.sync += register.eq(product)
            product = register
        return product

    def add(self, m: Module, name: str, a: Value, b: Value, width: int) -> Value:
        """Return the lowest `width` bits of a + b, both signed; a target has its own chains."""
        return (a + b)[:width].as_signed()
