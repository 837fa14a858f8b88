"""Lowering: weights where the machine reads them, packets, and replies read back."""

import numpy as np
import pytest

from golden.corners import corners
from golden.layer import Threshold
from golden.naive import NaiveEngine
from golden.random_networks import random_codes, random_network, tiny_network
from hw.config import Config
from hw.fit import FitError
from hw.format import Format
from hw.lower import lower, program_words
from hw.packets import Command, Error, Reply, header
from hw.presets import PRESETS
from hw.program import Op
from hw.replies import ReplyError, pieces

MACHINES = {
    "tiny": PRESETS["tiny"],
    "odd": Config(
        lanes=3, columns=5, groups=3, acc_bits=32, strip=3, code_words=4096, map_words=16384,
        weight_rows=16384, partial_sums=60, program_words=16384,
    ),
    "wide": Config(
        lanes=40, columns=7, groups=8, acc_bits=29, strip=5, code_words=4096, map_words=16384,
        weight_rows=16384, partial_sums=60, program_words=16384,
    ),
    "three": Config(
        lanes=12, columns=5, groups=2, acc_bits=32, strip=3, code_words=4096, map_words=16384,
        weight_rows=16384, partial_sums=60, program_words=16384, code_frames=3,
    ),
}


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


def fitting(config, count=30, *, maps=False):
    for seed in range(count):
        try:
            yield lower(random_network(np.random.default_rng(seed)), config, maps=maps)
        except FitError:
            continue


def test_weights_stand_where_the_loader_reads_them(config, listing):
    """Every tile, first lane first, then offset and flip; by the program's addresses."""
    checked = 0
    for lowered in fitting(config):
        plan = lowered.schedule
        entries = {}
        for each in listing(lowered.program):
            if each["op"] == Op.RUN:
                entries.setdefault(each["layer"], each)
        used = 0
        for entry, stage in zip(entries.values(), plan.stages, strict=True):
            layer, at = stage.layer, entry["fields"]["weights_at"]
            assert at == used
            for tile in range(stage.output.tiles):
                channels = range(tile * config.columns, (tile + 1) * config.columns)
                for number in range(stage.plane_passes):
                    inputs = stage.passes[number].inputs
                    for lane in range(config.lanes):
                        channel, kh, kw = inputs[lane]
                        for column, out in enumerate(channels):
                            there = out < layer.out_channels and channel >= 0
                            due = layer.weights[out, channel, kh, kw] if there else 0
                            assert lowered.weights[at, column] == due
                        at += 1
                for column, out in enumerate(channels):
                    rows = lowered.weights[at : at + config.parameter_rows, column]
                    check_end(config, layer, out, rows)
                at += config.parameter_rows
            used = at
            checked += 1
        assert used == len(lowered.weights) <= config.weight_rows
        assert lowered.weights.shape[1] == config.columns
        assert lowered.weights.dtype == np.int8
    assert checked > 10


def check_end(config, layer, out, rows):
    """Offset and flip of one channel decide as its end says, at the edges of its sums."""
    value = int.from_bytes(rows.view(np.uint8).tobytes(), "little")
    if out >= layer.out_channels:
        assert value == 0
        return
    flip = value >> config.acc_bits & 1
    offset = value & ((1 << config.acc_bits) - 1)
    offset -= (offset >> config.acc_bits - 1) << config.acc_bits
    assert value >> config.acc_bits + 1 == 0
    if not isinstance(layer.end, Threshold):
        assert (offset, flip) == (int(layer.end.bias[out]), 0)
        return
    top = 2**layer.input_bits - 1
    weights = layer.weights[out].astype(int)
    low, high = top * weights.clip(max=0).sum(), top * weights.clip(min=0).sum()
    threshold = int(layer.end.threshold[out])
    for total in {low, high, min(max(threshold, low), high), min(max(threshold + 1, low), high)}:
        bit = (total + offset >= 0) ^ flip
        assert bit == ((total > threshold) ^ bool(layer.end.flip[out]))


def test_planes_after_the_first_read_the_same_weights():
    network = tiny_network()
    lowered = lower(network, PRESETS["tiny"])
    for stage in lowered.schedule.stages:
        for number, each in enumerate(stage.passes):
            same = stage.passes[number % stage.plane_passes]
            assert (each.inputs == same.inputs).all()


def test_load_packets_carry_program_and_weights(config):
    lowered = lower(tiny_network(), config)
    program, weights = lowered.load_packets()
    assert program.dtype == weights.dtype == np.uint32
    assert program[0] == header(Command.PROGRAM, len(program) - 1)
    assert program[1] == 0
    assert (program[2:] == lowered.program).all()
    assert len(lowered.program) <= config.program_words
    assert weights[0] == header(Command.WEIGHTS, len(weights) - 1)
    assert weights[1] == 0
    data = weights[2:].astype("<u4").view(np.int8)
    size = lowered.weights.size
    assert (data[:size] == lowered.weights.ravel()).all()
    assert not data[size:].any()
    assert len(data) - size < 4


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_clip_packets_bring_codes_frame_by_frame_bands_ascending(seed):
    network = random_network(np.random.default_rng(seed))
    lowered = lower(network, MACHINES["odd"])
    codes = random_codes(np.random.default_rng(seed), network)
    start, stream = lowered.clip_packets(codes)
    assert start.tolist() == [
        header(Command.START, 3), 0, codes.size, lowered.schedule.rings[0].size,
    ]
    assert stream[0] == header(Command.CODES, -(-codes.size // 4))
    channels, bands, frames = codes.shape
    due = [codes[c, b, f] for f in range(frames) for b in range(bands) for c in range(channels)]
    sent = stream[1:].astype("<u4").view(np.uint8)
    assert sent[: codes.size].tolist() == due
    assert not sent[codes.size :].any()


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_frames_are_filled_up_where_several_are_read_at_once(seed):
    network = random_network(np.random.default_rng(seed))
    lowered = lower(network, MACHINES["three"])
    codes = random_codes(np.random.default_rng(seed), network)
    start, stream = lowered.clip_packets(codes)
    channels, bands, frames = codes.shape
    words = lowered.schedule.rings[0].frame_words
    assert words % 4 == 1
    assert words - 4 < channels * bands <= words
    assert start.tolist() == [header(Command.START, 3), 0, frames * words, 4096]
    assert stream[0] == header(Command.CODES, -(-frames * words // 4))
    sent = stream[1:].astype("<u4").view(np.uint8)[: frames * words].reshape(frames, words)
    assert (sent[:, : channels * bands] == codes.T.reshape(frames, -1)).all()
    assert not sent[:, channels * bands :].any()


def test_codes_that_the_network_does_not_take_are_refused():
    lowered = lower(tiny_network(), PRESETS["tiny"])
    with pytest.raises(ValueError, match="codes must have shape"):
        lowered.clip_packets(np.zeros((1, 16, 19), np.uint8))
    with pytest.raises(TypeError, match="codes must be a uint8 array"):
        lowered.clip_packets(np.zeros((1, 16, 20)))


def test_the_same_network_gives_the_same_packets():
    one, two = (lower(tiny_network(), PRESETS["tiny"], maps=True) for _ in range(2))
    for a, b in zip(one.load_packets(), two.load_packets(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_program_without_maps_is_what_the_cycle_model_counts(config):
    plain, maps = (lower(tiny_network(), config, maps=maps) for maps in (False, True))
    assert len(plain.program) == program_words(plain.schedule) < len(maps.program)


# Replies, made from golden maps as the machine lays them out, and read back.


def map_words(config, channels, planes, output):
    """The words of a map as they leave the machine: pixel by pixel, 32 bits at a time."""
    form = Format(config=config, channels=channels, planes=planes)
    _, bands, frames = output.shape
    words = []
    for frame in range(frames):
        for band in range(bands):
            pixel = [0] * form.pixel_words
            for channel in range(channels):
                row, word, lane = form.place(channel)
                for plane in range(planes):
                    bit = int(output[channel, band, frame]) >> plane & 1
                    pixel[form.word(row, plane, word)] |= bit << lane
            for value in pixel:
                words += [
                    value >> 32 * piece & 0xFFFFFFFF for piece in range(-(-config.lanes // 32))
                ]
    return words


def replies_of(lowered, trace, cycles=4711):
    """What a faultless machine answers to one clip."""
    plan, config = lowered.schedule, lowered.schedule.config
    replies = [[header(Reply.OK, Command.START)]]
    sent = dict.fromkeys(range(len(plan.network.layers)), 0)
    if lowered.maps:
        for piece in pieces(plan):
            number, count = piece.layer, piece.words
            layer = plan.network.layers[number]
            words = map_words(
                config, layer.out_channels, layer.end.output_bits, trace.outputs[layer.name],
            )
            count *= -(-config.lanes // 32)
            begin = sent[number]
            sent[number] += count
            replies.append([header(Reply.MAP, number), *words[begin : begin + count]])
    replies.append([header(Reply.OK, Command.CODES)])
    raw = [int(value) & 0xFFFFFFFF for value in trace.raw]
    replies.append([header(Reply.RESULT, 0), *raw, cycles])
    return [np.array(reply, np.uint32) for reply in replies]


def test_replies_come_back_as_maps_and_results(config):
    engine = NaiveEngine()
    networks = [tiny_network(), *(network for network, _ in list(corners().values())[::4])]
    networks += [random_network(np.random.default_rng(seed)) for seed in (1, 2, 4)]
    for network in networks:
        try:
            lowered = lower(network, config, maps=True)
        except FitError:
            continue
        codes = random_codes(np.random.default_rng(5), network)
        trace = engine.predict(network, codes)
        replies = replies_of(lowered, trace)
        assert lowered.reply_count() == len(replies)
        answer = lowered.decode(replies)
        assert list(answer.outputs) == [layer.name for layer in network.layers[:-1]]
        for name, output in answer.outputs.items():
            assert output.dtype == np.uint8
            assert np.array_equal(output, trace.outputs[name])
        assert answer.raw.dtype == np.int32
        assert answer.raw.tolist() == trace.raw.tolist()
        assert answer.cycles == 4711


def test_replies_without_maps_hold_the_result_alone(config):
    network = tiny_network()
    lowered = lower(network, config)
    trace = NaiveEngine().predict(network, random_codes(np.random.default_rng(6), network))
    replies = replies_of(lowered, trace)
    assert lowered.reply_count() == len(replies) == 3
    answer = lowered.decode(replies)
    assert answer.outputs == {}
    assert answer.raw.tolist() == trace.raw.tolist()


def without(replies, index):
    return replies[:index] + replies[index + 1 :]


WRONG = {
    "error": lambda r: [np.array([header(Reply.ERROR, Error.IDLE)], np.uint32), *r],
    "unknown": lambda r: [np.array([0x12345678], np.uint32), *r],
    "map-missing": lambda r: without(r, 1),
    "map-twice": lambda r: [*r[:2], *r[1:]],
    "maps-swapped": lambda r: [r[0], r[2], r[1], *r[3:]],
    "map-short": lambda r: [r[0], r[1][:-1], *r[2:]],
    "map-long": lambda r: [r[0], np.append(r[1], r[1][-1]), *r[2:]],
    "map-behind-result": lambda r: [*r, r[1]],
    "result-missing": lambda r: r[:-1],
    "result-twice": lambda r: [*r, r[-1]],
    "result-short": lambda r: [*r[:-1], r[-1][:-1]],
    "result-long": lambda r: [*r[:-1], np.append(r[-1], r[-1][-1])],
    "nothing": lambda r: [],
}


@pytest.mark.parametrize("spoil", WRONG.values(), ids=WRONG)
def test_replies_that_were_not_due_are_refused(spoil):
    network = tiny_network()
    lowered = lower(network, PRESETS["tiny"], maps=True)
    trace = NaiveEngine().predict(network, random_codes(np.random.default_rng(7), network))
    replies = replies_of(lowered, trace)
    assert lowered.decode(replies).cycles == 4711
    with pytest.raises(ReplyError) as caught:
        lowered.decode(spoil(replies))
    assert "\n" not in str(caught.value)
