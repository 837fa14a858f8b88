"""The figures as tables: on the terminal, and as Markdown."""

from collections.abc import Iterable

from boards.compare import activations
from boards.compare.derive import Figures
from boards.compare.flows import CLOCK_TARGET_MHZ
from boards.compare.job import KINDS
from boards.compare.results import Results
from boards.compare.rows import FAMILY, tables


def show(results: Results, figures: Figures) -> None:
    """Print the tables."""
    from boards.report import table

    for each in tables(results, figures):
        table(each.title, each.columns, each.rows)
    for line in notes(results, figures):
        print(line)


def markdown(results: Results, figures: Figures) -> str:
    """Write the tables as Markdown."""
    lines = [f"# Binary against multiply: the {results.matrix} matrix", ""]
    for each in tables(results, figures):
        right = "|".join(["---", *["---:"] * (len(each.columns) - 1)])
        lines += [f"## {each.title}", "", _row(each.columns), f"|{right}|"]
        lines += [*map(_row, each.rows), ""]
    lines += [f"- {line}" for line in notes(results, figures)]
    lines += ["", *(f"- {name}: {text}" for name, text in results.versions.items()), ""]
    return "\n".join(lines)


def notes(results: Results, figures: Figures) -> list[str]:
    """Say how the figures are meant, what was left out and what failed."""
    aims = " and ".join(f"{mhz} MHz ({FAMILY[t]})" for t, mhz in CLOCK_TARGET_MHZ.items())
    found = [
        "LUT4: nextpnr's TRELLIS_COMB; LC: ICESTORM_LC, the harness around the design subtracted.",
        "What was not routed is counted in the netlist, chain ends included.",
        "Part none: no part holds it; its area is that of synthesis only, and it has no clock.",
        "Shape: lanes x columns. LUT each: per lane x column. BRAM: of 18 kbit, on iCE40 4 kbit.",
        "Used: utilisation. Full part: clips/s of as many machines as it holds, and their number.",
        f"Clock: median over the seeds (least to greatest), asked for: {aims}.",
        "ECP5: out of context, speed grade 6.",
        activations.planes_note(),
        "Per device: by share, derived; nobody routed a part filled to the brim.",
    ]
    found += [
        f"MAC, no DSP ({FAMILY[target]}): the best of those measured is {KINDS[kind].label}."
        for target, kind in figures.best.items()
    ]
    found += [f"left out: {reason}" for reason in results.left_out]
    if results.missing:
        found.append(f"not measured yet (runs): {', '.join(results.missing)}")
    return found + [f"failed: {each.job}: {each.why}" for each in results.failures]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
