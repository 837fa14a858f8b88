"""The window former: what one read becomes on the lanes."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config


class Window(wiring.Component):
    """Turns the words read, one a cycle, into the lanes' bits.

    From the map memory a word is one tap of `lanes` channels: lane i is bit i. From the code
    memory a read is one code: group g holds bit-plane ``plane + g``, and its lane k the code that
    was read k reads ago (of the same frame, where two frames are read in turn), so that several
    taps along the bands stand side by side. What lies outside the map is 0.

    **Timing**: latency 1 cycle; one read per cycle; nothing moves while there is none.

    ====== ===== =============================== ==========================
    cycle  read  lane k, one frame               lane k, two frames in turn
    ====== ===== =============================== ==========================
    t + 1  t     code of read t - k              code of read t - 2k
    ====== ===== =============================== ==========================

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    read : In(1)
        A word is here.
    inside : In(1)
        It lies within the map.
    codes : In(1)
        It comes from the code memory.
    in_turn : In(1)
        Two frames are read in turn.
    plane : In(3)
        Bit-plane of the first group.
    word : In(lanes)
        Word of the map memory.
    code : In(8)
        Word of the code memory.
    acts : Out(lanes)
        The lanes' bits.
    """

    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "read": In(1),
                "inside": In(1),
                "codes": In(1),
                "in_turn": In(1),
                "plane": In(3),
                "word": In(config.lanes),
                "code": In(8),
                "acts": Out(config.lanes),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        groups, slots = self.config.groups, self.config.group_lanes
        fresh = Signal(groups)
        m.d.comb += fresh.eq(Mux(self.inside, self.code >> self.plane, 0))
        taps = [fresh]
        for k in range(1, slots):
            once = Signal(groups, name=f"tap_{k}_d1")
            twice = Signal(groups, name=f"tap_{k}_d2")
            with m.If(self.read):
                m.d.sync += [once.eq(taps[-1]), twice.eq(once)]
            taps.append(Mux(self.in_turn, twice, once))
        packed = Cat(taps[k][g] for g in range(groups) for k in range(slots))
        single = Mux(self.inside, self.word, 0)
        with m.If(self.read):
            m.d.sync += self.acts.eq(Mux(self.codes, packed, single))
        return m
