"""Where outputs go: the address of every bit that leaves the array."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.program import LAYER, RUN
from hw.tokens import end_token


class Writer(wiring.Component):
    """Walks the output ring, pixel by pixel, as the outputs of a run leave the array.

    Address of plane p of a pixel: ``pixel + word * planes + p`` (times the words of a row); tiles
    of one block go over the same pixels, each into its own chunk.

    **Timing**: writes `latency` cycles after `step.out`; `done` likewise. The memory may be wide
    and deep, many block RAMs, so that all that goes there comes from registers.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    go : In(1)
        A run begins.
    layer : In(LAYER)
        Its layer.
    run : In(RUN)
        Its place.
    step : In(end_token())
        The step that leaves the array.
    bits : In(columns * act_bits)
        The columns' bits that leave with it.
    w_en : Out(1)
        Write the columns' bits.
    w_addr : Out(16)
        Row.
    w_chunk : Out(range(row_chunks))
        Chunk of the row.
    w_data : Out(columns * act_bits)
        The bits.
    done : Out(1)
        The run's last bits are being written.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.latency = writer_latency(config)
        super().__init__(
            {
                "go": In(1),
                "layer": In(LAYER),
                "run": In(RUN),
                "step": In(end_token()),
                "bits": In(config.columns * config.act_bits),
                "w_en": Out(1),
                "w_addr": Out(16),
                "w_chunk": Out(range(config.row_chunks)),
                "w_data": Out(config.columns * config.act_bits),
                "done": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer, width = self.layer, self.config.map_address_bits
        low = self.config.row_words.bit_length() - 1
        pixel, first = Signal(width), Signal(width)  # this one's place; the block's first
        word = Signal(width)  # of the tile within the pixel
        plane = Signal(6)
        beyond, following = Signal(width + 1), Signal(width)
        chunk = Signal.like(self.w_chunk)
        domain = m.d.sync if self.latency else m.d.comb
        domain += [
            self.w_en.eq(self.step.out),
            self.w_addr.eq(pixel + word + (plane << low)),
            self.w_chunk.eq(chunk),
            self.w_data.eq(self.bits),
            self.done.eq(self.step.out & self.step.run),
        ]
        m.d.comb += [
            beyond.eq(pixel + layer.out_stride),
            following.eq(Mux(beyond == layer.out_end[: width + 1], layer.out_base, beyond)),
        ]
        with m.If(self.step.out):
            m.d.sync += plane.eq(plane - 1)
            with m.If(plane == 0):
                m.d.sync += [plane.eq(layer.out_planes - 1), pixel.eq(following)]
                with m.If(self.step.block):
                    m.d.sync += [first.eq(following), word.eq(0), chunk.eq(0)]
                with m.Elif(self.step.tile):
                    m.d.sync += pixel.eq(first)
                    with m.If(chunk == self.config.row_chunks - 1):
                        m.d.sync += [
                            chunk.eq(0),
                            word.eq(word + (layer.out_planes << low)),
                        ]
                    with m.Else():
                        m.d.sync += chunk.eq(chunk + 1)
        with m.If(self.go):
            m.d.sync += [
                pixel.eq(self.run.out_start),
                first.eq(self.run.out_start),
                word.eq(0),
                plane.eq(layer.out_planes - 1),
                chunk.eq(0),
            ]
        return m


def writer_latency(config: Config) -> int:
    """Cycles from a step that leaves the array to its bits at the map memory."""
    return 0 if config.compact else 1
