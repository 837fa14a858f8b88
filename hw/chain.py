"""The cells of one column, one below the other, and what loads them."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.emit import once
from hw.fill import Fill
from hw.tokens import load_token
from hw.variants import on_target


class Chain(wiring.Component):
    """One column's sum: ``sum_l acts[l] weight[l]``, of planes ``sum_g group[g] << (G - 1 - g)``.

    The first lane is the top; a group's first cell doubles what comes from above where the groups
    hold bit-planes, the highest in the first group.

    Weights come one row a cycle, top first, in the wake of the last pixel that needs the ones
    before them: a cell takes its weight in the cycle in which that pixel passes it. Cells with a
    table take as many cycles each as it has entries; with two tables only the one that is read
    changes, and `load.bank` comes two cycles before the first lane's pixel.

    **Timing**: a lane of cell c must see a pixel c cycles after the first one's; the sum follows
    `chain_latency` cycles after the first. A row is there for the first cell `chain_load_delay`
    cycles after `load`, ``entries`` cycles later for each cell further down.

    ========= ============ ============ =====================
    cycle     cell 0       cell 1       cell c
    ========= ============ ============ =====================
    0         acts         -            (c cycles later)
    latency   -            -            `sum`
    ========= ============ ============ =====================

    **Numbers**: `hw.config.Config.sum_widths`.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    acts : In(word_bits)
        The lanes' activations.
    codes : In(1)
        The groups hold bit-planes.
    load : In(load_token(config))
        What `weight` is.
    weight : In(signed(8))
        One weight of the row.
    sum : Out(signed(array_sum_bits))
        The column's sum.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "acts": In(config.word_bits),
                "codes": In(1),
                "load": In(load_token(config)),
                "weight": In(signed(8)),
                "sum": Out(signed(config.array_sum_bits)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        cell_class = config.cell_class
        writes = [Signal(name=f"write_{c}") for c in range(config.cells)]
        load, weight = self.load, self.weight
        if is_scaled(config):
            load, weight = Signal.like(load), Signal(signed(cell_class.data_bits))
            m.d.sync += [load.eq(self.load), weight.eq(self.weight << self.load.scale)]
        is_weight = load.read & ~load.param
        if cell_class.entries == 1:
            data, addr = weight, 0
            m.d.comb += writes[0].eq(is_weight & load.first)
            for above, below in zip(writes, writes[1:], strict=False):
                m.d.sync += below.eq(above)
        else:
            fill = m.submodules.fill = on_target(Fill, platform)(bits=cell_class.data_bits)
            addr = Signal(range(cell_class.entries))
            m.d.comb += [
                fill.step.eq(is_weight),
                fill.subtract.eq(load.subtract),
                fill.weight.eq(weight),
            ]
            m.d.sync += addr.eq(load.entry)
            with m.If(load.next):
                m.d.sync += writes[0].eq(load.first)
                for above, below in zip(writes, writes[1:], strict=False):
                    m.d.sync += below.eq(above)
            data = fill.sum

        banks: list[Signal] = []
        if cell_class.buffered:  # the table that is read changes as the pixels pass
            banks = [Signal(name=f"bank_{c}") for c in range(max(2, config.cells))]
            before = load.bank
            for bank in banks:
                m.d.sync += bank.eq(before)
                before = bank

        variant = on_target(cell_class, platform)
        width = cell_class.lanes * cell_class.act_bits
        total = None
        for c, sum_bits in enumerate(config.sum_widths):
            cell = variant(
                i_bits=config.sum_widths[c - 1] if c else 0,
                sum_bits=sum_bits,
                doubles=c > 0 and c % config.group_cells == 0,
            )
            m.submodules[f"cell_{c}"] = once(cell, f"cell_{config.cell}_{c}", platform)
            m.d.comb += [
                cell.acts.eq(self.acts.word_select(c, width)),
                cell.double.eq(self.codes),
                cell.write.eq(writes[c]),
                cell.addr.eq(Cat(addr, ~banks[max(1, c)]) if banks else addr),
                cell.data.eq(data),
            ]
            if total is not None:
                m.d.comb += cell.i_sum.eq(total)
            total = cell.o_sum
        m.d.comb += self.sum.eq(total)
        return m


def chain_latency(config: Config) -> int:
    """Cycles from a pixel at the first lane to its sum."""
    return config.cell_class.latency + config.cells - 1


def chain_load_delay(config: Config) -> int:
    """Cycles from a row at the chain to its weight in the first cell."""
    if config.cell_class.entries == 1:
        return 0
    return Fill.latency + is_scaled(config)


def is_scaled(config: Config) -> bool:
    """Whether the chain's tables hold multiples of one weight."""
    return config.cell_class.entries > 1 and config.cell_class.lanes == 1
