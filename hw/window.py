"""The window former: what one read becomes on the lanes."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config


class Window(wiring.Component):
    """Turns the words read, one a cycle, into the lanes' bits.

    From the map memory a word is one tap of `lanes` channels: lane i is activation i. From the code
    memory a read is one code: group g of G holds bit-plane ``plane + G - 1 - g`` (or a lane the
    whole code), and its lane k the code that was read k reads ago (of the same frame, where two
    frames are read in turn), so that several taps along the bands stand side by side. What lies
    outside the map is 0.

    **Timing**: latency 2 cycles; one read per cycle; nothing moves while there is none.

    ====== ===== =============================== ==========================
    cycle  read  lane k, one frame               lane k, two frames in turn
    ====== ===== =============================== ==========================
    t + 2  t     code of read t - k              code of read t - 2k
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
        Bit-plane of the last group.
    word : In(word_bits)
        Word of the map memory.
    code : In(8)
        Word of the code memory.
    acts : Out(word_bits)
        The lanes' activations.
    """

    latency = 2

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "read": In(1),
                "inside": In(1),
                "codes": In(1),
                "in_turn": In(1),
                "plane": In(3),
                "word": In(config.word_bits),
                "code": In(8),
                "acts": Out(config.word_bits),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        groups, width = config.groups, config.act_bits
        read, inside, plane = Signal(), Signal(), Signal(3)
        word, code = Signal(config.word_bits), Signal(8)
        m.d.sync += [  # a memory's output comes late; nothing may stand before its first register
            read.eq(self.read),
            inside.eq(self.inside),
            plane.eq(self.plane),
            word.eq(self.word),
            code.eq(self.code),
        ]
        fresh = Signal(groups * width)  # the last group's lowest
        m.d.comb += fresh.eq(Mux(inside, code >> plane, 0))
        taps = [fresh]
        for k in range(1, config.group_lanes):
            once = Signal(groups * width, name=f"tap_{k}_d1")
            twice = Signal(groups * width, name=f"tap_{k}_d2")
            with m.If(read):
                m.d.sync += [once.eq(taps[-1]), twice.eq(once)]
            taps.append(Mux(self.in_turn, twice, once))
        packed = Cat(tap.word_select(g, width) for g in reversed(range(groups)) for tap in taps)
        single = Mux(inside, word, 0)
        with m.If(read):
            m.d.sync += self.acts.eq(Mux(self.codes, packed, single))
        return m
