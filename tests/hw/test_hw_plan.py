"""The plan: every tap in one lane of one pass, every channel in one place."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from golden.layer import Layer, Raw, Requantise, Threshold
from golden.random_networks import random_network
from hw.config import Config
from hw.format import Format, Ring
from hw.plan import Stage
from hw.schedule import schedule

MACHINES = {
    f"{lanes}x{columns}/{groups}": Config(
        lanes=lanes,
        columns=columns,
        groups=groups,
        acc_bits=32,
        partial_sums=1024,
        map_words=32768,
        code_words=65536,
        weight_rows=65536,
    )
    for lanes, columns, groups in (
        (1, 1, 1), (3, 5, 1), (6, 4, 3), (8, 4, 2), (20, 3, 5), (16, 40, 8), (7, 2, 7),
    )
}
MACHINES["5x3-mac"] = Config(
    lanes=5, columns=3, acc_bits=32, cell="mac", partial_sums=1024, map_words=32768,
    code_words=65536, weight_rows=65536,
)
MACHINES |= {
    f"{lanes}-lanes-{frames}-frames": Config(
        lanes=lanes, columns=3, groups=groups, acc_bits=32, cell=cell, partial_sums=1024,
        map_words=32768, code_words=32768, weight_rows=65536, code_frames=frames,
    )
    for lanes, groups, frames, cell in (
        (10, 1, 3, "mac"), (8, 4, 2, "gated"), (40, 2, 4, "table"), (3, 1, 3, "gated"),
    )
}


def planes_of(stage):
    """Planes of the stage's input in the map memory: bits, or bytes that a lane takes whole."""
    return -(-stage.layer.input_bits // stage.config.act_bits)


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


@pytest.fixture
def stages(suited):
    def draw(config, count=25):
        for seed in range(count):
            network = suited(random_network(np.random.default_rng(seed)), config)
            yield from schedule(network, config).stages

    return draw


def test_every_tap_counts_as_often_as_its_bit_is_worth(config, stages):
    """Add up what a sum is made of, pass by pass, symbolically: 2^b for bit b of every tap."""
    for stage in stages(config):
        layer = stage.layer
        total: Counter = Counter()
        for each in stage.passes:
            factor = (1, 2, 1 << config.groups)[each.shift]
            total = Counter({key: worth * factor for key, worth in total.items()})
            for lane, (channel, kh, kw) in enumerate(each.inputs.tolist()):
                if channel < 0:
                    assert (kh, kw) == (-1, -1)
                    continue
                if stage.from_codes:  # the first group has the highest plane
                    group = config.groups - 1 - lane // config.group_lanes
                    bit, worth = each.plane + group, 1 << group
                else:
                    words = stage.pixel_words
                    place = (each.offset - each.band * words) // config.row_words
                    bit, worth = place % planes_of(stage), 1
                for k in range(config.act_bits):
                    if bit + k < layer.input_bits:  # planes beyond are 0 in every code
                        total[channel, kh, kw, bit + k] += worth << k
        channels, (height, width) = layer.in_channels, layer.kernel
        assert total == {
            (c, kh, kw, bit): 1 << bit
            for c in range(channels)
            for kh in range(height)
            for kw in range(width)
            for bit in range(layer.input_bits)
        }


def test_every_lane_sees_the_pixel_of_its_tap(config, stages):
    """Where a lane's bit comes from, by the reads' geometry, is where its weight belongs."""
    for stage in stages(config):
        pad, stride = stage.layer.padding[0], stage.layer.stride[0]
        for each in stage.passes:
            for lane, (channel, kh, kw) in enumerate(each.inputs.tolist()):
                if channel < 0:
                    continue
                slot = lane % config.group_lanes if stage.from_codes else 0
                neighbour, back = divmod(slot, config.code_taps)
                assert neighbour < config.code_frames
                assert kw == each.frame + neighbour
                step = 1 if stage.from_codes else stride
                for out_band in (0, stage.bands - 1):
                    read = each.warm + out_band * (stride if stage.from_codes else 1)
                    assert read < each.reads
                    band = each.band + (read - back) * step
                    assert band == out_band * stride - pad + kh
                if stage.from_codes:
                    assert each.offset - each.band * stage.shape[0] == channel
                else:
                    row, word, at = Format(
                        config=config, channels=stage.shape[0], planes=planes_of(stage),
                    ).place(channel)
                    assert at == lane
                    inside = each.offset - each.band * stage.pixel_words
                    assert inside % config.row_words == word
                    assert inside // config.row_words // planes_of(stage) == row


def test_a_pass_reads_no_more_than_it_must(config, stages):
    for stage in stages(config, 10):
        for each in stage.passes:
            last = each.warm + (stage.bands - 1) * (
                stage.layer.stride[0] if stage.from_codes else 1
            )
            assert each.reads == last + 1


@pytest.mark.parametrize(("channels", "planes"), [(1, 1), (5, 3), (16, 8), (70, 1), (33, 2)])
def test_every_channel_has_its_own_place(config, channels, planes):
    form = Format(config=config, channels=channels, planes=planes)
    places = [form.place(channel) for channel in range(channels)]
    assert len(set(places)) == channels
    for channel, (row, word, lane) in enumerate(places):
        assert 0 <= row < form.rows
        assert 0 <= word < config.row_words
        assert 0 <= lane < config.lanes
        assert form.channels_by_word[row, word][lane] == channel
        tile, column = divmod(channel, config.columns)
        assert row == tile // config.row_chunks  # a tile writes one row, all columns at once
        assert word * config.lanes + lane == tile % config.row_chunks * config.columns + column
    assert sum(map(len, form.channels_by_word.values())) == channels
    words = {
        form.word(row, plane, word)
        for row in range(form.rows)
        for plane in range(planes)
        for word in range(config.row_words)
    }
    assert words == set(range(form.pixel_words))


def test_neighbouring_frames_of_codes_stand_in_neighbouring_banks(config, stages):
    for stage in stages(config, 10):
        words = stage.frame_words - stage.pixel_words * stage.shape[1]
        assert 0 <= words < (config.code_banks if stage.from_codes else 1)
        if stage.from_codes:
            assert (stage.frame_words - 1) % config.code_banks == 0


@pytest.mark.parametrize(
    ("kernel", "code_frames", "firsts"),
    [((3, 3), 1, [0, 1, 2]), ((3, 3), 3, [0]), ((3, 5), 3, [0, 3]), ((4, 4), 3, [0, 0, 3, 3])],
)
def test_a_pass_holds_the_taps_of_as_many_frames_as_are_read(kernel, code_frames, firsts):
    """Nine lanes hold nine taps; of four bands only three go beside each other."""
    config = Config(
        lanes=9, columns=4, acc_bits=32, cell="mac", code_frames=code_frames, code_words=1024,
    )
    if code_frames == 1:
        config = replace(config, lanes=3)
    one = layer(bits(), weights=np.ones((4, 1, *kernel), np.int8), input_bits=8)
    passes = stage(config, one, shape=(1, 9, 11), from_codes=True).passes
    assert [each.frame for each in passes] == firsts


@pytest.mark.parametrize(("base", "frames", "words"), [(0, 1, 1), (7, 3, 10), (100, 8, 3)])
def test_a_ring_brings_frames_round(base, frames, words):
    ring = Ring(base=base, frames=frames, frame_words=words)
    assert ring.end - ring.base == ring.size == frames * words
    for frame in range(-2 * frames, 4 * frames):
        assert ring.base <= ring.at(frame) <= ring.end - words
        assert ring.at(frame) == ring.at(frame + frames)
        assert (ring.at(frame) - base) % words == 0
    assert len({ring.at(frame) for frame in range(frames)}) == frames


@pytest.mark.parametrize(("frames", "words", "spare"), [(3, 9, 5), (2, 5, 6), (7, 9, 1)])
def test_a_ring_with_spare_words_is_run_round(frames, words, spare):
    """So many frames stand in it at once, wherever they begin, also before the first."""
    ring = Ring(base=0, frames=frames, frame_words=words, spare=spare)
    assert ring.size == ring.end == frames * words + spare
    for first in range(-3 * frames, 3 * frames):
        held = {
            (ring.at(first + k) + word) % ring.size for k in range(frames) for word in range(words)
        }
        assert len(held) == frames * words
        assert ring.at(first + 1) == (ring.at(first) + words) % ring.size


def layer(end, **changes):
    fields = {
        "name": "conv", "weights": np.ones((4, 2, 3, 3), np.int8), "input_bits": 1, "end": end,
    }
    return Layer(**{**fields, **changes})


def bits(channels=4):
    return Threshold(threshold=np.zeros(channels, np.int32), flip=np.zeros(channels, np.bool_))


def codes(shift, width):
    return Requantise(bias=np.zeros(4, np.int32), shift=shift, bits=width)


def stage(config, layer, shape=(2, 9, 11), **changes):
    fields = {"number": 0, "from_codes": False}
    return Stage(config=config, layer=layer, shape=shape, **{**fields, **changes})


@pytest.mark.parametrize(
    ("end", "planes", "steps", "shifts"),
    [
        (bits(), 1, 1, 0), (codes(0, 8), 8, 32, 32), (codes(5, 3), 3, 27, 27),
        (codes(31, 1), 1, 1, 1), (codes(31, 8), 8, 8, 1), (codes(25, 8), 8, 8, 7),
    ],
)
def test_planes_and_steps_of_an_end(end, planes, steps, shifts):
    """All bits above a code's lowest go by; where there are fewer than planes, zeros lead."""
    found = stage(MACHINES["8x4/2"], layer(end))
    assert (found.planes, found.steps, found.shifts) == (planes, steps, shifts)


@pytest.mark.parametrize("end", [bits(), codes(0, 8), codes(31, 1)])
def test_whole_codes_leave_in_one_step(end):
    found = stage(MACHINES["5x3-mac"], layer(end))
    assert (found.planes, found.steps) == (1, 1)


def test_a_raw_end_has_the_planes_of_the_accumulator():
    raw = Raw(bias=np.zeros(4, np.int32), scale=np.ones(4), offset=np.zeros(4), names=tuple("abcd"))
    found = stage(MACHINES["8x4/2"], layer(raw))
    assert (found.planes, found.steps, found.shifts) == (32, 32, 32)
    found = stage(MACHINES["5x3-mac"], layer(raw))
    assert (found.planes, found.shifts) == (4, 4)
    assert found.steps >= 4


@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (1, 2), (2, 2)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1)])
@pytest.mark.parametrize("pool", ["none", "max2x2", "global"])
def test_a_group_is_ready_once_its_last_tap_is_there(stride, padding, pool):
    found = stage(
        MACHINES["8x4/2"], layer(bits(), stride=stride, padding=padding, pool=pool),
    )
    _, _, frames = found.shape
    assert found.groups == found.map_shape[2] // (2 if pool == "max2x2" else 1)
    for there in range(frames + 1):
        if there == frames:  # what is left reaches into the padding
            expected = found.groups
        else:
            expected = sum(
                (g * 2 + 1 if pool == "max2x2" else g) * stride[1] - padding[1] + 2 < there
                for g in range(found.groups)
            )
        assert found.groups_of(there) == expected


def test_pieces_of_a_maximum_are_gathered_once_all_are_there():
    found = stage(MACHINES["8x4/2"], layer(bits(), pool="global"), gathers=True)
    assert [found.groups_of(n) for n in (0, 5, 10, 11)] == [0, 0, 0, found.groups]
