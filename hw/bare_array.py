"""The array by itself: cells with what loads them, nothing else of the columns."""

from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.array import skewed
from hw.chain import Chain
from hw.config import Config
from hw.emit import once
from hw.tokens import load_token


class BareColumn(wiring.Component):
    """A chain, and the registers that carry activations and control to the right.

    **Timing**: as `hw.chain.Chain`; all leaves to the right one cycle later.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    acts : In(word_bits)
        The lanes' activations, each with its delay.
    codes : In(1)
        The groups hold bit-planes.
    load : In(load_token(config))
        What `weight` is.
    weight : In(signed(8))
        One weight of the row.
    o_acts : Out(word_bits)
        For the column to the right.
    o_codes : Out(1)
        Likewise.
    o_load : Out(load_token(config))
        Likewise.
    sum : Out(signed(array_sum_bits))
        The column's sum.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        load = load_token(config)
        super().__init__(
            {
                "acts": In(config.word_bits),
                "codes": In(1),
                "load": In(load),
                "weight": In(signed(8)),
                "o_acts": Out(config.word_bits),
                "o_codes": Out(1),
                "o_load": Out(load),
                "sum": Out(signed(config.array_sum_bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        chain = m.submodules.chain = Chain(self.config)
        m.d.sync += [
            self.o_acts.eq(self.acts),
            self.o_codes.eq(self.codes),
            self.o_load.eq(self.load),
        ]
        m.d.comb += [
            chain.acts.eq(self.acts),
            chain.codes.eq(self.codes),
            chain.load.eq(self.load),
            chain.weight.eq(self.weight),
            self.sum.eq(chain.sum),
        ]
        return m


class BareArray(wiring.Component):
    """``lanes x columns`` cells: what `bambino compare` measures as the array.

    Weights come from outside, one a column and cycle, each column's a cycle after its left
    neighbour's; the sums leave as they are, skewed.

    **Timing**: as `hw.chain.Chain`, in column j another j cycles later.

    Parameters
    ----------
    config
        The machine, of which only lanes, columns, groups and cell matter.

    Members
    -------
    acts : In(word_bits)
        One pixel's activations.
    codes : In(1)
        The groups hold bit-planes.
    load : In(load_token(config))
        What the first column's weight is.
    weights : In(signed(8)).array(columns)
        One weight for each column.
    sums : Out(signed(array_sum_bits)).array(columns)
        The columns' sums.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "acts": In(config.word_bits),
                "codes": In(1),
                "load": In(load_token(config)),
                "weights": In(signed(8)).array(config.columns),
                "sums": Out(signed(config.array_sum_bits)).array(config.columns),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        acts, codes, load = skewed(m, self.acts, config), self.codes, self.load
        for j in range(config.columns):
            column = BareColumn(config)
            m.submodules[f"column_{j}"] = once(column, "column", platform)
            m.d.comb += [
                column.acts.eq(acts),
                column.codes.eq(codes),
                column.load.eq(load),
                column.weight.eq(self.weights[j]),
                self.sums[j].eq(column.sum),
            ]
            acts, codes, load = column.o_acts, column.o_codes, column.o_load
        return m
