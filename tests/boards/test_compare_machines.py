"""The hardware that jobs name: cells, arrays, and machines cut to their network."""

from dataclasses import replace

import pytest

from boards.compare import machines
from boards.compare.job import KINDS, Job
from hw.schedule import schedule

TABLE = Job(target="ecp5", level="array", kind="table", lanes=16, columns=8)
MACHINE = replace(TABLE, level="accelerator")


def test_what_the_generator_lacks_is_left_out(monkeypatch):
    assert machines.left_out(TABLE) == ""
    wrong = replace(TABLE, target="ice40", lanes=12)
    assert machines.left_out(wrong) == "lanes must be a multiple of 8 with table8 cells, not 12"
    tables = replace(TABLE, target="ice40", kind="mac-table")
    assert machines.left_out(tables) == "ice40 has no distributed RAM for mac_table cells"
    others = {name: cell for name, cell in machines.CELLS.items() if name != "table"}
    monkeypatch.setattr(machines, "CELLS", others)
    assert machines.left_out(TABLE) == "there is no cell table"


def test_what_yosys_maps_is_given_without_primitives():
    given = {kind: machines.primitives(replace(TABLE, kind=kind)) for kind in KINDS}
    portable = [kind for kind, target in given.items() if target is None]
    assert portable == ["mac-plain", "mac-booth"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["ecp5", "ice40"])
def test_a_kind_knows_its_cells_lanes(kind, target):
    job = replace(TABLE, level="cell", kind=kind, target=target)
    if not machines.left_out(job):
        assert job.cells == machines.CELLS[KINDS[kind].cell_on(target)].lanes


def test_the_cell_of_the_middle():
    cell = machines.cell(replace(TABLE, level="cell", kind="gated", lanes=32))
    cell._MustUse__used = True  # else Amaranth warns that it is never elaborated
    assert cell.i_bits == 8 + 4  # the sum of 16 weights
    assert cell.sum_bits == 8 + 5
    assert not cell.doubles


@pytest.mark.parametrize("kind", ["table", "gated", "mac-rows"])
def test_a_machine_just_holds_its_network(kind):
    job = replace(MACHINE, kind=kind)
    assert not machines.left_out(job)
    config = machines.config(job)
    found = machines.clip(job)
    assert found.fits, found.why
    assert found.memory_bits["weights"] == config.memory_bits["weights"]
    assert found.memory_bits["program"] == config.memory_bits["program"]
    assert config.groups == (1 if kind == "mac-rows" else 4 if kind == "table" else 8)
    assert config.code_frames == (3 if kind == "mac-rows" else 1)


@pytest.mark.parametrize(
    ("kind", "lanes", "frames"), [("mac-rows", 8, 1), ("mac-rows", 9, 3), ("gated", 128, 3)],
)
def test_nine_taps_stand_side_by_side_where_a_group_has_the_lanes(kind, lanes, frames):
    """Then the first layer takes one pass, not three."""
    job = replace(MACHINE, kind=kind, lanes=lanes)
    assert machines.config(job).code_frames == frames
    first = schedule(machines.network(KINDS[kind].binary), machines.config(job)).stages[0]
    assert len(first.passes) == (1 if frames == 3 else 3)


def test_a_machine_of_chosen_parameters():
    job = replace(MACHINE, options="groups=2 acc_bits=20 weight_rows=512 pool_codes=0")
    config = machines.config(job)
    assert (config.lanes, config.columns, config.cell) == (16, 8, "table")
    assert (config.groups, config.acc_bits, config.weight_rows) == (2, 20, 512)
    assert config.pool_codes is False
    assert job.label.endswith("table 16x8 groups=2 acc_bits=20 weight_rows=512 pool_codes=0")
    with pytest.raises(ValueError, match="level must be accelerator with options, not 'array'"):
        replace(TABLE, options="groups=2")


def test_a_multiply_is_one_multiply_whatever_its_bits():
    from boards.compare.designs import _clip

    binary, mac = _clip(MACHINE), _clip(replace(MACHINE, kind="mac-rows"))
    assert round(binary.accumulates / 1e6) == 163
    assert round(mac.accumulates / 1e6) == 103
    assert 0.3 < mac.utilisation < 1
