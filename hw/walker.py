"""The walker: streams a block's pixels past each tile, and says what to do with every sum."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config
from hw.end_steps import ENDS
from hw.program import LAYER, PASS, RUN
from hw.tokens import sum_token
from hw.walk_reads import Place, follow, wrapped


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
    ENTRY_DELAY     bits, `token` and `ends` at the array
    =============== ==================================================

    In a compact machine address, `token` and `ends` come with the step, the word at the window a
    cycle and the bits two cycles later.

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
        The next pass; in a compact machine it stays until `done`.
    tile_ready : In(1)
        Its weights are there by the time that its first pixel is.
    take : Out(1)
        The pass begins: entry and tile are taken.
    done : Out(1)
        This is the last step of a pass.
    idle_en : In(1)
        Read the maps for another; nothing is walked meanwhile.
    idle_addr : In(16)
        Word that it wants; `r_en` and `r_addr` follow a cycle later.
    r_en : Out(1)
        Read the layer's input.
    r_addr : Out(16)
        Word to read.
    r_codes : Out(16).array(code_frames)
        The same word of as many neighbouring frames of codes, this one first.
    w_read : Out(1)
        A word is at the window.
    w_inside : Out(code_frames)
        Those of its frame and of the neighbouring ones that lie within the map.
    w_bank : Out(range(code_banks))
        Bank of the first code.
    w_plane : Out(3)
        Bit-plane of the first group.
    token : Out(sum_token(config))
        At the array's edge.
    ends : Out(ENDS)
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
                "done": Out(1),
                "idle_en": In(1),
                "idle_addr": In(16),
                "r_en": Out(1),
                "r_addr": Out(16),
                "r_codes": Out(16).array(config.code_frames),
                "w_read": Out(1),
                "w_inside": Out(config.code_frames),
                "w_bank": Out(range(config.code_banks)),
                "w_plane": Out(3),
                "token": Out(sum_token(config)),
                "ends": Out(ENDS),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        layer = self.layer
        step = Signal(
            data.StructLayout(
                {
                    "read": 1,
                    "plane": 3,
                    "token": sum_token(self.config),
                    "ends": ENDS,
                },
            ),
        )
        compact = self.config.compact
        at = self.entry if compact else Signal(PASS)  # the pass that runs
        token = step.token

        # Where in the run: blocks, tiles and passes left, this one counted.
        run_bits = self.config.run_bits
        blocks, tiles = Signal(run_bits), Signal(self.config.tile_bits)
        passes = Signal(self.config.pass_bits)
        in_block, rows = Signal(run_bits), Signal(run_bits)  # groups of the block; left of them
        first_pass = Signal()
        m.d.comb += in_block.eq(Mux(blocks == 1, self.run.last_groups, layer.block_groups))
        # All that a step does hangs on these six, so a fast machine has them in registers. The
        # first three change as a pass ends, two cycles before the next one walks at the earliest;
        # the others are known a cycle ahead.
        last_pass, last_tile, last_block = Signal(), Signal(), Signal()
        last_read, last_row, waiting = Signal(), Signal(), Signal()
        late = m.d.comb if compact else m.d.sync
        late += [last_pass.eq(passes == 1), last_tile.eq(tiles == 1), last_block.eq(blocks == 1)]

        # Where in the input's ring: the block's first frame and this group's.
        width = self.config.address_bits
        ring_size = layer.ring_size[: width + 1]
        block_start, block_frame = Signal(width), Signal(signed(16))
        start, following, frame = Signal(width), Signal(width), Signal(signed(16))
        offsets = [Signal(width + 1, name=f"frame_offset_{k}") for k in range(2)]
        if compact:
            m.d.comb += [
                offsets[0].eq(at.frame_offset), offsets[1].eq(at.frame_offset + layer.frame_step),
            ]
        frame_inc = Mux(layer.pooled, layer.frame_inc << 1, layer.frame_inc)
        m.d.comb += following.eq(wrapped(m, start + layer.advance[: width + 1], ring_size, "next"))

        # Where in the frame.
        second = Signal()  # of two frames in turn
        reads, warm, skip = Signal(11), Signal(3), Signal(4)
        band, offset = Signal(signed(12)), Signal(width)
        odd = Signal()  # band of the output
        pixel, fresh = Signal.like(token.addr), Signal()  # of the pass; before its first pixel
        wait = Signal(6)
        if compact:
            m.d.comb += [last_read.eq(reads == 1), last_row.eq(rows == 1), waiting.eq(wait != 0)]

        last_of_band = second | ~layer.pooled
        last_of_row = last_of_band & last_read
        last_of_pass = last_of_row & last_row
        valid = (warm == 0) & (skip == 0)
        pool_first = Mux(layer.whole, fresh, ~layer.pooled | ~odd & ~second)
        pool_last = Mux(layer.whole, last_of_pass, ~layer.pooled | odd & second)
        stalled = valid & last_pass & pool_last & waiting

        with m.If(wait != 0):
            m.d.sync += wait.eq(wait - 1)
        if not compact:
            m.d.sync += waiting.eq(wait > 1)
        with m.FSM():
            with m.State("IDLE"), m.If(self.go):
                m.d.sync += [
                    blocks.eq(self.run.blocks),
                    tiles.eq(layer.tiles),
                    passes.eq(layer.passes),
                    first_pass.eq(1),
                    block_start.eq(self.run.start),
                    block_frame.eq(self.run.frame),
                    wait.eq(0),
                ]
                m.next = "NEXT"
            with m.State("NEXT"), m.If(self.entry_valid & self.tile_ready):
                m.d.comb += self.take.eq(1)
                if not compact:
                    m.d.sync += [
                        last_read.eq(self.entry.reads == 1),
                        last_row.eq(in_block == 1),
                        at.eq(self.entry),
                        offsets[0].eq(self.entry.frame_offset),
                        offsets[1].eq(self.entry.frame_offset + layer.frame_step),
                    ]
                m.d.sync += [
                    rows.eq(in_block),
                    start.eq(block_start),
                    frame.eq(block_frame),
                    second.eq(0),
                    reads.eq(self.entry.reads),
                    warm.eq(self.entry.warm),
                    skip.eq(0),
                    band.eq(self.entry.band),
                    offset.eq(self.entry.map_offset),
                    odd.eq(0),
                    pixel.eq(0),
                    fresh.eq(1),
                ]
                m.next = "WALK"
            with m.State("WALK"), m.If(~stalled):
                m.d.comb += [
                    step.read.eq(1),
                    step.plane.eq(at.plane),
                    token.valid.eq(valid),
                    token.first.eq(first_pass),
                    token.last.eq(last_pass),
                    token.shift.eq(at.shift),
                    token.pool_first.eq(pool_first),
                    token.addr.eq(pixel),
                    step.ends.output.eq(valid & last_pass & pool_last),
                    step.ends.tile.eq(last_of_pass),
                    step.ends.block.eq(last_of_pass & last_tile),
                    step.ends.run.eq(last_of_pass & last_tile & last_block),
                ]
                with m.If(valid):
                    m.d.sync += [pixel.eq(pixel + 1), fresh.eq(0)]
                    with m.If(last_pass & pool_last):
                        m.d.sync += wait.eq(layer.steps - 1)
                        if not compact:
                            m.d.sync += waiting.eq(layer.steps != 1)
                with m.If(~last_of_band):
                    m.d.sync += second.eq(1)
                with m.Else():
                    m.d.sync += [
                        second.eq(0),
                        reads.eq(reads - 1),
                        band.eq(band + layer.band_inc),
                        offset.eq(offset + layer.band_step),
                    ]
                    if not compact:
                        m.d.sync += last_read.eq(reads == 2)
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
                        frame.eq(frame + frame_inc),
                    ]
                    if not compact:
                        m.d.sync += [last_read.eq(at.reads == 1), last_row.eq(rows == 2)]
                with m.If(last_of_pass):
                    m.d.comb += self.done.eq(1)
                    m.next = "NEXT"
                    m.d.sync += [passes.eq(passes - 1), first_pass.eq(0)]
                    with m.If(last_pass):
                        m.d.sync += [
                            passes.eq(layer.passes), first_pass.eq(1), tiles.eq(tiles - 1),
                        ]
                        with m.If(last_tile):
                            m.d.sync += [
                                tiles.eq(layer.tiles),
                                blocks.eq(blocks - 1),
                                block_start.eq(following),
                                block_frame.eq(frame + frame_inc),
                            ]
                            with m.If(last_block):
                                m.next = "IDLE"

        place = Place(
            start=start, frame=frame, second=second, offsets=offsets, ahead=at.frame, band=band,
            offset=offset,
        )
        follow(m, self, step, place)
        return m
