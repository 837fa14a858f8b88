"""A multiply-accumulate without a multiplier: the weight's multiples in distributed RAM."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib.memory import Memory

from hw.cells.mac import MacCell


class MacTableCell(MacCell):
    """One multiply-accumulate by two look-ups: ``o_sum = i_sum + T[low] + 16 * T[high]``.

    ``T[n] = weight * n`` for a nibble n of the activation; who loads the cell writes all entries.

    **Timing**: `latency` cycles from `acts`, one from `i_sum`; else as `hw.cells.cell.Cell`. The
    look-up is of the first cycle, so an entry written counts from the next activation on.

    **Numbers**: as `hw.cells.mac.MacCell`; an entry is in -1920 to 1905, 12 bits.

    Parameters
    ----------
    i_bits, sum_bits, doubles
        As those of `hw.cells.mac.MacCell`.
    """

    entries = 16
    data_bits = 12
    latency = 3

    def product(self, m: Module) -> Signal:
        # Read without a clock: distributed RAM. It becomes one RAM for each of the two ports.
        m.submodules.table = table = Memory(
            shape=signed(12), depth=16, init=[], attrs={"ram_style": "distributed"},
        )
        write = table.write_port()
        m.d.comb += [write.en.eq(self.write), write.addr.eq(self.addr), write.data.eq(self.data)]
        words = []
        for k, name in enumerate(("s1_low", "s1_high")):
            port = table.read_port(domain="comb")
            word = Signal(signed(12), name=name, reset_less=True)
            m.d.comb += port.addr.eq(self.acts.word_select(k, 4))
            m.d.sync += word.eq(port.data)
            words.append(word)
        low, high = words
        upper = self.add(m, "product", low[4:].as_signed(), high, 12)
        product = Signal(signed(16), name="s2_product", reset_less=True)
        m.d.sync += product.eq(Cat(low[:4], upper))
        return product
