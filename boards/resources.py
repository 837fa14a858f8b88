"""What a machine will take of a chip, predicted from its configuration alone.

Block RAMs and DSPs follow by arithmetic. Look-up tables and registers are sums of what the machine
is made of (cells, bits of their sums, columns, lanes), each times a coefficient that was fitted to
synthesised machines; `bambino compare --fit` writes them to resources.json, with the machines and
with the errors on those that were held back. The clock is that of the likest machine that was
placed and routed: a slowest path lies where the tools put it, and no count foretells it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from math import log
from pathlib import Path
from statistics import median
from typing import Any

from boards.blocks import block_rams, memories, single_port_rams
from boards.compare.devices import fitting
from boards.compare.job import TARGETS, Target
from boards.features import Features, features
from hw.cell_kinds import check_target
from hw.config import Config

PATH = Path(__file__).with_name("resources.json")
VERSION = 1
FITTED, COUNTED = ("lut", "ff"), ("bram", "dsp", "spram")
QUANTITIES = (*FITTED, *COUNTED)
DSP_CELLS: Mapping[Target, tuple[str, ...]] = {"ecp5": ("mac",), "ice40": ()}
"""Cells of one DSP each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Error:
    """How far predictions were from what was measured, relative to it.

    Parameters
    ----------
    median, worst
        Of the magnitudes.
    shapes
        Machines that they are of.
    """

    median: float
    worst: float
    shapes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One predicted quantity.

    Parameters
    ----------
    value
        How many.
    error
        Of such predictions, on machines that the fit has not seen.
    """

    value: int
    error: Error


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """What the likest machine reached after place and route.

    Parameters
    ----------
    median, low, high
        MHz, over the runs.
    runs
        How many, all seeds.
    of
        Which machine, and on which part.
    error
        Of such predictions, each machine from the others; None with one machine alone.
    """

    median: float
    low: float
    high: float
    runs: int
    of: str
    error: Error | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a machine will take.

    Parameters
    ----------
    target
        Family of the chip.
    lut, ff
        LUT4 or logic cells, and registers; None if no machine with such parts was measured.
    bram, dsp, spram
        Block RAMs of 18 kbit or 4 kbit, multipliers, single-port RAMs of 256 kbit.
    fmax_mhz
        The clock; None if no machine was placed and routed so far.
    device
        The part that it would go on; None if none holds it, or if that is not known.
    why
        What is not known and why, or nothing.
    """

    target: Target
    lut: Figure | None
    ff: Figure | None
    bram: Figure
    dsp: Figure
    spram: Figure
    fmax_mhz: Clock | None
    device: str | None
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain data."""
        return asdict(self)


def predict(config: Config, target: Target) -> Resources:
    """Predict what `config` takes on `target`.

    Raises
    ------
    ValueError
        There is no such target, or it does not have the cell.
    """
    if target not in TARGETS:
        raise ValueError(f"target must be one of {', '.join(TARGETS)}, not {target!r}")
    check_target(config.cell, target)
    model = saved()["targets"][target]
    errors = {name: Error(**each) for name, each in model["errors"]["held_back"].items()}
    counts = values(config, target, model)
    missing = {
        part: None
        for name in FITTED
        for part in unknown(features(config, target, name), model["coefficients"][name])
    }
    figures = {n: Figure(value=value, error=errors[n]) for n, value in counts.items()}
    if config.compact:  # none is among the shapes of the fit, so no error could be told
        missing = {"compact columns": None}
        counts = {name: counts[name] for name in COUNTED}
    device = None if missing else fitting(target, counts)
    return Resources(
        target=target,
        lut=figures.get("lut"),
        ff=figures.get("ff"),
        bram=figures["bram"],
        dsp=figures["dsp"],
        spram=figures["spram"],
        fmax_mhz=_clock(config, model["clock"]),
        device=None if device is None else device.name,
        why=f"no machine with {', '.join(missing)} was measured on {target}" if missing else "",
    )


@cache
def saved() -> dict[str, Any]:
    """Read the fitted model."""
    data: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    if data.get("version") != VERSION:
        raise ValueError(f"{PATH.name} must be of version {VERSION}: bambino compare --fit")
    return data


def counted(config: Config, target: Target) -> dict[str, int]:
    """Count what needs no fit."""
    return {
        "bram": sum(block_rams(memory, target) for memory in memories(config)),
        "dsp": config.cells * config.columns if config.cell in DSP_CELLS[target] else 0,
        "spram": single_port_rams(config),
    }


def values(config: Config, target: Target, model: Mapping[str, Any]) -> dict[str, int]:
    """Return all that `model` tells of `config`: what is counted, what is fitted."""
    found = counted(config, target)
    for name in FITTED:
        coefficients: Mapping[str, float] = model["coefficients"][name]
        parts = features(config, target, name)
        if not unknown(parts, coefficients):
            found[name] = round(sum(coefficients.get(part, 0) * n for part, n in parts.items()))
    return found


def unknown(parts: Features, coefficients: Mapping[str, float]) -> list[str]:
    """Name the features of a machine that no machine had to which the model was fitted."""
    return [part for part, number in parts.items() if number and part not in coefficients]


def _clock(config: Config, clock: Mapping[str, Any]) -> Clock | None:
    """Tell the clock of the likest machine."""
    near = likest(config.cell, config.cells * config.columns, clock["machines"])
    if near is None:
        return None
    speeds = near["fmax_mhz"]
    return Clock(
        median=round(median(speeds), 1), low=min(speeds), high=max(speeds), runs=len(speeds),
        of=f"{near['cell']} {near['lanes']}x{near['columns']} on {near['device']}",
        error=None if clock["error"] is None else Error(**clock["error"]),
    )


def likest(
    cell: str, cells: int, machines: Sequence[Mapping[str, Any]],
) -> Mapping[str, Any] | None:
    """Return the machine whose number of cells is nearest, by ratio; of such cells if there is one.

    Parameters
    ----------
    cell
        Kind of the cells.
    cells
        How many the array has.
    machines
        Those that were placed and routed; of equally near ones the first is taken.
    """
    alike = [each for each in machines if each["cell"] == cell]
    return min(alike or machines, key=lambda each: abs(log(each["cells"] / cells)), default=None)


def config_of(shape: Mapping[str, Any]) -> Config:
    """Return the machine of a shape in resources.json; parameters gone since then are ignored."""
    known = {field.name for field in fields(Config)}
    return Config(**{name: value for name, value in shape["config"].items() if name in known})
