"""A multiply-accumulate without a multiplier: the product's rows in carry chains."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed

from hw.cells.mac import MacCell


class MacRowsCell(MacCell):
    """One multiply-accumulate: the weight, gated by each bit of the activation, added in pairs.

    | stage | chains | bits of each |
    | --- | --- | --- |
    | 1 | four: the weight times two bits of the activation | 10 |
    | 2 | two: times four bits | 12 |
    | 3 | the product | 16 |
    | 4 | the sum | `sum_bits` |

    Only the first stage takes the weight and the activation, so neither is delayed. One row a stage
    would be two chains less, for almost twice the registers.

    **Timing**: `latency` cycles from `acts`, one from `i_sum`; else as `hw.cells.cell.Cell`.

    **Numbers**: as `hw.cells.mac.MacCell`.

    Parameters
    ----------
    i_bits, sum_bits, doubles
        As those of `hw.cells.mac.MacCell`.
    """

    latency = 4

    def product(self, m: Module) -> Signal:
        weight = self.weight(m)
        terms = []
        for k in range(4):
            term = Signal(signed(10), name=f"s1_rows{k}", reset_less=True)
            m.d.sync += term.eq(
                self.two_rows(m, f"rows{k}", weight, self.acts.word_select(k, 2)),
            )
            terms.append(term)
        for stage, shift in ((2, 2), (3, 4)):
            sums = []
            for k in range(0, len(terms), 2):
                low, high = terms[k : k + 2]
                total = Signal(signed(8 + 2 * shift), name=f"s{stage}_sum{k}", reset_less=True)
                upper = self.add(
                    m, f"stage{stage}_{k}", low[shift:].as_signed(), high, 8 + shift,
                )
                m.d.sync += total.eq(Cat(low[:shift], upper))
                sums.append(total)
            terms = sums
        return terms[0]

    def two_rows(self, m: Module, name: str, weight: Value, bits: Value) -> Value:
        """Return weight * bits for two bits, signed, in 10 bits."""
        return (Mux(bits[0], weight, 0) + Mux(bits[1], weight << 1, 0))[:10]
