"""The tile loader: brings a tile's weights in the wake of the last pixel of the tile before."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.column import load_delay, sum_latency
from hw.config import Config
from hw.fill import walk
from hw.program import LAYER, RUN
from hw.tokens import load_token
from hw.walk_reads import entry_delay

LEAST_REST = 3
"""Cycles from the last row of a tile to the first of the next one, at least."""


class Loader(wiring.Component):
    """Reads the tiles of a run in order, block by block, one weight row a cycle.

    Behind the tiles of some output channels stand the rows of their offset and flip, read behind
    the last tile, when the last sum of the channels before has passed the end of its column. Every
    bit-plane takes the same tiles again.

    A cell may take its weight as soon as the last pixel of the tile before has passed it, and the
    cells below follow one by one; so the next tile's pixels follow the weights down. Where a cell
    takes several cycles (a table), they have to wait for the last cell.

    With two tables a cell the next tile may come as soon as a pass has begun; not so where a layer
    has one pass, whose sums still need the offsets.

    **Timing**: a pass ends with `done`; the first row is read `settle` cycles later, or `settle`
    cycles (`LEAST_REST` at least) after the last row of the tile before, if the pass has ended by
    then. `ready` rises `lead` cycles after the first row.

    ==================================== ==================================
    cycle                                row
    ==================================== ==================================
    0                                    first, of the first cell
    tile_cycles - 1                      last, of the last cell
    tile_cycles + parameter_wait + 1 ..  offset and flip, last tile only
    ==================================== ==================================

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
    take : In(1)
        The pass of this tile begins.
    done : In(1)
        It ends.
    ready : Out(1)
        The pass of this tile may begin.
    load : Out(load_token(config))
        Row to read.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "go": In(1),
                "layer": In(LAYER),
                "run": In(RUN),
                "take": In(1),
                "done": In(1),
                "ready": Out(1),
                "load": Out(load_token(config)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, layer, load = self.config, self.layer, self.load
        lanes, entries = config.cell_class.lanes, config.cell_class.entries
        at, plane_at = Signal.like(load.addr), Signal.like(load.addr)  # the cell's rows; a plane's
        lane = Signal(range(lanes))  # of this step; 0 between tiles, and at their first step
        step, cell = Signal(range(entries)), Signal(range(config.cells))
        last_step, last_cell = step == entries - 1, cell == config.cells - 1
        # Left, this one counted.
        passes, in_plane = Signal(config.pass_bits), Signal(config.plane_pass_bits)
        tiles, blocks = Signal(config.tile_bits), Signal(config.run_bits)
        ended, taken = Signal(), Signal()
        last_pass = passes == 1
        longest = max(lead(config, last=True), parameter_wait(config), config.parameter_rows)
        count, rest = Signal(range(longest + 1)), Signal(range(longest + 1))

        # `ready` and `take` hang together with walker and fetch in one cycle, so it is a register.
        with m.If(rest != 0):
            m.d.sync += rest.eq(rest - 1)
        with m.If(rest == 1):
            m.d.sync += self.ready.eq(1)
        with m.If(self.take):
            m.d.sync += [self.ready.eq(0), taken.eq(1)]
        with m.If(self.done):
            m.d.sync += ended.eq(1)
        leads = lead(config, last=False), lead(config, last=True)
        begin_lead = [
            rest.eq(Mux(last_pass, leads[1], leads[0])),
            self.ready.eq(Mux(last_pass, leads[1] == 0, leads[0] == 0)),
            taken.eq(0),
            ended.eq(0),
        ]
        with m.FSM() as fsm:
            with m.State("IDLE"), m.If(self.go):
                m.d.sync += [
                    at.eq(layer.weights_at),
                    plane_at.eq(layer.weights_at),
                    passes.eq(layer.passes),
                    in_plane.eq(layer.plane_passes),
                    tiles.eq(layer.tiles),
                    blocks.eq(self.run.blocks),
                ]
                m.next = "BEGIN"
            with m.State("BEGIN"):
                m.d.sync += begin_lead
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += [
                    load.read.eq(1),
                    load.first.eq(cell == 0),
                    load.addr.eq(at + lane),
                ]
                m.d.sync += step.eq(step + 1)
                with m.If(last_step):
                    m.d.sync += [step.eq(0), at.eq(at + lanes), cell.eq(cell + 1)]
                    with m.If(last_cell):
                        m.d.sync += [cell.eq(0), count.eq(parameter_wait(config))]
                        m.next = "DONE"
                        with m.If(last_pass):
                            m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += count.eq(count - 1)
                with m.If(count == 0):
                    m.d.sync += count.eq(0)
                    m.next = "PARAMETERS"
            with m.State("PARAMETERS"):
                m.d.comb += [load.read.eq(1), load.param.eq(1), load.addr.eq(at + lane)]
                m.d.sync += [count.eq(count + 1), at.eq(at + 1)]
                with m.If(count == config.parameter_rows - 1):
                    m.next = "DONE"
            # With two cycles to the next row, the pass is heeded as it ends.
            free = ended | self.done if settle(config) == 2 else ended
            if config.cell_class.buffered:  # the table is, as the other one's pass begins
                free = Mux(layer.passes == 1, free, taken | self.take)
            with m.State("DONE"), m.If(free):
                m.d.sync += [
                    passes.eq(passes - 1),
                    in_plane.eq(in_plane - 1),
                    count.eq(max(0, settle(config) - 3)),
                ]
                m.next = "SETTLE"
                with m.If(in_plane == 1):
                    m.d.sync += [in_plane.eq(layer.plane_passes), at.eq(plane_at)]
                with m.If(last_pass):
                    m.d.sync += [
                        passes.eq(layer.passes), tiles.eq(tiles - 1), at.eq(at), plane_at.eq(at),
                    ]
                    with m.If(tiles == 1):
                        m.d.sync += [
                            tiles.eq(layer.tiles),
                            blocks.eq(blocks - 1),
                            at.eq(layer.weights_at),
                            plane_at.eq(layer.weights_at),
                        ]
                        with m.If(blocks == 1):
                            m.next = "IDLE"
            with m.State("SETTLE"):
                m.d.sync += count.eq(count - 1)
                with m.If(count == 0):
                    m.d.sync += begin_lead
                    m.next = "LOAD"
        if config.cell_class.buffered:
            bank = Signal()
            m.d.sync += bank.eq(bank ^ self.take)
            m.d.comb += load.bank.eq(bank)
        if entries > 1:
            m.d.comb += load.next.eq(~fsm.ongoing("LOAD") | (step == 0))
            with m.If(fsm.ongoing("LOAD")), m.Switch(step):
                steps = walk(len(step))
                for number, (bit, entry, subtract) in enumerate(steps):
                    with m.Case(number):
                        m.d.comb += [load.entry.eq(entry), load.subtract.eq(subtract)]
                        if lanes == 1:
                            m.d.comb += load.scale.eq(bit)
                        else:
                            m.d.sync += lane.eq(steps[(number + 1) % entries][0])
        return m


def tile_cycles(config: Config) -> int:
    """Cycles that the rows of one tile take."""
    return config.cells * config.cell_class.entries


def settle(config: Config) -> int:
    """Cycles from a pass's last step to the first row of the next tile.

    The first cell takes its weight in the cycle in which the last pixel passes it; a table is
    written a cycle later, since a RAM may not be written where it is read.
    """
    needed = entry_delay(config) - load_delay(config) + (config.cell_class.entries > 1)
    return max(2, needed)


def parameter_wait(config: Config) -> int:
    """Cycles between a tile's last row and offset and flip, less one.

    By then the sums of the channels before have passed the end of their column.
    """
    return max(0, sum_latency(config) + load_delay(config) - 1 - tile_cycles(config))


def lead(config: Config, *, last: bool) -> int:
    """Cycles from the first row of a tile until its pass may begin.

    The last cell has its weight when the first pixel reaches it; in the `last` pass of some output
    channels, offset and flip are there when the first sum is.
    """
    cells, tile = config.cells, tile_cycles(config)
    weights = load_delay(config) - entry_delay(config) + tile - cells
    if not last:
        return max(0, weights)
    parameters = tile + 1 + parameter_wait(config) + config.parameter_rows
    return max(0, weights, parameters - entry_delay(config) - sum_latency(config))
