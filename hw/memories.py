"""The map memory: words of lanes to read, chunks of columns to write."""

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.block_memory import BlockMemory
from hw.config import Config


class MapMemory(wiring.Component):
    """Holds the maps between the layers.

    A row takes the outputs of all columns at once. With no more columns than lanes a row is one
    word, and holds ``lanes // columns`` chunks of channels; with more columns a row has several
    words, a power of two of them so that an address splits into row and word.

    **Timing**: synchronous read, `r_data` one cycle after `r_addr`. No word is read in the cycle in
    which it is written: a run writes frames that only later runs read.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    r_en : In(1)
        Read.
    r_addr : In(16)
        Word to read.
    r_data : Out(word_bits)
        The word, a cycle later.
    w_en : In(1)
        Write.
    w_addr : In(16)
        First word of the row to write.
    w_chunk : In(range(row_chunks))
        Chunk of the row to write.
    w_data : In(columns * act_bits)
        One activation from every column.
    """

    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "r_en": In(1),
                "r_addr": In(16),
                "r_data": Out(config.word_bits),
                "w_en": In(1),
                "w_addr": In(16),
                "w_chunk": In(range(config.row_chunks)),
                "w_data": In(config.columns * config.act_bits),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        low = config.row_words.bit_length() - 1
        rows = m.submodules.rows = BlockMemory(
            words=config.map_words // config.row_words,
            width=config.row_bits,
            chunks=config.row_chunks,
        )
        m.d.comb += [
            rows.r_en.eq(self.r_en),
            rows.r_addr.eq(self.r_addr >> low),
            rows.w_addr.eq(self.w_addr >> low),
            rows.w_data.eq(self.w_data.replicate(config.row_chunks)),
            rows.w_en.eq(self.w_en << self.w_chunk),
        ]
        if low == 0:
            m.d.comb += self.r_data.eq(rows.r_data)
        else:
            word = Signal(low)
            with m.If(self.r_en):
                m.d.sync += word.eq(self.r_addr[:low])
            words = Array(rows.r_data.word_select(k, config.word_bits) for k in range(1 << low))
            m.d.comb += self.r_data.eq(words[word])
        return m
