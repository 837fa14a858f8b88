"""The code memory: codes to write one at a time, codes of neighbouring frames to read at once."""

from amaranth.hdl import Array, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hw.config import Config


class CodeMemory(wiring.Component):
    """Holds the codes of the frames that the first layer still needs.

    Code a stands in bank ``a mod code_banks``, a power of two. The codes that are read at once
    are as far apart as frames are, one more than a multiple of the banks (`hw.plan.Stage`), so
    that each stands in the bank behind that of the frame before; a ring that is as long as the
    memory leaves that so where it wraps.

    **Timing**: synchronous read, `r_data` one cycle after `r_addr`. What is read in the cycle in
    which it is written counts for nothing: it is a code of a frame that no tap is at.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    r_en : In(1)
        Read.
    r_addr : In(16).array(code_frames)
        Codes to read, neighbouring modulo `code_banks`.
    r_data : Out(8).array(code_banks)
        Every bank's code, a cycle later; that of ``r_addr[k]`` stands where ``r_addr[k]`` says.
    w_en : In(1)
        Write.
    w_addr : In(16)
        Code to write.
    w_data : In(8)
        The code.
    """

    latency = 1

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "r_en": In(1),
                "r_addr": In(16).array(config.code_frames),
                "r_data": Out(8).array(config.code_banks),
                "w_en": In(1),
                "w_addr": In(16),
                "w_data": In(8),
            },
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count, frames = self.config.code_banks, self.config.code_frames
        low = count.bit_length() - 1
        rows = [addr >> low for addr in self.r_addr]
        for number in range(count):
            bank = Memory(
                shape=8, depth=self.config.code_words // count, init=[], attrs={"no_rw_check": 1},
            )
            m.submodules[f"bank_{number}"] = bank
            r_port, w_port = bank.read_port(), bank.write_port()
            # Which of the frames this bank holds; where none of them, what it gives is not used.
            mine = [rows[k if k < frames else 0] for k in range(count)]
            m.d.comb += [
                r_port.en.eq(self.r_en),
                r_port.addr.eq(Array(mine)[(number - self.r_addr[0])[:low]]),
                self.r_data[number].eq(r_port.data),
                w_port.en.eq(self.w_en & (self.w_addr[:low] == number)),
                w_port.addr.eq(self.w_addr >> low),
                w_port.data.eq(self.w_data),
            ]
        return m
