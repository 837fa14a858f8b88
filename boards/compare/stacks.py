"""The picture of where the LUTs of whole accelerators go."""

from typing import TYPE_CHECKING

from boards.compare.derive import Figures
from boards.compare.job import KINDS, WITHOUT_DSP
from boards.compare.results import Result, Results
from boards.compare.rows import FAMILY
from boards.compare.style import GRID, INK, head

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS_COLOURS = {
    "array": "#14507d",
    "fill": "#74aed6",
    "accumulators": "#c4552d",
    "column ends": "#f0a04b",
    "columns' wiring and weights": "#8e3b1f",
    "streams": "#6b7b53",
    "walker": "#94a578",
    "sequencer": "#bcc9a4",
    "loader": "#5b8c85",
    "memories": "#a3586d",
    "window": "#9b7fb5",
    "top": "#7b8794",
}
REST_COLOUR = "#cbd2d9"
SMALL_PART = 0.06
"""Parts below this share of every machine are drawn together."""

PARTS_TITLE = (
    "Where an accelerator's LUTs go",
    "whole machines as mapped; each: per lane x column",
)


def parts(results: Results, figures: Figures) -> "Figure | None":
    """Draw where the LUTs of whole accelerators go."""
    from matplotlib.figure import Figure as New

    machines = [each for each in results.of(level="accelerator") if each.synthesis.parts]
    machines = [each for each in machines if _shown(each, figures)]
    if not machines:
        return None
    totals = [_lut_sum(each) for each in machines]
    names = list(dict.fromkeys(part for each in machines for part in each.synthesis.parts))
    large = [
        n
        for n in names
        if any(
            _lut(each, n) > SMALL_PART * total
            for each, total in zip(machines, totals, strict=True)
        )
    ]
    large.sort(key=list(PARTS_COLOURS).index)
    rows = [(n, [_lut(each, n) for each in machines]) for n in large]
    rest = [total - sum(v[i] for _, v in rows) for i, total in enumerate(totals)]
    rows.append(("everything else", rest))

    figure = New(figsize=(10, 2.2 + 0.62 * len(machines)))
    axes = figure.subplots()
    left = [0] * len(machines)
    for part, values in rows:
        colour = PARTS_COLOURS.get(part, REST_COLOUR)
        axes.barh(
            range(len(machines)), values, 0.66, left=left, label=part, color=colour, zorder=2,
            edgecolor="white", linewidth=0.6,
        )
        for i, number in enumerate(values):
            if number > 0.04 * max(totals):
                dark = sum(int(colour[k : k + 2], 16) for k in (1, 3, 5)) < 400
                axes.text(
                    left[i] + number / 2, i, f"{number:,}", ha="center", va="center", fontsize=8,
                    color="white" if dark else INK,
                )
        left = [a + b for a, b in zip(left, values, strict=True)]
    for i, each in enumerate(machines):
        per = totals[i] / each.job.cells
        axes.annotate(
            f"{totals[i]:,} ({per:.1f} each)", (totals[i], i), xytext=(5, 0), va="center",
            textcoords="offset points", fontsize=9.5,
        )
    axes.set_yticks(range(len(machines)), [_machine(each, figures) for each in machines])
    axes.invert_yaxis()
    axes.set_xlim(0, max(totals) * 1.2)
    axes.grid(axis="x", color=GRID, zorder=0)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("LUT4 or LC")
    figure.legend(
        loc="outside lower center", ncols=5, frameon=False, fontsize=9, handlelength=1,
        columnspacing=1.4,
    )
    head(figure, *PARTS_TITLE)
    return figure


def _shown(result: Result, figures: Figures) -> bool:
    kind = result.job.kind
    return kind not in WITHOUT_DSP or kind == figures.best.get(result.job.target)


def _machine(result: Result, figures: Figures) -> str:
    job = result.job
    short = KINDS[job.kind].label if job.kind not in WITHOUT_DSP else "MAC, no DSP"
    return f"{FAMILY[job.target]} {short}\n{job.lanes} x {job.columns}"


def _lut(result: Result, part: str) -> int:
    return result.synthesis.parts.get(part, {}).get("lut", 0)


def _lut_sum(result: Result) -> int:
    return sum(each.get("lut", 0) for each in result.synthesis.parts.values())
