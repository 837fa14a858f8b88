"""The window former: what one read becomes on the lanes."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.config import Config


class Window(wiring.Component):
    """Turns the words read, one a cycle, into the lanes' bits.

    From the map memory a word is one tap of `lanes` channels: lane i is activation i. From the code
    memory a read is one code of each of `code_frames` neighbouring frames: group g of G holds
    bit-plane ``plane + G - 1 - g`` (or a lane the whole code), and its lane ``j * code_taps + k``
    the code of frame j that was read k reads ago (of the same frame, where two are read in turn),
    so that several taps along bands and frames stand side by side; lanes beyond are 0. What lies
    outside the map is 0.

    **Timing**: latency 2 cycles, 1 in a compact machine; one read per cycle; nothing moves while
    there is none.

    ====== ===== =============================== ==========================
    cycle  read  tap k, one frame                tap k, two frames in turn
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
    inside : In(code_frames)
        It lies within the map; each frame's code for itself.
    codes : In(1)
        It comes from the code memory.
    in_turn : In(1)
        Two frames are read in turn.
    plane : In(3)
        Bit-plane of the last group.
    word : In(word_bits)
        Word of the map memory.
    bank : In(range(code_banks))
        Bank of the first frame's code; those of the next frames follow.
    code : In(8).array(code_banks)
        Words of the code memory.
    acts : Out(word_bits)
        The lanes' activations.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.latency = 1 if config.compact else 2
        super().__init__(
            {
                "read": In(1),
                "inside": In(config.code_frames),
                "codes": In(1),
                "in_turn": In(1),
                "plane": In(3),
                "word": In(config.word_bits),
                "bank": In(range(config.code_banks)),
                "code": In(8).array(config.code_banks),
                "acts": Out(config.word_bits),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        groups, width = config.groups, config.act_bits
        read, inside, plane = Signal(), Signal.like(self.inside), Signal(3)
        word, bank = Signal(config.word_bits), Signal.like(self.bank)
        codes = [Signal(8, name=f"code_{b}") for b in range(config.code_banks)]
        # A memory's output comes late: with a fast clock nothing may stand before a register.
        domain = m.d.comb if config.compact else m.d.sync
        domain += [
            read.eq(self.read),
            inside.eq(self.inside),
            plane.eq(self.plane),
            word.eq(self.word),
            bank.eq(self.bank),
            *(code.eq(each) for code, each in zip(codes, self.code, strict=True)),
        ]
        lanes: list[Value] = []  # of a group, all of its planes; the last group's lowest
        for frame in range(config.code_frames):
            code = Signal(8, name=f"frame_{frame}")
            m.d.comb += code.eq(Array(codes)[(bank + frame)[: len(bank)]])
            fresh = Signal(groups * width, name=f"fresh_{frame}")
            m.d.comb += fresh.eq(Mux(inside[frame], code >> plane, 0))
            taps = [fresh]
            for k in range(1, config.code_taps):
                once = Signal(groups * width, name=f"tap_{frame}_{k}_d1")
                twice = Signal(groups * width, name=f"tap_{frame}_{k}_d2")
                with m.If(read):
                    m.d.sync += [once.eq(taps[-1]), twice.eq(once)]
                taps.append(Mux(self.in_turn, twice, once))
            lanes += taps
        lanes += [Const(0, groups * width)] * (config.group_lanes - len(lanes))
        packed = Cat(each.word_select(g, width) for g in reversed(range(groups)) for each in lanes)
        single = Mux(inside[0], word, 0)
        with m.If(read):
            m.d.sync += self.acts.eq(Mux(self.codes, packed, single))
        return m
