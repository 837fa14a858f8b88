"""The tile loader: brings the next tile's weights while this tile runs."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.column import deepest_lane
from hw.config import Config
from hw.program import LAYER, RUN
from hw.tokens import load_token
from hw.walker import ENTRY_DELAY


class Loader(wiring.Component):
    """Reads the tiles of a run in order, block by block, one weight row a cycle.

    A tile has `lanes` rows, the last lane's first; behind the tiles of one plane stand the rows of
    offset and flip. Every bit-plane takes the same tiles again; the last one goes on to offset and
    flip, and then to the next output channels.

    **Timing**: `ready` rises `rows` cycles after the first row was read. After a `swap` the next
    tile waits until the last lane of the first column has taken its weight: its first row is read
    `settle` cycles after the swap.

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
    swap : In(1)
        The waiting tile is put to use.
    ready : Out(1)
        A tile is waiting.
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
                "swap": In(1),
                "ready": Out(1),
                "load": Out(load_token(config)),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, layer = self.config, self.layer
        row = Signal(range(config.lanes + config.parameter_rows))
        rest = Signal(range(settle(config)))
        passes, in_plane = Signal(16), Signal(16)  # left, this one counted
        tiles, groups = Signal(16), Signal(16)  # likewise
        plane_at = Signal.like(self.load.addr)
        last_pass = passes == 1
        last_row = Signal.like(row)
        m.d.comb += [
            last_row.eq(Mux(last_pass, config.lanes + config.parameter_rows, config.lanes) - 1),
            self.load.param.eq(row >= config.lanes),
        ]
        with m.FSM():
            with m.State("IDLE"), m.If(self.go):
                m.d.sync += [
                    row.eq(0),
                    self.load.addr.eq(layer.weights_at),
                    plane_at.eq(layer.weights_at),
                    passes.eq(layer.passes),
                    in_plane.eq(layer.plane_passes),
                    tiles.eq(layer.tiles),
                    groups.eq(self.run.groups),
                ]
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.comb += self.load.read.eq(1)
                m.d.sync += [self.load.addr.eq(self.load.addr + 1), row.eq(row + 1)]
                with m.If(row == last_row):
                    m.d.sync += row.eq(0)
                    m.next = "READY"
            with m.State("READY"):
                m.d.comb += self.ready.eq(1)
                with m.If(self.swap):
                    m.d.sync += [
                        rest.eq(settle(config) - 2),
                        passes.eq(passes - 1),
                        in_plane.eq(in_plane - 1),
                    ]
                    m.next = "SETTLE"
                    with m.If(in_plane == 1):
                        m.d.sync += [in_plane.eq(layer.plane_passes), self.load.addr.eq(plane_at)]
                    with m.If(last_pass):
                        m.d.sync += [
                            passes.eq(layer.passes),
                            tiles.eq(tiles - 1),
                            plane_at.eq(self.load.addr),
                            self.load.addr.eq(self.load.addr),
                        ]
                        with m.If(tiles == 1):
                            m.d.sync += [
                                tiles.eq(layer.tiles),
                                groups.eq(groups - layer.block_groups),
                                plane_at.eq(layer.weights_at),
                                self.load.addr.eq(layer.weights_at),
                            ]
                            with m.If(groups <= layer.block_groups):
                                m.next = "IDLE"
            with m.State("SETTLE"):
                m.d.sync += rest.eq(rest - 1)
                with m.If(rest == 0):
                    m.next = "LOAD"
        return m


def settle(config: Config) -> int:
    """Cycles from a swap to the first row of the next tile: its last lane has taken its weight."""
    return ENTRY_DELAY + deepest_lane(config)
