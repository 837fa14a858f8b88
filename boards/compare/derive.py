"""Figures that follow from what was measured; none of them is itself a measurement."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from boards.compare.devices import DEVICES, LARGEST, Counts, Device
from boards.compare.job import BINARY, KINDS, WITHOUT_DSP, Target
from boards.compare.results import Result, Results

FINN_R = {"8-bit weight x 1-bit activation": 50.2, "8-bit weight x 8-bit activation": 123.9}
"""LUT per lane x column of the cost model of FINN-R (Blott et al., ACM TRETS 11(3), 2018)."""

ENDS = {"lut": "LUT", "ff": "FF", "bram": "block RAM", "dsp": "DSP"}

SMALL_MULTIPLIERS = 2
"""Multipliers of 9 x 9 bits in one DSP block of an ECP5, a mode that the open tools do not map."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """What one result means for speed.

    Parameters
    ----------
    label
        Of its job.
    lut_per_cell
        LUT4 or logic cells per lane x column.
    accumulates_per_second
        Lanes x columns x median clock; None where nothing was routed.
    per_lut
        The same per LUT.
    """

    label: str
    lut_per_cell: float
    accumulates_per_second: float | None
    per_lut: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """How many lanes x columns would fill the largest part, by share; not placed as such.

    Parameters
    ----------
    device
        The part.
    what
        Kind of array.
    cells
        Lanes x columns.
    limit
        What ends first.
    fmax_mhz
        Median clock of the measured array; None where nothing was routed.
    """

    device: str
    target: Target
    what: str
    cells: int
    limit: str
    fmax_mhz: float | None

    @property
    def per_second(self) -> float | None:
        """Accumulates (of the kind's own sort) per second."""
        return None if self.fmax_mhz is None else self.cells * self.fmax_mhz * 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipRate:
    """A whole machine at its work.

    Parameters
    ----------
    label
        Of its job.
    cycles
        Of the clip.
    cycles_x_lut
        Area times time, the clock apart.
    clips_per_second
        Of one machine; None where nothing was routed.
    machines
        As many as the largest part holds, by LUT, block RAM and DSP.
    clips_per_second_device
        Of them together.
    """

    label: str
    cycles: int
    cycles_x_lut: int
    clips_per_second: float | None
    machines: int
    clips_per_second_device: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """All that is derived.

    Parameters
    ----------
    best
        By target, the MAC without DSP of which most fit the largest part.
    rates
        Of cells and arrays.
    capacities
        Of the largest parts.
    clips
        Of whole machines.
    """

    best: dict[Target, str]
    rates: tuple[Rate, ...]
    capacities: tuple[Capacity, ...]
    clips: tuple[ClipRate, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return asdict(self) | {
            "capacities": [asdict(c) | {"per_second": c.per_second} for c in self.capacities],
            "finn_r_lut": FINN_R,
        }


def derive(results: Results) -> Figures:
    """Derive everything from `results`."""
    best = best_without_dsp(results.results)
    return Figures(
        best=best,
        rates=tuple(_rate(each) for each in results.results if each.job.level != "accelerator"),
        capacities=tuple(c for target in LARGEST for c in _capacities(results, target, best)),
        clips=tuple(_clip(each) for each in results.results if each.clip is not None),
    )


def best_without_dsp(results: Iterable[Result]) -> dict[Target, str]:
    """Choose for each target the MAC without DSP of which most fit the largest part, as mapped.

    Not the one with the fewest LUTs: tables in block RAM take few, but an iCE40 has no RAM for
    more than a handful of them.
    """
    best: dict[Target, tuple[int, str]] = {}
    for each in results:
        job = each.job
        if job.level == "array" and job.kind in WITHOUT_DSP:
            cells, _ = fill(DEVICES[LARGEST[job.target]], each.synthesis.counts, job.cells)
            best[job.target] = max(best.get(job.target, (0, job.kind)), (cells, job.kind))
    return {target: kind for target, (_, kind) in best.items()}


def _rate(result: Result) -> Rate:
    fmax = result.fmax_mhz
    speed = None if fmax is None else result.job.cells * fmax * 1e6
    return Rate(
        label=result.job.label,
        lut_per_cell=result.lut_per_cell,
        accumulates_per_second=speed,
        per_lut=None if speed is None else speed / result.used["lut"],
    )


def typical(results: Results, target: Target, kind: str) -> Result | None:
    """Return the largest array of a kind, a routed one before one that is only mapped."""
    arrays = results.of(target=target, level="array", kind=kind)
    return max(arrays, key=lambda each: (bool(each.routed), each.job.cells), default=None)


def _capacities(results: Results, target: Target, best: dict[Target, str]) -> list[Capacity]:
    """Fill the largest part of `target`, or the one with DSPs, with arrays of every kind."""
    device = DEVICES[LARGEST[target]]
    found = []
    for kind in (*BINARY, best.get(target, "")):
        array = typical(results, target, kind)
        if array is not None:
            cells, limit = fill(device, array.used, array.job.cells)
            found.append(_capacity(device, KINDS[kind].label, cells, limit, array.fmax_mhz))
    dsp = typical(results, target, "mac-dsp")
    plain = typical(results, target, best.get(target, ""))
    if dsp is None or target != "ecp5":  # the HX8K has no DSP, the UP5K 8
        return found
    for times, mode in ((1, "18x18"), (SMALL_MULTIPLIERS, "9x9 mode, not mapped by open tools")):
        cells = device.dsp * times
        what = f"MAC, DSP ({mode})"
        found.append(_capacity(device, what, cells, "DSP", dsp.fmax_mhz))
        if plain is not None:
            rest = max(0, int((device.lut - cells * dsp.lut_per_cell) / plain.lut_per_cell))
            speeds = [each.fmax_mhz for each in (dsp, plain) if each.fmax_mhz is not None]
            slower = min(speeds) if len(speeds) == 2 else None
            found.append(_capacity(device, f"{what} + no DSP", cells + rest, "DSP, LUT", slower))
    return found


def fill(device: Device, used: Counts, cells: int) -> tuple[int, str]:
    """Say how many lanes x columns fill `device`, and which resource ends first.

    Parameters
    ----------
    device
        The part.
    used
        Resources of an array.
    cells
        Its lanes x columns.
    """
    rooms = {"lut": device.lut, "ff": device.lut, "bram": device.bram, "dsp": device.dsp}
    return min(
        (room * cells // used[what], ENDS[what])
        for what, room in rooms.items()
        if used.get(what)
    )


def _capacity(
    device: Device, what: str, cells: int, limit: str, fmax: float | None,
) -> Capacity:
    return Capacity(
        device=device.name, target=device.target, what=what, cells=cells, limit=limit,
        fmax_mhz=fmax,
    )


def _clip(result: Result) -> ClipRate:
    assert result.clip is not None
    fmax, used = result.fmax_mhz, result.used
    device = DEVICES[result.job.part or LARGEST[result.job.target]]
    machines = min(
        room // used[what]
        for what, room in (
            ("lut", device.lut), ("bram", device.bram), ("dsp", device.dsp),
            ("spram", device.spram),
        )
        if used.get(what)
    )
    rate = None if fmax is None else fmax * 1e6 / result.clip.cycles
    return ClipRate(
        label=result.job.label,
        cycles=result.clip.cycles,
        cycles_x_lut=result.clip.cycles * used["lut"],
        clips_per_second=rate,
        machines=machines,
        clips_per_second_device=None if rate is None else rate * machines,
    )
