"""What the tables of `bambino compare` hold, row by row, as text."""

from dataclasses import dataclass

from boards.compare import activations
from boards.compare.derive import FINN_R, Figures
from boards.compare.job import KINDS, LEVELS, TARGETS, Target
from boards.compare.results import Result, Results

LUT: dict[Target, str] = {"ecp5": "LUT4", "ice40": "LC"}
FAMILY: dict[Target, str] = {"ecp5": "ECP5", "ice40": "iCE40"}
NONE = "none"
DASH = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table.

    Parameters
    ----------
    title
        What it shows.
    columns
        Their heads; the first names things.
    rows
        Cells as text.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(results: Results, figures: Figures) -> list[Table]:
    """Make all tables that have a row."""
    found = [_hardware(results, figures, target) for target in TARGETS]
    found += [_capacity(figures), _clips(results, figures), _parts(results), _opinion()]
    found += [_activations(), _strips(results)]
    return [_without_empty_columns(table) for table in found if table.rows]


def _without_empty_columns(table: Table) -> Table:
    """Leave out what has no figure in any row, as a clock where nothing was routed."""
    kept = [
        i
        for i in range(len(table.columns))
        if i == 0 or any(row[i] not in (DASH, "0", "") for row in table.rows)
    ]
    return Table(
        title=table.title,
        columns=tuple(table.columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in table.rows),
    )


def _hardware(results: Results, figures: Figures, target: Target) -> Table:
    order = {level: i for i, level in enumerate(LEVELS)}
    rates = {rate.label: rate for rate in figures.rates}
    rows = []
    chosen = [each for each in results.of(target=target) if each.job.level != "accelerator"]
    for each in sorted(chosen, key=lambda r: (order[r.job.level], r.job.cells)):
        rate = rates[each.job.label]
        rows.append(
            (
                name(each, figures),
                shape(each),
                *_area(each),
                f"{each.lut_per_cell:.1f}",
                clock(each),
                number(rate.accumulates_per_second, 1e9),
                number(rate.per_lut, 1e6),
            ),
        )
    lut = LUT[target]
    return Table(
        title=f"{FAMILY[target]}: cells and arrays",
        columns=(
            "cell", "shape", "part", lut, "FF", "BRAM", "DSP", f"{lut} each", "MHz", "G/s",
            f"M/s/{lut}",
        ),
        rows=tuple(rows),
    )


def _capacity(figures: Figures) -> Table:
    rows = (
        (
            f"{each.device}: {each.what}",
            f"{each.cells:,}",
            each.limit,
            DASH if each.fmax_mhz is None else f"{each.fmax_mhz:.0f}",
            number(each.per_second, 1e9),
        )
        for each in figures.capacities
    )
    return Table(
        title="A part filled with one kind (derived)",
        columns=("array", "lanes x columns", "ends with", "MHz", "G/s"),
        rows=tuple(rows),
    )


def _clips(results: Results, figures: Figures) -> Table:
    rates = {rate.label: rate for rate in figures.clips}
    rows = []
    for each in results.of(level="accelerator"):
        rate = rates[each.job.label]
        assert each.clip is not None
        rows.append(
            (
                f"{FAMILY[each.job.target]} {name(each, figures)}",
                shape(each),
                *_area(each),
                clock(each),
                f"{rate.cycles:,}",
                f"{each.clip.utilisation:.1%}",
                number(rate.cycles_x_lut, 1e9),
                number(rate.clips_per_second, 1),
                f"{number(rate.clips_per_second_device, 1)} ({rate.machines})",
            ),
        )
    return Table(
        title="Whole accelerators, the whole 5-s clip",
        columns=(
            "machine", "shape", "part", "LUT", "FF", "BRAM", "DSP", "MHz", "cycles", "used",
            "G cycles x LUT", "clips/s", "full part",
        ),
        rows=tuple(rows),
    )


def _parts(results: Results) -> Table:
    machines = [each for each in results.of(level="accelerator") if each.synthesis.parts]
    names = list(dict.fromkeys(part for each in machines for part in each.synthesis.parts))
    return Table(
        title="Where the LUTs of an accelerator go (as mapped)",
        columns=("part", *(each.job.label.replace(" accelerator", "") for each in machines)),
        rows=tuple(
            (part, *(f"{each.synthesis.parts.get(part, {}).get('lut', 0):,}" for each in machines))
            for part in names
        ),
    )


def _opinion() -> Table:
    return Table(
        title="A third opinion: the cost model of FINN-R",
        columns=("lane", "LUT"),
        rows=tuple((what, f"{lut}") for what, lut in FINN_R.items()),
    )


def _activations() -> Table:
    return Table(
        title="Activations of the whole clip, bits",
        columns=(
            "map", "shape", "binary", "8-bit", "before pooling: binary", "8-bit",
        ),
        rows=tuple(activations.rows()),
    )


def _strips(results: Results) -> Table:
    """Show what strips leave of it: what a machine holds at once."""
    return Table(
        title="Memory that a machine's network takes, in strips, bits",
        columns=("machine", "weights", "codes", "maps", "partial sums", "program"),
        rows=tuple(
            (each.job.label, *(f"{bits:,}" for bits in each.clip.memory_bits.values()))
            for each in results.of(level="accelerator")
            if each.clip is not None
        ),
    )


def name(result: Result, figures: Figures) -> str:
    """Name a result's kind; the best MAC without DSP is marked."""
    kind = KINDS[result.job.kind]
    if figures.best.get(result.job.target) == kind.name:
        return f"MAC, no DSP (best: {kind.label.removeprefix('MAC, ')})"
    return kind.label


def shape(result: Result) -> str:
    """Write lanes x columns."""
    if result.job.level == "cell":
        return "cell"
    return f"{result.job.lanes} x {result.job.columns}"


def clock(result: Result) -> str:
    """Write the median clock and its range, MHz."""
    middle, ends = result.fmax_mhz, result.fmax_range
    if middle is None or ends is None:
        return DASH
    return f"{middle:.0f} ({ends[0]:.0f} to {ends[1]:.0f})"


def number(value: float | None, unit: float) -> str:
    """Write a figure with three digits that count."""
    if value is None:
        return DASH
    scaled = value / unit
    digits = 0 if scaled >= 100 else 1 if scaled >= 10 else 2
    return f"{scaled:,.{digits}f}"


def _area(result: Result) -> list[str]:
    counted = [f"{result.used.get(what, 0):,}" for what in ("lut", "ff", "bram", "dsp")]
    return [NONE if result.device is None else _short(result.device), *counted]


def _short(device: str) -> str:
    """Leave out the family, which stands beside it."""
    return device.removeprefix("ECP5-").removeprefix("iCE40 ")
