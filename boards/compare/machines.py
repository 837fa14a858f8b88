"""The hardware that a job names: one cell, or the configuration of an array or a machine."""

import math
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from boards.compare.job import KINDS, Job, Target
from boards.side_by_side import side_by_side
from golden.network import Network
from hw.cell_kinds import CELLS
from hw.config import Config
from hw.estimate import Estimate, estimate
from hw.fit import accumulator_bits
from hw.variants import VARIANTS

if TYPE_CHECKING:
    from hw.cells.cell import Cell

PLANES = 8
"""Bit-planes that stand side by side at most: those of the network's input."""

STRIP: dict[Target, int] = {"ecp5": 84, "ice40": 16}
PARTIAL_SUMS: dict[Target, int] = {"ecp5": 512, "ice40": 256}
"""A block RAM of an ECP5 holds 512 sums of 24 bits; the iCE40 has little to spare."""

CODE_WORDS: dict[Target, int] = {"ecp5": 16384, "ice40": 2560}
"""The ring of codes takes what there is; so much holds a strip."""

BOUNDLESS = 1 << 16
"""Depth that no memory of the network needs; the depths are cut down to what it does need."""


def left_out(job: Job) -> str:
    """Say why `job` is not tried, or nothing."""
    name = KINDS[job.kind].cell_on(job.target)
    if name not in CELLS:
        return f"there is no cell {name}"
    if job.target not in KINDS[job.kind].targets:
        return f"{job.target} has no distributed RAM for {name} cells"
    lanes = CELLS[name].lanes
    if job.lanes % lanes:
        return f"lanes must be a multiple of {lanes} with {name} cells, not {job.lanes}"
    return ""


def primitives(job: Job) -> Target | None:
    """Return the target whose primitives the design may use.

    None where a multiplier is left to yosys, which would find a DSP already chosen.
    """
    return None if KINDS[job.kind].multiplier in ("plain", "booth") else job.target


def cell(job: Job) -> "Cell":
    """Return the cell in the middle of a column: sums of middling width above and below."""
    column = _array(job)
    portable = column.cell_class
    chosen = VARIANTS.get(portable, {}).get(primitives(job) or "", portable)
    middle = column.cells // 2
    widths = column.sum_widths
    component = chosen(i_bits=widths[max(middle - 1, 0)], sum_bits=widths[middle])
    assert isinstance(component, portable)
    return component


def config(job: Job) -> Config:
    """Return the configuration of an array, or of a machine: its own or its network's smallest.

    Bare arrays have one lane group, so that no cell doubles a sum. Machines have as many as put
    the bit-planes of the network's input side by side.
    """
    if job.level == "array":
        return _array(job)
    return _chosen(job) if job.options else _machine(job)


def clip(job: Job) -> Estimate:
    """Return the cycles of the whole clip on the machine of `job`."""
    return estimate(network(KINDS[job.kind].binary), _machine(job))


@cache
def network(binary: bool) -> Network:
    """Return the shipped network, or the one of its shape with 8-bit activations."""
    from golden import netfile, sibling
    from golden.clip import SHIPPED

    return netfile.load(SHIPPED) if binary else sibling.shipped_sibling()


def _array(job: Job) -> Config:
    return Config(
        lanes=job.lanes,
        columns=job.columns,
        cell=KINDS[job.kind].cell_on(job.target),
        acc_bits=32,
    )


def _chosen(job: Job) -> Config:
    """Return the machine with the parameters that `job` names, as the command line makes it."""
    given = dict(each.split("=") for each in job.options.split())
    pool_codes = bool(int(given.pop("pool_codes", "1")))
    numbers: dict[str, Any] = {name: int(value) for name, value in given.items()}
    machine = Config(
        lanes=job.lanes,
        columns=job.columns,
        cell=KINDS[job.kind].cell_on(job.target),
        pool_codes=pool_codes,
        **numbers,
    )
    return side_by_side(machine)


@cache
def _machine(job: Job) -> Config:
    name = KINDS[job.kind].cell_on(job.target)
    each = CELLS[name]
    tables = each.entries > 1  # they load slowly, so that longer blocks pay
    groups = math.gcd(job.lanes // each.lanes, PLANES) if each.act_bits == 1 else 1
    layers = network(KINDS[job.kind].binary).layers
    needed = max(accumulator_bits(layer) for layer in layers)
    machine = Config(
        lanes=job.lanes,
        columns=job.columns,
        groups=groups,
        cell=name,
        acc_bits=-(-needed // each.act_bits) * each.act_bits,
        strip=STRIP[job.target],
        code_words=CODE_WORDS[job.target],
        map_words=BOUNDLESS,
        weight_rows=BOUNDLESS,
        partial_sums=PARTIAL_SUMS[job.target] * (2 if tables and job.target == "ecp5" else 1),
        program_words=BOUNDLESS,
        pool_codes=each.act_bits > 1,
        single_port=job.part == "up5k",
    )
    machine = side_by_side(machine)
    bits = estimate(network(KINDS[job.kind].binary), machine).memory_bits
    return replace(
        machine,
        code_words=bits["codes"] // 8,
        map_words=bits["maps"] // machine.row_bits * machine.row_words,
        weight_rows=bits["weights"] // (8 * machine.columns),
        program_words=bits["program"] // 32,
    )
