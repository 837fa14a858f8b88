"""The walker: streams a block's pixels past each tile, and says what to do with every sum."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.end_steps import ENDS
from hw.program import LAYER, PASS, RUN
from hw.tokens import sum_token

READ_DELAY = 3
"""Cycles from a step of the walk to its address at the memories."""

ENTRY_DELAY = 5
"""Cycles from a step of the walk to its bits at the array's edge: address, memory, window."""


class Walker(wiring.Component):
    """Walks a run: blocks of frame groups, in them tiles, in them passes, in them pixels.

    A pass reads one word a cycle, bands ascending, frame by frame; where a 2x2 maximum follows, two
    frames in turn, so that the four pixels of a window come one after the other. A pixel is valid
    after the pass's `warm` reads and then after every ``skip + 1``.

    **Timing**: one read per cycle. A pass begins when its tile and its entry are ready and takes
    one cycle more than it has reads. In a layer's last pass the last pixel of a pooling window
    waits until the output before it has left, `steps` cycles after its own last pixel.

    =============== ==================================================
    cycles later    what happens to a step of the walk
    =============== ==================================================
    1               frame and the tap's offset added
    2               wrapped into the ring
    READ_DELAY      address at the memories
    4               word at the window
    ENTRY_DELAY     bits, `token`, `ends` and `swap` at the array
    =============== ==================================================

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
    entry_valid : In(1)
        The next pass is known.
    entry : In(PASS)
        The next pass.
    tile_ready : In(1)
        Its weights are waiting.
    take : Out(1)
        The pass begins: entry and tile are taken.
    r_en : Out(1)
        Read the layer's input.
    r_addr : Out(16)
        Word to read.
    w_read : Out(1)
        A word is at the window.
    w_inside : Out(1)
        It lies within the map.
    w_plane : Out(3)
        Bit-plane of the first group.
    token : Out(sum_token(config))
        At the array's edge.
    ends : Out(ENDS)
        Likewise.
    swap : Out(1)
        Likewise.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "go": In(1),
                "layer": In(LAYER),
                "run": In(RUN),
                "entry_valid": In(1),
                "entry": In(PASS),
                "tile_ready": In(1),
                "take": Out(1),
                "r_en": Out(1),
                "r_addr": Out(16),
                "w_read": Out(1),
                "w_inside": Out(1),
                "w_plane": Out(3),
                "token": Out(sum_token(config)),
                "ends": Out(ENDS),
                "swap": Out(1),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        step = Signal(
            data.StructLayout(
                {
                    "read": 1,
                    "swap": 1,
                    "plane": 3,
                    "token": sum_token(self.config),
                    "ends": ENDS,
                },
            ),
        )
        at = Signal(PASS)  # the pass that runs
        token = step.token

        # Where in the run: frame groups left in all and in the block, tiles and passes done.
        groups, tile, number = Signal(16), Signal(16), Signal(16)
        in_block, rows = Signal(16), Signal(16)
        last_pass = number == layer.passes - 1
        last_tile = tile == layer.tiles - 1
        m.d.comb += in_block.eq(Mux(groups < layer.block_groups, groups, layer.block_groups))

        # Where in the input: the block's first frame and this group's, two of each where pooled.
        block_start, block_next, block_frame = Signal(16), Signal(16), Signal(signed(16))
        start, start_next, frame = Signal(16), Signal(16), Signal(signed(16))
        following, following_next = Signal(16), Signal(16)
        frame_inc = Mux(layer.pooled, layer.frame_inc << 1, layer.frame_inc)
        m.d.comb += [
            following.eq(_wrap(layer, start + layer.advance)),
            following_next.eq(_wrap(layer, start_next + layer.advance)),
        ]

        # Where in the frame.
        second = Signal()  # of two frames in turn
        reads, warm, skip = Signal(11), Signal(3), Signal(4)
        band, offset = Signal(signed(12)), Signal(16)
        odd = Signal()  # band of the output
        pixel = Signal(16)
        wait = Signal(6)

        last_of_band = second | ~layer.pooled
        last_of_row = last_of_band & (reads == 1)
        last_of_pass = last_of_row & (rows == 1)
        valid = (warm == 0) & (skip == 0)
        pool_first = Mux(layer.whole, pixel == 0, ~layer.pooled | ~odd & ~second)
        pool_last = Mux(layer.whole, last_of_pass, ~layer.pooled | odd & second)
        stalled = valid & last_pass & pool_last & (wait != 0)

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        with m.FSM():
            with m.State("IDLE"), m.If(self.go):
                m.d.sync += [
                    groups.eq(self.run.groups),
                    tile.eq(0),
                    number.eq(0),
                    block_start.eq(self.run.start),
                    block_next.eq(self.run.start_next),
                    block_frame.eq(self.run.frame),
                    wait.eq(0),
                ]
                m.next = "NEXT"
            with m.State("NEXT"), m.If(self.entry_valid & self.tile_ready):
                m.d.comb += [self.take.eq(1), step.swap.eq(1), token.take.eq(last_pass)]
                m.d.sync += [
                    at.eq(self.entry),
                    rows.eq(in_block),
                    start.eq(block_start),
                    start_next.eq(block_next),
                    frame.eq(block_frame),
                    second.eq(0),
                    reads.eq(self.entry.reads),
                    warm.eq(self.entry.warm),
                    skip.eq(0),
                    band.eq(self.entry.band),
                    offset.eq(self.entry.map_offset),
                    odd.eq(0),
                    pixel.eq(0),
                ]
                m.next = "WALK"
            with m.State("WALK"), m.If(~stalled):
                m.d.comb += [
                    step.read.eq(1),
                    step.plane.eq(at.plane),
                    token.valid.eq(valid),
                    token.first.eq(number == 0),
                    token.last.eq(last_pass),
                    token.shift.eq(at.shift),
                    token.pool_first.eq(pool_first),
                    token.pool_last.eq(pool_last),
                    token.addr.eq(pixel),
                    step.ends.output.eq(valid & last_pass & pool_last),
                    step.ends.tile.eq(last_of_pass),
                    step.ends.block.eq(last_of_pass & last_tile),
                    step.ends.run.eq(last_of_pass & last_tile & (groups <= layer.block_groups)),
                ]
                with m.If(valid):
                    m.d.sync += pixel.eq(pixel + 1)
                    with m.If(last_pass & pool_last):
                        m.d.sync += wait.eq(layer.steps - 1)
                with m.If(~last_of_band):
                    m.d.sync += second.eq(1)
                with m.Else():
                    m.d.sync += [
                        second.eq(0),
                        reads.eq(reads - 1),
                        band.eq(band + layer.band_inc),
                        offset.eq(offset + layer.band_step),
                    ]
                    with m.If(warm != 0):
                        m.d.sync += warm.eq(warm - 1)
                    with m.Else():
                        m.d.sync += [
                            skip.eq(Mux(skip == 0, layer.skip, skip - 1)),
                            odd.eq(odd ^ (skip == 0)),
                        ]
                with m.If(last_of_row):
                    m.d.sync += [
                        reads.eq(at.reads),
                        warm.eq(at.warm),
                        skip.eq(0),
                        band.eq(at.band),
                        offset.eq(at.map_offset),
                        odd.eq(0),
                        rows.eq(rows - 1),
                        start.eq(following),
                        start_next.eq(following_next),
                        frame.eq(frame + frame_inc),
                    ]
                with m.If(last_of_pass):
                    m.next = "NEXT"
                    m.d.sync += number.eq(number + 1)
                    with m.If(last_pass):
                        m.d.sync += [number.eq(0), tile.eq(tile + 1)]
                    with m.If(last_pass & last_tile):
                        m.d.sync += [
                            tile.eq(0),
                            groups.eq(groups - in_block),
                            block_start.eq(following),
                            block_next.eq(following_next),
                            block_frame.eq(frame + frame_inc),
                        ]
                        with m.If(groups == in_block):
                            m.next = "IDLE"

        s1, s2, s3, s4, s5 = (Signal(step.shape(), name=f"s{i}_step") for i in range(1, 6))
        s1_row, s2_row, s1_offset, s2_offset = (Signal(16) for _ in range(4))
        s1_frame, s1_band = Signal(signed(17)), Signal(signed(12))
        s2_inside, s3_inside, s4_inside = Signal(), Signal(), Signal()
        s1_sum = Signal(17)
        m.d.sync += [
            s1.eq(step),
            s1_sum.eq(Mux(second, start_next, start) + at.frame_offset),
            s1_offset.eq(offset),
            s1_frame.eq(frame + Mux(second, layer.frame_inc, 0) + at.frame),
            s1_band.eq(band),
            s2.eq(s1),
            s2_row.eq(s1_row),
            s2_offset.eq(s1_offset),
            s2_inside.eq(
                (s1_frame >= 0)
                & (s1_frame < layer.frames)
                & (s1_band >= 0)
                & (s1_band < layer.bands),
            ),
            s3.eq(s2),
            self.r_addr.eq(s2_row + s2_offset),
            s3_inside.eq(s2_inside),
            s4.eq(s3),
            s4_inside.eq(s3_inside),
            s5.eq(s4),
        ]
        m.d.comb += [
            s1_row.eq(_wrap(layer, s1_sum)),
            self.r_en.eq(s3.read),
            self.w_read.eq(s4.read),
            self.w_inside.eq(s4_inside),
            self.w_plane.eq(s4.plane),
            self.token.eq(s5.token),
            self.ends.eq(s5.ends),
            self.swap.eq(s5.swap),
        ]
        return m


def _wrap(layer: data.View, address: Value) -> Value:
    """`address`, brought back by the ring's size once it is past the ring's end."""
    return Mux(address >= layer.ring_end, address - layer.ring_size, address)
