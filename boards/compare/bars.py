"""Pictures of one bar a kind: LUTs a lane x column, and work a LUT."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from boards.compare.derive import FINN_R, Figures, typical
from boards.compare.job import BINARY, TARGETS, WITHOUT_DSP, Target
from boards.compare.results import Result, Results
from boards.compare.rows import FAMILY, LUT, name
from boards.compare.style import GRID, INK, head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINARY_COLOURS = {"gated": "#9fc5e8", "folded": "#4a90c4", "table": "#14507d"}
DSP_COLOUR, MAC_COLOUR = "#f0a04b", "#c4552d"
AREA_TITLE = (
    "What one accumulate costs in area",
    "8-bit weights; activations binary (blue) or 8-bit (orange); dashed: FINN-R's cost model",
)
WORK_TITLE = (
    "What a LUT does in a second",
    "median clock after place and route; more is better",
)


def area(results: Results, figures: Figures) -> "Figure | None":
    """Draw LUTs per lane x column of the arrays, with FINN-R's opinion beside them."""

    def value(result: Result) -> float | None:
        return result.lut_per_cell

    def decorate(axes: "Axes", target: Target) -> None:
        axes.set_xlim(right=max(axes.get_xlim()[1], 1.35 * max(FINN_R.values())))
        for bits, lut in zip(("8 x 1 bit", "8 x 8 bit"), FINN_R.values(), strict=True):
            axes.axvline(lut, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
            axes.annotate(
                f"FINN-R, {bits}: {lut}", (lut, 1), xytext=(-1, 3), color=INK, fontsize=8,
                textcoords="offset points", xycoords=("data", "axes fraction"),
                ha="left", va="bottom",
            )
        axes.set_xlabel(f"{LUT[target]} per lane x column of the array")

    return _bars(results, figures, value, decorate, AREA_TITLE)


def work(results: Results, figures: Figures) -> "Figure | None":
    """Draw accumulates per second and LUT of the arrays that were routed."""

    def value(result: Result) -> float | None:
        fmax = result.fmax_mhz
        return None if fmax is None else fmax * result.job.cells / result.used["lut"]

    def decorate(axes: "Axes", target: Target) -> None:
        axes.set_xlabel(f"million accumulates per second and {LUT[target]}")

    return _bars(results, figures, value, decorate, WORK_TITLE)


def _bars(
    results: Results,
    figures: Figures,
    value: Callable[[Result], float | None],
    decorate: "Callable[[Axes, Target], None]",
    title: tuple[str, str],
) -> "Figure | None":
    """Draw one bar a kind, one panel a target, with the figure at its end."""
    from matplotlib.figure import Figure as New

    panels = {target: _arrays(results, figures, target, value) for target in TARGETS}
    panels = {target: bars for target, bars in panels.items() if bars}
    if not panels:
        return None
    heights = [len(bars) for bars in panels.values()]
    figure = New(figsize=(8.6, 1 + sum(0.42 * n + 1.1 for n in heights)))
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for axes, (target, bars) in zip(grid[:, 0], panels.items(), strict=True):
        numbers = [number for _, number in bars]
        places = range(len(bars))
        axes.barh(places, numbers, 0.68, color=[_colour(each) for each, _ in bars], zorder=2)
        for place, (each, number) in zip(places, bars, strict=True):
            extra = f"  + {_extra(each)}" if _extra(each) else ""
            axes.annotate(
                f"{number:.1f}{extra}", (number, place), xytext=(5, 0), va="center",
                textcoords="offset points", fontsize=9.5, zorder=3,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )
        axes.set_yticks(places, [_label(each, figures) for each, _ in bars])
        axes.invert_yaxis()
        room = 1.35 if any(_extra(each) for each, n in bars if 2 * n > max(numbers)) else 1.16
        axes.set_xlim(0, max(numbers) * room)
        axes.grid(axis="x", color=GRID, zorder=0)
        axes.set_axisbelow(True)
        axes.set_title(FAMILY[target])
        decorate(axes, target)
    head(figure, *title)
    return figure


def _arrays(
    results: Results,
    figures: Figures,
    target: Target,
    value: Callable[[Result], float | None],
) -> list[tuple[Result, float]]:
    """Return one array of every kind with its value; of the MACs without DSP all that have one."""
    found = []
    for kind in (*BINARY, "mac-dsp", *WITHOUT_DSP):
        array = typical(results, target, kind)
        number = None if array is None else value(array)
        if array is not None and number is not None:
            found.append((array, number))
    return found


def _colour(result: Result) -> str:
    kind = result.job.kind
    return BINARY_COLOURS.get(kind, DSP_COLOUR if kind == "mac-dsp" else MAC_COLOUR)


def _label(result: Result, figures: Figures) -> str:
    job = result.job
    return f"{name(result, figures)}  {job.lanes} x {job.columns}"


def _extra(result: Result) -> str:
    """Name the hard blocks that a lane x column takes besides its LUTs."""
    cells, used = result.job.cells, result.used
    found = []
    if used.get("dsp"):
        found.append(f"{used['dsp'] / cells:.3g} DSP")
    if used.get("bram"):
        found.append(f"1/{cells / used['bram']:.3g} block RAM")
    return " + ".join(found)
