"""The generator's parameters: every rule, the presets and the memories that they count."""

from dataclasses import asdict, fields

import pytest

from hw.cell_kinds import CELLS
from hw.config import Config, ConfigError
from hw.presets import PRESETS, preset
from hw.words import sum_bits

GOOD = {"lanes": 8, "columns": 4, "groups": 2}

RULES = [
    ({"lanes": 0, "groups": 1}, "lanes must be from 1 to 1024, not 0"),
    ({"lanes": 1025, "groups": 1}, "lanes must be from 1 to 1024, not 1025"),
    ({"columns": 0}, "columns must be from 1 to 1024, not 0"),
    ({"columns": -1}, "columns must be from 1 to 1024, not -1"),
    ({"groups": 0}, "groups must be from 1 to 8, not 0"),
    ({"groups": 9, "lanes": 9}, "groups must be from 1 to 8, not 9"),
    ({"code_frames": 0}, "code_frames must be from 1 to 4, not 0"),
    ({"code_frames": 5, "lanes": 16}, "code_frames must be from 1 to 4, not 5"),
    (
        {"code_frames": 3, "lanes": 4},
        "code_frames must be at most 2, the lanes of a group, not 3",
    ),
    (
        {"code_frames": 2, "code_words": 96},
        "code_words must be a power of two from 8 to 32768 with 2 code_frames, not 96",
    ),
    (
        {"code_frames": 2, "code_words": 65536},
        "code_words must be a power of two from 8 to 32768 with 2 code_frames, not 65536",
    ),
    ({"acc_bits": 8}, "acc_bits must be from 9 to 32, not 8"),
    ({"acc_bits": 33}, "acc_bits must be from 9 to 32, not 33"),
    ({"strip": 0}, "strip must be from 1 to 32768, not 0"),
    ({"code_words": 0}, "code_words must be from 1 to 65536, not 0"),
    ({"map_words": 65537}, "map_words must be from 1 to 65536, not 65537"),
    ({"weight_rows": 0}, "weight_rows must be from 1 to 65536, not 0"),
    ({"partial_sums": 0}, "partial_sums must be from 1 to 65536, not 0"),
    ({"program_words": 0}, "program_words must be from 1 to 65536, not 0"),
    ({"lanes": 9}, "lanes must be a multiple of groups (2), not 9"),
    (
        {"columns": 17, "map_words": 1022},
        "map_words must be a multiple of 4, the words of a row, not 1022",
    ),
    (
        {"acc_bits": 11},
        "acc_bits must be at least 12, what the array's own sums take, not 11",
    ),
    ({"cell": "table4"}, "compact must be true with table4 cells, not false"),
    ({"cell": "none"}, f"cell must be one of {', '.join(CELLS)}, not 'none'"),
    (
        {"cell": "table", "lanes": 12},
        "lanes of a group must be a multiple of 4, the lanes of a table cell, not 6",
    ),
    ({"cell": "mac"}, "groups must be 1 with mac cells, not 2"),
    (
        {"cell": "mac", "groups": 1, "acc_bits": 25},
        "acc_bits must be a multiple of 8 with mac cells, not 25",
    ),
    (
        {"cell": "mac", "groups": 1, "acc_bits": 16},
        "acc_bits must be at least 19, what the array's own sums take, not 16",
    ),
]


@pytest.mark.parametrize(("change", "message"), RULES)
def test_a_broken_rule_is_named(change, message):
    with pytest.raises(ConfigError) as caught:
        Config(**{**GOOD, **change})
    assert str(caught.value) == f"configuration: {message}"


def test_all_broken_rules_come_in_one_error():
    with pytest.raises(ConfigError) as caught:
        Config(lanes=0, columns=0, groups=9, acc_bits=40, strip=0, cell="none")
    text = str(caught.value)
    for name in ("lanes", "columns", "groups", "acc_bits", "strip", "cell"):
        assert f"{name} must be " in text
    assert "\n" not in text


def test_rules_between_parameters_come_in_one_error_too():
    with pytest.raises(ConfigError) as caught:
        Config(lanes=8, columns=17, groups=2, map_words=1023, acc_bits=9)
    text = str(caught.value)
    assert "map_words must be a multiple of 4" in text
    assert "acc_bits must be at least" in text


@pytest.mark.parametrize("name", [f.name for f in fields(Config) if f.type is int])
@pytest.mark.parametrize("value", [True, 4.0, "4", None])
def test_what_is_no_integer_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be an integer, not {value!r}$"):
        Config(**{**GOOD, name: value})


@pytest.mark.parametrize("value", [1, 0, "yes", None])
def test_what_is_neither_true_nor_false_is_refused(value):
    with pytest.raises(TypeError, match=f"^pool_codes must be true or false, not {value!r}$"):
        Config(**{**GOOD, "pool_codes": value})


def test_a_config_is_a_value():
    assert Config(**GOOD) == Config(**GOOD)
    assert Config(**asdict(PRESETS["medium"])) == PRESETS["medium"]
    with pytest.raises(AttributeError):
        Config(**GOOD).lanes = 3


@pytest.mark.parametrize(("lanes", "columns", "groups"), [(2, 1, 1), (7, 3, 7), (24, 10, 3)])
def test_derived_numbers(lanes, columns, groups):
    config = Config(lanes=lanes, columns=columns, groups=groups, acc_bits=32)
    worst = -128 * (lanes // groups) * (2**groups - 1)
    assert config.group_lanes * groups == lanes
    assert -(1 << config.array_sum_bits - 1) <= worst < -(1 << config.array_sum_bits - 2)
    assert config.array_sum_bits == sum_bits(config.group_lanes * (2**groups - 1))
    assert config.row_words * lanes >= columns
    assert config.row_chunks * columns == config.row_bits
    assert config.parameter_rows * 8 >= config.acc_bits + 1
    assert (config.cells, config.word_bits) == (lanes, lanes)


@pytest.mark.parametrize(
    ("lanes", "groups", "frames", "taps", "banks"),
    [(8, 2, 1, 4, 1), (40, 1, 1, 8, 1), (9, 1, 3, 3, 4), (32, 1, 3, 8, 4), (10, 2, 2, 2, 2),
     (7, 1, 4, 1, 4)],
)
def test_frames_share_the_lanes_of_a_group(lanes, groups, frames, taps, banks):
    config = Config(lanes=lanes, columns=1, groups=groups, code_frames=frames)
    assert (config.code_taps, config.code_banks) == (taps, banks)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("cells", "groups"), [(1, 1), (6, 1), (3, 3), (8, 2)])
def test_sums_are_as_wide_as_the_worst_of_them(cell, cells, groups):
    """Cell by cell: the sum doubles at every group, and each lane adds its greatest product."""
    kind = CELLS[cell]
    groups = 1 if kind.act_bits > 1 else groups
    config = Config(
        lanes=cells * kind.lanes, columns=3, groups=groups, acc_bits=32, cell=cell, map_words=64,
        compact=kind.buffered,
    )
    assert (config.cells, config.group_cells) == (cells, cells // groups)
    assert (config.act_bits, config.word_bits) == (kind.act_bits, config.lanes * kind.act_bits)
    worst = 0
    for number, width in enumerate(config.sum_widths):
        if number % config.group_cells == 0:
            worst *= 2
        worst -= 128 * kind.lanes * (2**kind.act_bits - 1)
        assert -(1 << width - 1) <= worst < -(1 << width - 2)
    assert len(config.sum_widths) == cells
    assert config.array_sum_bits == config.sum_widths[-1]
    assert config.row_chunks * 3 * kind.act_bits == config.row_bits


@pytest.mark.parametrize(
    ("lanes", "columns", "words", "chunks"),
    [(8, 4, 1, 2), (8, 3, 1, 2), (8, 8, 1, 1), (8, 9, 2, 1), (8, 17, 4, 1), (8, 33, 8, 1)],
)
def test_a_row_of_the_map_memory_takes_all_columns(lanes, columns, words, chunks):
    config = Config(lanes=lanes, columns=columns, map_words=1024)
    assert (config.row_words, config.row_chunks) == (words, chunks)


def test_memory_bits_count_every_memory():
    config = Config(
        lanes=6,
        columns=5,
        groups=3,
        acc_bits=20,
        code_words=100,
        map_words=60,
        weight_rows=70,
        partial_sums=11,
        program_words=13,
    )
    assert config.memory_bits == {
        "weights": 70 * 5 * 8,
        "codes": 100 * 8,
        "maps": 60 * 5,
        "partial_sums": 11 * 5 * 20,
        "program": 13 * 32,
    }


def test_presets_are_found_by_name():
    assert list(PRESETS) == ["tiny", "small", "medium", "large"]
    for name, config in PRESETS.items():
        assert preset(name) is config


def test_an_unknown_preset_names_the_known_ones():
    known = "tiny, small, medium, large"
    with pytest.raises(ConfigError, match=f"^preset must be one of {known}, not 'big'$"):
        preset("big")


def test_presets_have_the_sizes_that_they_promise():
    assert PRESETS["small"].lanes * PRESETS["small"].columns <= 64
    for name in ("medium", "large"):
        assert (PRESETS[name].lanes, PRESETS[name].columns) == (32, 32)


# Depth x width of one block of an ECP5: memory usage guide, pseudo dual port.
ECP5_BLOCK = [(16384, 1), (8192, 2), (4096, 4), (2048, 9), (1024, 18), (512, 36)]


def blocks(depth, width, modes):
    """Blocks that a memory takes in the best mode."""
    return min(-(-depth // d) * -(-width // w) for d, w in modes)


def rest(config, modes):
    """Blocks of codes, maps, partial sums and program, of a machine that is not compact."""
    rows = config.map_words // config.row_words
    found = blocks(config.code_words, 8, modes) + blocks(rows, config.row_bits, modes)
    found += config.columns * blocks(config.partial_sums, config.acc_bits, modes)
    return found + blocks(config.program_words, 32, modes)


def test_blocks_are_counted_in_their_real_shapes():
    assert blocks(512, 24, ECP5_BLOCK) == 1
    assert blocks(2048, 8, ECP5_BLOCK) == 1
    assert blocks(2049, 8, ECP5_BLOCK) == 2


@pytest.mark.parametrize(("name", "there"), [("medium", 108), ("large", 208)])
def test_presets_fit_an_ecp5(name, there):
    config = PRESETS[name]
    assert config.row_chunks == 1  # else the maps' words are written in parts
    weights = config.columns * blocks(config.weight_rows, 8, ECP5_BLOCK)
    assert weights + rest(config, ECP5_BLOCK) <= there
