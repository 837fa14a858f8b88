"""cocotb tests of the accelerator in its bench, fed by the files that `bambino vectors` writes.

Run from `tests/sim`, which sets ``BAMBINO_TEST``: JSON with `config` (the machine), `folders` (of
vector files), `gap`, `stall` and `seed`. Checksums are not compared: an altered bit must be found
by the comparison with the machine. A reply before its request, a word after the end, a broken
stream rule and silence are errors of every test, see `sim.session`.
"""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from numpy.typing import NDArray

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.network import Network
from golden.trace import Trace, compare
from golden.vectors import Vectors, read_vectors
from hw.config import Config
from hw.lower import Lowered, lower
from hw.packets import MAGIC, Command, Error, Reply, header
from sim.engine import clip_trace, load_time
from sim.job import Phase, Words
from sim.session import Session

Codes = NDArray[np.uint8]

IDLE = 200
timed = cocotb.test(timeout_time=50, timeout_unit="ms")
"""A test that ends after 5 million cycles at the latest."""

SETTINGS = json.loads(os.environ.get("BAMBINO_TEST", "{}"))


class Machine:
    """The accelerator behind its packets; what it answers is held against what is due."""

    def __init__(self, dut: Any) -> None:
        self.config = Config(**SETTINGS["config"])
        self.session = Session(
            dut, gap=SETTINGS["gap"], stall=SETTINGS["stall"], seed=SETTINGS["seed"],
            timeout=2_000_000,
        )

    async def load(self, network: Network, *, maps: bool = True) -> Lowered:
        """Make `network` resident."""
        lowered = lower(network, self.config, maps=maps)
        packets = tuple(lowered.load_packets())
        load_time(lowered, await self.session.play(Phase(packets=packets, replies=len(packets))))
        return lowered

    async def expect(self, lowered: Lowered, codes: Codes, trace: Trace) -> None:
        """Run one clip; every layer's output and the raw result must be those of `trace`."""
        packets = tuple(lowered.clip_packets(codes))
        played = await self.session.play(Phase(packets=packets, replies=lowered.reply_count()))
        got = clip_trace(lowered, played, None)
        if lowered.maps:
            first = compare(lowered.schedule.network, trace, got).first
            assert first is None, str(first)
        assert np.array_equal(got.raw, trace.raw), f"raw: expected {trace.raw}, got {got.raw}"

    async def cut(self, packets: list[Words], after: int) -> None:
        """Send `packets` and reset the machine in the middle of what follows."""
        await self.session.play(Phase(packets=tuple(packets), replies=99, reset_after=after))

    async def answer(self, *words: int) -> list[int]:
        """Send one packet and return the words of the one reply."""
        packet = np.array(words, np.uint32)
        played = await self.session.play(Phase(packets=(packet,), replies=1))
        return [int(word) for word in played.replies[0]]


async def machine(dut: Any) -> Machine:
    """Return the machine, reset."""
    started = Machine(dut)
    await started.session.start()
    return started


def vectors() -> list[Vectors]:
    """Read every folder of vector files."""
    return [read_vectors(Path(folder), verify=False) for folder in SETTINGS["folders"]]


@timed
async def whole(dut: Any) -> None:
    """Each network as a whole, with its maps and without."""
    accelerator = await machine(dut)
    for each in vectors():
        for maps in (True, False):
            lowered = await accelerator.load(each.network, maps=maps)
            await accelerator.expect(lowered, each.codes, each.trace)
    await accelerator.session.finish(IDLE)


def alone(layer: Layer, given: Codes) -> Network:
    """Return a network in which `layer` reads the map memory that `given` was written to.

    Before it stands an identity; behind it, what makes a legal network of a hidden layer.
    """
    channels = given.shape[0]
    eye = np.eye(channels, dtype=np.int8)[:, :, None, None]
    zeros = np.zeros(channels, np.int32)
    same = Requantise(bias=zeros, shift=0, bits=layer.input_bits)
    first = Layer(name="identity", weights=eye, input_bits=layer.input_bits, end=same)
    rest: tuple[Layer, ...] = ()
    if not isinstance(layer.end, Raw):
        rest = tail(layer.out_channels, layer.end.output_bits)
    shape = (channels, given.shape[1], given.shape[2])
    return Network(input_shape=shape, layers=(first, layer, *rest))


def tail(channels: int, bits: int) -> tuple[Layer, ...]:
    """Return layers that bring any map to one raw number."""
    ones = np.ones((1, channels, 1, 1), np.int8)
    fires = Threshold(threshold=np.zeros(1, np.int32), flip=np.zeros(1, np.bool_))
    end = Raw(
        bias=np.zeros(1, np.int32), scale=np.ones(1), offset=np.zeros(1), names=("any",),
    )
    return (
        Layer(name="tail any", weights=ones, input_bits=bits, end=fires, pool="global"),
        Layer(name="tail out", weights=np.ones((1, 1, 1, 1), np.int8), input_bits=1, end=end),
    )


@timed
async def layer_by_layer(dut: Any) -> None:
    """Each layer alone: its file's input goes in, its file's output must come out."""
    accelerator = await machine(dut)
    for each in vectors():
        for layer, file in zip(each.network.layers, each.layers, strict=True):
            network = alone(layer, file.input)
            raw = isinstance(layer.end, Raw)
            outputs = {"identity": file.input} if raw else {
                "identity": file.input, layer.name: file.output,
            }
            if raw:
                trace = Trace(outputs=outputs, raw=file.output)
            else:
                fires = file.output.any()
                outputs["tail any"] = np.full((1, 1, 1), fires, np.uint8)
                trace = Trace(outputs=outputs, raw=np.array([fires], np.int32))
            lowered = await accelerator.load(network)
            await accelerator.expect(lowered, file.input, trace)
    await accelerator.session.finish(IDLE)


@timed
async def back_to_back(dut: Any) -> None:
    """Clip after clip without a new load: nothing of one is left for the next."""
    accelerator = await machine(dut)
    each = vectors()[0]
    lowered = await accelerator.load(each.network)
    top = 2**each.network.input_bits - 1
    await accelerator.expect(lowered, each.codes, each.trace)
    extreme = np.full_like(each.codes, top)
    packets = tuple(lowered.clip_packets(extreme))
    for _ in range(2):
        phase = Phase(packets=packets, replies=lowered.reply_count())
        clip_trace(lowered, await accelerator.session.play(phase), None)
        await accelerator.expect(lowered, each.codes, each.trace)
    await accelerator.session.finish(IDLE)


@timed
async def another_network(dut: Any) -> None:
    """Networks take turns on one machine, without rebuilding it."""
    accelerator = await machine(dut)
    found = vectors()[:3]
    for each in [*found, *reversed(found)]:
        lowered = await accelerator.load(each.network, maps=False)
        await accelerator.expect(lowered, each.codes, each.trace)
    await accelerator.session.finish(IDLE)


@timed
async def reset_in_mid_run(dut: Any) -> None:
    """A reset at any moment of a load or a clip leaves a machine that loads and predicts."""
    accelerator = await machine(dut)
    each = vectors()[0]
    lowered = lower(each.network, accelerator.config, maps=True)
    for after in (3, 100, 900):
        await accelerator.cut(lowered.load_packets(), after)
    for after in (2, 9, 40, 170, 600, 1500, 2600, 4100):
        loaded = await accelerator.load(each.network)
        await accelerator.cut(loaded.clip_packets(each.codes), after)
    loaded = await accelerator.load(each.network)
    await accelerator.expect(loaded, each.codes, each.trace)
    await accelerator.session.finish(IDLE)


@timed
async def refuses_and_goes_on(dut: Any) -> None:
    """What is unknown, too short, too long, out of range or untimely gets an error code."""
    accelerator = await machine(dut)
    config = accelerator.config
    over = 2 + -(-config.columns // 4)  # words: the address, one row, and one word more
    ok, error = Reply.OK << 24, Reply.ERROR << 24
    hello = [ok | Command.HELLO, MAGIC]
    refused = [
        (Error.UNKNOWN, [header(0, 0)]),
        (Error.UNKNOWN, [header(6, 3), 1, 2, 3]),
        (Error.UNKNOWN, [header(255, 1), 7]),
        (Error.LENGTH, [header(Command.HELLO, 1)]),
        (Error.LENGTH, [header(Command.HELLO, 0), 5]),
        *(
            (Error.LENGTH, [header(command, count), *range(sent)])
            for command in (Command.PROGRAM, Command.WEIGHTS)
            for count, sent in ((0, 0), (1, 0), (3, 2), (3, 4), (3, 9), (9, 3))
        ),
        *(
            (Error.LENGTH, [header(Command.START, count), *([1] * sent)])
            for count, sent in ((0, 0), (1, 1), (2, 2), (3, 0), (3, 1), (3, 2), (3, 4), (4, 4))
        ),
        (Error.RANGE, [header(Command.START, 3), 0, 1, config.code_words + 1]),
        (Error.RANGE, [header(Command.START, 3), 0, 1, 0]),
        (Error.RANGE, [header(Command.PROGRAM, 2), config.program_words, 0]),
        (Error.RANGE, [header(Command.PROGRAM, 2), 1 << 16, 0]),
        (Error.RANGE, [header(Command.WEIGHTS, 2), config.weight_rows, 0]),
        (Error.RANGE, [header(Command.WEIGHTS, over), config.weight_rows - 1, *[0] * (over - 1)]),
        (Error.IDLE, [header(Command.CODES, 2), 0, 0]),
    ]
    for code, words in refused:
        reply = await accelerator.answer(*words)
        assert reply == [error | code], f"{words}: {code.name} must come, not {reply}"
        reply = await accelerator.answer(header(Command.HELLO, 0))
        assert reply[:2] == hello, f"after {words}: HELLO must be answered, not with {reply}"
    each = vectors()[0]
    lowered = await accelerator.load(each.network)
    await accelerator.expect(lowered, each.codes, each.trace)
    await busy(accelerator, lowered, each)
    await accelerator.expect(lowered, each.codes, each.trace)
    await accelerator.session.finish(IDLE)


async def busy(accelerator: Machine, lowered: Lowered, each: Vectors) -> None:
    """Untimely commands between START and the codes are refused, and the clip is not harmed."""
    start, codes = lowered.clip_packets(each.codes)
    reply = await accelerator.answer(*start.tolist())
    assert reply == [Reply.OK << 24 | Command.START]
    untimely = [lowered.load_packets()[0].tolist(), lowered.load_packets()[1].tolist()]
    for words in (*untimely, start.tolist()):
        reply = await accelerator.answer(*words)
        assert reply == [Reply.ERROR << 24 | Error.BUSY], f"BUSY must come, not {reply}"
    phase = Phase(packets=(codes,), replies=lowered.reply_count() - 1)
    answer = lowered.decode((await accelerator.session.play(phase)).replies)
    assert np.array_equal(answer.raw, each.raw)
    codes_too_many = replace(phase, packets=(np.array([header(Command.CODES, 1), 0], np.uint32),))
    played = await accelerator.session.play(replace(codes_too_many, replies=1))
    assert int(played.replies[0][0]) == Reply.ERROR << 24 | Error.IDLE
