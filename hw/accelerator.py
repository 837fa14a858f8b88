"""The machine: everything between its two streams."""

import zlib

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out, connect, flipped

from hw.arbiter import Arbiter
from hw.array import Array, line_delay, token_delay
from hw.code_memory import CodeMemory
from hw.column import end_delay
from hw.commander import Commander
from hw.compact_array import CompactArray
from hw.compact_fetch import CompactFetch
from hw.compact_ingest import CompactIngest
from hw.compact_reader import CompactReader
from hw.compact_sequencer import CompactSequencer
from hw.config import Config
from hw.delay_line import DelayLine
from hw.end_steps import EndSteps
from hw.ingest import Ingest
from hw.loader import Loader
from hw.memories import MapMemory
from hw.packets import STREAM
from hw.pass_fetch import PassFetch
from hw.reader import Reader
from hw.sequencer import Sequencer
from hw.walker import Walker
from hw.window import Window
from hw.writer import Writer


def identity(config: Config) -> int:
    """32 bits that tell machines of different configurations apart."""
    text = repr(config).replace(", compact=False", "")  # machines that were there before it
    return zlib.crc32(text.encode())


class Accelerator(wiring.Component):
    """Runs a lowered network: commands and codes in, maps and raw results out.

    **Timing**: see `hw.estimate`, which predicts every cycle.

    **Numbers**: integers only, exact; no multiplier.

    Parameters
    ----------
    config
        The machine.

    Members
    -------
    i : In(STREAM)
        Commands, see `hw.packets`.
    o : Out(STREAM)
        Replies.

    References
    ----------
    Nilsson et al., "Resource-Efficient Speech Quality Prediction through Quantization Aware
    Training and Binary Activation Maps", Interspeech 2024, arXiv 2407.04578.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__({"i": In(STREAM), "o": Out(STREAM)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        commander = m.submodules.commander = Commander(config, identity=identity(config))
        depths = {"program_words": config.program_words}
        if config.compact:
            ingest = m.submodules.ingest = CompactIngest(code_words=config.code_words)
            sequencer = CompactSequencer(code_words=config.code_words, **depths)
        else:
            ingest = m.submodules.ingest = Ingest()
            sequencer = Sequencer(**depths)
        code_memory = m.submodules.code_memory = CodeMemory(config)
        in_one_port = config.compact and config.single_port
        program = m.submodules.program = Memory(
            shape=32, depth=config.program_words, init=[],
            attrs={"no_rw_check": 1} | ({"ram_style": "huge"} if in_one_port else {}),
        )
        m.submodules.sequencer = sequencer
        fetch = CompactFetch if config.compact else PassFetch
        pass_fetch = m.submodules.pass_fetch = fetch(pass_bits=config.pass_bits, **depths)
        loader = m.submodules.loader = Loader(config)
        walker = m.submodules.walker = Walker(config)
        map_memory = m.submodules.map_memory = MapMemory(config)
        window = m.submodules.window = Window(config)
        array = m.submodules.array = (CompactArray if config.compact else Array)(config)
        late = 0 if config.compact else token_delay(config)
        end_steps = m.submodules.end_steps = EndSteps(delay=late + end_delay(config))
        writer = m.submodules.writer = Writer(config)
        reader = m.submodules.reader = (CompactReader if config.compact else Reader)(config)
        arbiter = m.submodules.arbiter = Arbiter()

        connect(m, flipped(self.i), commander.i)
        # The reader first: the sequencer goes on as its word leaves, in the same cycle, and that
        # must not hang on the commander as well.
        connect(m, reader.o, arbiter.first)
        connect(m, commander.o, arbiter.second)
        connect(m, arbiter.o, flipped(self.o))

        program_r, program_w = program.read_port(), program.write_port()
        cycles, counting = Signal(32), Signal()
        with m.If(sequencer.start):
            m.d.sync += [counting.eq(0), cycles.eq(0)]
        if config.compact:
            with m.Elif(reader.stop):
                m.d.sync += counting.eq(0)
        with m.Elif(counting | (ingest.valid & ingest.ready)):
            m.d.sync += [counting.eq(1), cycles.eq(cycles + 1)]

        token, ends = walker.token.as_value(), walker.ends.as_value()
        if config.compact:
            line = m.submodules.delay_line = DelayLine(
                width=len(token) + len(ends), cycles=line_delay(config),
            )
            m.d.comb += line.i.eq(Cat(token, ends))
            token, ends = line.o[: len(token)], line.o[len(token) :]
        m.d.comb += [
            commander.busy.eq(sequencer.busy),
            commander.codes_ready.eq(ingest.ready),
            commander.codes_full.eq(ingest.full),
            program_w.en.eq(commander.p_en),
            program_w.addr.eq(commander.p_addr),
            program_w.data.eq(commander.p_data),
            ingest.start.eq(commander.start),
            ingest.total.eq(commander.total),
            ingest.size.eq(commander.size),
            ingest.limit.eq(sequencer.limit),
            ingest.word.eq(commander.codes),
            ingest.valid.eq(commander.codes_valid),
            code_memory.w_en.eq(ingest.w_en),
            code_memory.w_addr.eq(ingest.w_addr),
            code_memory.w_data.eq(ingest.w_data),
            sequencer.start.eq(commander.start),
            sequencer.start_addr.eq(commander.start_addr),
            sequencer.received.eq(ingest.received),
            sequencer.r_data.eq(program_r.data),
            sequencer.run_done.eq(writer.done),
            sequencer.reader_done.eq(reader.done),
            program_r.en.eq(sequencer.r_en | pass_fetch.r_en),
            program_r.addr.eq(
                Mux(sequencer.running, pass_fetch.r_addr, sequencer.r_addr),
            ),
            pass_fetch.go.eq(sequencer.go),
            pass_fetch.layer.eq(sequencer.layer),
            pass_fetch.done.eq(walker.done) if config.compact else pass_fetch.take.eq(walker.take),
            pass_fetch.r_data.eq(program_r.data),
            loader.go.eq(sequencer.go),
            loader.layer.eq(sequencer.layer),
            loader.run.eq(sequencer.run),
            loader.take.eq(walker.take),
            loader.done.eq(walker.done),
            walker.go.eq(sequencer.go),
            walker.layer.eq(sequencer.layer),
            walker.run.eq(sequencer.run),
            walker.entry_valid.eq(pass_fetch.valid),
            walker.entry.eq(pass_fetch.entry),
            walker.tile_ready.eq(loader.ready),
            code_memory.r_en.eq(walker.r_en),
            *(to.eq(at) for to, at in zip(code_memory.r_addr, walker.r_codes, strict=True)),
            walker.idle_en.eq(reader.r_en),
            walker.idle_addr.eq(reader.r_addr),
            map_memory.r_en.eq(walker.r_en),
            map_memory.r_addr.eq(walker.r_addr),
            window.read.eq(walker.w_read),
            window.inside.eq(walker.w_inside),
            window.plane.eq(walker.w_plane),
            window.codes.eq(sequencer.layer.codes),
            window.in_turn.eq(sequencer.layer.pooled),
            window.word.eq(map_memory.r_data),
            window.bank.eq(walker.w_bank),
            *(to.eq(at) for to, at in zip(window.code, code_memory.r_data, strict=True)),
            array.acts.eq(window.acts),
            array.token.eq(token),
            array.load.eq(loader.load),
            array.write.eq(commander.write),
            array.step.eq(end_steps.step),
            array.mode.codes.eq(sequencer.layer.codes),
            array.mode.bits.eq(sequencer.layer.bits),
            array.mode.raw.eq(sequencer.layer.raw),
            array.mode.shift.eq(sequencer.layer.shift),
            end_steps.ends.eq(ends),
            end_steps.steps.eq(sequencer.layer.steps),
            end_steps.planes.eq(sequencer.layer.out_planes),
            end_steps.shifts.eq(sequencer.layer.shifts),
            writer.go.eq(sequencer.go),
            writer.layer.eq(sequencer.layer),
            writer.run.eq(sequencer.run),
            writer.step.eq(array.o_step),
            writer.bits.eq(array.o_bits),
            map_memory.w_en.eq(writer.w_en),
            map_memory.w_addr.eq(writer.w_addr),
            map_memory.w_chunk.eq(writer.w_chunk),
            map_memory.w_data.eq(writer.w_data),
            reader.read_go.eq(sequencer.read_go),
            reader.read.eq(sequencer.read),
            reader.result_go.eq(sequencer.result_go),
            reader.result.eq(sequencer.result),
            reader.cycles.eq(cycles),
            reader.r_data.eq(map_memory.r_data),
        ]
        if config.compact:
            with m.If(~line.there):
                m.d.comb += [array.token.valid.eq(0), end_steps.ends.output.eq(0)]
        if in_one_port:  # it is written only while nothing runs
            with m.If(commander.p_en):
                m.d.comb += [program_r.addr.eq(commander.p_addr), program_r.en.eq(0)]
            m.d.comb += program_w.addr.eq(program_r.addr)
        return m
