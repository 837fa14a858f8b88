"""The tile loader on the runs of real plans, against its cycle table."""

import numpy as np
import pytest

from golden.random_networks import Size, random_network
from hw.config import Config
from hw.fill import walk
from hw.loader import Loader, lead, parameter_wait, settle, tile_cycles
from hw.lower import lower
from hw.words import bits_for

MACHINES = {
    f"{cell}-{lanes}x{columns}/{groups}": Config(
        lanes=lanes, columns=columns, groups=groups, cell=cell, acc_bits=32, strip=4,
        partial_sums=14, weight_rows=4096, program_words=4096,
    )
    for cell, lanes, columns, groups in (
        ("gated", 1, 2, 1), ("gated", 6, 2, 3), ("gated", 16, 5, 8), ("table", 4, 3, 1),
        ("table", 8, 2, 2), ("table8", 8, 3, 1), ("mac", 3, 2, 1), ("mac_table", 2, 3, 1),
    )
}


@pytest.fixture(params=MACHINES.values(), ids=MACHINES)
def config(request):
    return request.param


def runs_of(config, listing, suited):
    """Runs of several tiles, passes, planes and blocks: plan, run and program fields."""
    found = []
    size = Size(channels=5, bands=6, frames=9, convolutions=2, dense=1)
    for seed in range(30):
        network = suited(random_network(np.random.default_rng(seed), size=size), config)
        lowered = lower(network, config)
        plan = lowered.schedule
        runs = [run for step in plan.steps for run in step.runs]
        entries = [each for each in listing(lowered.program) if "passes" in each]
        found += zip([plan] * len(runs), runs, entries, strict=True)
    return found


def tiles_of(plan, run):
    """Tile and pass, in the order of their use."""
    stage = plan.stages[run.stage]
    for _ in range(-(-run.groups // stage.block_groups)):
        for tile in range(stage.output.tiles):
            for number in range(len(stage.passes)):
                yield tile, number


def chosen(config, listing, suited):
    """One short run of every kind that is there."""
    kinds = {}
    for plan, run, entry in runs_of(config, listing, suited):
        stage = plan.stages[run.stage]
        cycles = sum(1 for _ in tiles_of(plan, run)) * (tile_cycles(config) + 9)
        kind = (
            stage.output.tiles > 1, len(stage.passes) > 1, stage.plane_passes < len(stage.passes),
            entry["blocks"] > 1,
        )
        if cycles < 4000 and kind not in kinds:
            kinds[kind] = plan, run, entry
    assert len(kinds) > 3
    return kinds.values()


def tile_tokens(config, at):
    """What reads the rows of one tile, cycle by cycle."""
    cell = config.cell_class
    for number in range(config.cells):
        if cell.entries == 1:
            yield {"addr": at + number, "first": number == 0}
            continue
        for step, (bit, entry, subtract) in enumerate(walk(bits_for(cell.entries - 1))):
            token = {"addr": at + number * cell.lanes, "first": number == 0, "next": step == 0,
                     "entry": entry, "subtract": subtract}
            if cell.lanes == 1:
                token["scale"] = bit
            else:
                token["addr"] += bit
            yield token


def test_tiles_come_in_the_order_of_their_use_and_as_early_as_said(play, config, listing, suited):
    rng = np.random.default_rng(config.lanes)
    for plan, run, entry in chosen(config, listing, suited):
        stage = plan.stages[run.stage]
        base = entry["fields"]["weights_at"]
        per_tile = stage.weight_rows // stage.output.tiles
        given, due, ready = {0: {"go": 1}}, {}, set()
        begin = 2
        for tile, number in tiles_of(plan, run):
            at = base + tile * per_tile
            place = at + number % stage.plane_passes * config.lanes
            cycle, last = begin, number == len(stage.passes) - 1
            for token in tile_tokens(config, place):
                due[cycle] = {"read": 1, "param": 0, **token}
                cycle += 1
            if last:
                cycle += parameter_wait(config) + 1
                for k in range(config.parameter_rows):
                    place = at + stage.plane_passes * config.lanes + k
                    due[cycle] = {"read": 1, "param": 1, "addr": place}
                    cycle += 1
            since = begin + lead(config, last=last)
            take = since + int(rng.choice([0, 0, 1, 6]))
            done = take + int(rng.choice([1, 1, 3, tile_cycles(config) + 20]))
            ready |= set(range(since, take + 1))
            given[take], given[done] = {"take": 1}, {"done": 1}
            begin = max(done, cycle - 1) + settle(config)  # the last row is at cycle - 1
        rows = [
            {**given.get(t, {}), "layer": entry["fields"], "run": {"blocks": entry["blocks"]}}
            for t in range(begin + 10)
        ]
        seen = play(Loader(config), rows, ["ready", "load"])
        for t, now in enumerate(seen):
            assert now["ready"] == (t in ready), t
            assert now["load"]["read"] == (t in due), t
            for name, value in due.get(t, {"entry": 0} if "entry" in now["load"] else {}).items():
                assert now["load"][name] == value, (t, name)


def test_the_cells_above_hold_their_weights_when_a_pixel_comes(config):
    """What `lead` is made of, for machines of any size; a pass that needs no wait has none."""
    assert lead(config, last=True) >= lead(config, last=False)
    if config.cell_class.entries == 1:
        assert lead(config, last=False) == 0
    else:
        assert lead(config, last=False) > 0
