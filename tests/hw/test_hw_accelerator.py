"""The whole machine in Amaranth's own simulator: a second opinion beside Verilator's."""

from dataclasses import replace

import numpy as np
import pytest

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.naive import NaiveEngine
from golden.network import Network
from hw.accelerator import Accelerator, identity
from hw.config import Config
from hw.estimate import estimate
from hw.lower import lower
from hw.packets import MAGIC, Command, Error, Reply, header

CONFIG = Config(
    lanes=3, columns=2, groups=3, acc_bits=16, strip=3, code_words=24, map_words=128,
    weight_rows=100, partial_sums=8, program_words=200,
)
TWO_FRAMES = replace(CONFIG, lanes=6, code_frames=2, code_words=32)


@pytest.fixture
def network():
    """Every kind of end and pool, small enough for a slow simulator."""
    rng = np.random.default_rng(5)

    def weights(*shape):
        return rng.integers(-128, 128, shape).astype(np.int8)

    layers = (
        Layer(
            name="conv1", weights=weights(2, 1, 3, 1), input_bits=3, padding=(1, 0),
            end=Threshold(threshold=np.array([40, -90], np.int32), flip=np.array([False, True])),
            pool="max2x2",
        ),
        Layer(
            name="conv2", weights=weights(3, 2, 1, 2), input_bits=1, padding=(0, 1), pool="global",
            end=Requantise(bias=np.array([3, 50, 20], np.int32), shift=5, bits=3),
        ),
        Layer(
            name="out", weights=weights(2, 3, 1, 1), input_bits=3,
            end=Raw(bias=np.array([-7, 900], np.int32), scale=np.ones(2), offset=np.zeros(2),
                    names=("a", "b")),
        ),
    )
    return Network(input_shape=(1, 4, 5), layers=layers)


def play(simulate, streams, config, packets, replies, **pace):
    machine = Accelerator(config)
    receive, got = streams.receiver(machine.o, replies, stall=pace.get("stall", 0.0), seed=1)
    send = streams.sender(machine.i, packets, gap=pace.get("gap", 0.0), seed=2)
    simulate(machine, send, receive, cycles=40000)
    return [np.array(packet, np.uint32) for packet in got]


@pytest.mark.parametrize("config", [CONFIG, TWO_FRAMES], ids=["one-frame", "two-frames"])
def test_a_clip_agrees_with_nested_loops_at_every_layer(simulate, streams, network, config):
    lowered = lower(network, config, maps=True)
    clip = np.random.default_rng(0).integers(0, 8, (1, 4, 5)).astype(np.uint8)
    packets = [*lowered.load_packets(), *lowered.clip_packets(clip)]
    count = 2 + lowered.reply_count()
    replies = play(simulate, streams, config, packets, count, gap=0.1, stall=0.2)
    assert [int(reply[0]) for reply in replies[:2]] == [
        header(Reply.OK, Command.PROGRAM), header(Reply.OK, Command.WEIGHTS),
    ]
    answer, trace = lowered.decode(replies[2:]), NaiveEngine().predict(network, clip)
    assert answer.raw.tolist() == trace.raw.tolist()
    for name, output in trace.outputs.items():
        assert np.array_equal(answer.outputs[name], output), name


def test_bad_commands_do_not_disturb_a_run_nor_its_cycles(simulate, streams, network):
    lowered = lower(network, CONFIG)
    clip = np.random.default_rng(3).integers(0, 8, (1, 4, 5)).astype(np.uint8)
    program, weights = lowered.load_packets()
    start, codes = lowered.clip_packets(clip)
    unknown, hello = np.array([0x55000000]), np.array([header(Command.HELLO, 0)])
    packets = [unknown, codes, program, weights, start, start, program, hello, codes, unknown]
    replies = play(simulate, streams, CONFIG, packets, len(packets) + 1)
    heads = [int(reply[0]) for reply in replies]
    assert heads[:9] == [
        header(Reply.ERROR, Error.UNKNOWN),
        header(Reply.ERROR, Error.IDLE),
        header(Reply.OK, Command.PROGRAM),
        header(Reply.OK, Command.WEIGHTS),
        header(Reply.OK, Command.START),
        header(Reply.ERROR, Error.BUSY),
        header(Reply.ERROR, Error.BUSY),
        header(Reply.OK, Command.HELLO),
        header(Reply.OK, Command.CODES),
    ]
    assert replies[7][1:].tolist() == [MAGIC, identity(CONFIG)]
    assert sorted(heads[9:]) == [header(Reply.ERROR, Error.UNKNOWN), header(Reply.RESULT, 0)]
    result = next(reply for reply in replies if int(reply[0]) == header(Reply.RESULT, 0))
    found = estimate(network, CONFIG)
    assert (found.fits, found.cycles) == (True, result[3]), found.why
    assert result[1:3].view(np.int32).tolist() == NaiveEngine().predict(network, clip).raw.tolist()


def test_a_weights_packet_that_broke_off_leaves_no_trace(simulate, streams, network):
    """Which column takes a weight depends on those before it in its row, not in its packet."""
    lowered = lower(network, CONFIG)
    clip = np.random.default_rng(4).integers(0, 8, (1, 4, 5)).astype(np.uint8)
    program, weights = lowered.load_packets()
    short = [weights[: 2 + k] for k in (1, 2, 3)]  # less than the header says
    beyond = np.array([header(Command.WEIGHTS, 2), CONFIG.weight_rows, 0x01020304], np.uint32)
    packets = [program, *short, beyond, weights, *lowered.clip_packets(clip)]
    count = 6 + lowered.reply_count()
    replies = play(simulate, streams, CONFIG, packets, count, gap=0.2)
    assert [int(reply[0]) for reply in replies[1:6]] == [
        *[header(Reply.ERROR, Error.LENGTH)] * 3,
        header(Reply.ERROR, Error.RANGE),
        header(Reply.OK, Command.WEIGHTS),
    ]
    answer = lowered.decode(replies[6:])
    assert answer.raw.tolist() == NaiveEngine().predict(network, clip).raw.tolist()
