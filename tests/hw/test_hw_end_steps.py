"""The clockwork of the outputs' way out, against its cycle table."""

import numpy as np
import pytest

from hw.end_steps import EndSteps


def expected(rows, delay):
    """Steps by cycle, from what ends with which pixel: the docstring's table."""
    table = [set() for _ in range(len(rows) + delay + 80)]
    for at, row in enumerate(rows):
        ends, steps = row.get("ends", {}), row["steps"]
        if not ends.get("output"):
            continue
        load = at + delay
        table[load].add("load")
        for i in range(steps - row["planes"] + 1, steps + 1):
            table[load + i].add("out")
        for i in range(steps - row["shifts"] + 1, steps + 1):
            table[load + i].add("shift")
        table[load + steps] |= {name for name in ("tile", "block", "run") if ends.get(name)}
    return table


@pytest.mark.parametrize("delay", [0, 1, 7])
@pytest.mark.parametrize(
    ("steps", "shifts", "planes"),
    [(24, 24, 8), (21, 21, 5), (8, 1, 8), (8, 0, 8), (32, 32, 32), (1, 1, 1), (4, 3, 3)],
)
def test_steps_of_codes_follow_the_table(play, delay, steps, shifts, planes):
    rng = np.random.default_rng(steps)
    rows, cycle = [{}] * 400, 0
    while cycle + 2 * steps < len(rows) - delay:
        ends = {"output": 1, **{n: int(rng.integers(2)) for n in ("tile", "block", "run")}}
        rows[cycle] = {"ends": ends}
        cycle += steps + int(rng.choice([0, 0, 1, 5]))  # never sooner than the one before has left
    rows = [{**row, "steps": steps, "shifts": shifts, "planes": planes} for row in rows]
    seen = play(EndSteps(delay=delay), rows, ["step"])
    for now, due in zip(seen, expected(rows, delay), strict=False):
        assert {name for name, on in now["step"].items() if on} == due


@pytest.mark.parametrize("delay", [0, 3, 11])
def test_a_threshold_has_one_step_and_loads_again_in_it(play, delay):
    rng = np.random.default_rng(delay)
    rows = [
        {
            "ends": {name: int(rng.integers(2)) for name in ("output", "tile", "block", "run")},
            "steps": 1,
            "planes": 1,
            "shifts": 0,
        }
        for _ in range(60)
    ]
    seen = play(EndSteps(delay=delay), rows, ["step"])
    for now, due in zip(seen, expected(rows, delay), strict=False):
        assert {name for name, on in now["step"].items() if on} == due
