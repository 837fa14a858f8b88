"""The experiment's pictures: figures 1 to 3 of the paper, the trainings, and memory."""

from typing import TYPE_CHECKING

import numpy as np

from boards.compare.style import GRID, INK, PALE, head
from boards.experiment.tables import NAMES, name
from golden.experiment import memory
from golden.experiment.reading import SETS, VARIANTS
from golden.experiment.records import Results, Run
from golden.experiment.summary import MEASURES, across
from golden.experiment.surrogate import bits, derivative
from golden.network import Network

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "float": "#c4552d", "bam": "#4a90c4", "bam-w8": "#14507d", "a8w8": "#f0a04b",
    "maxima-codes": "#7a5ba6", "maxima-2bit": "#a98bd0",
}
BETAS = {1.0: "#14507d", 5.0: "#4a90c4", 20.0: "#9fc5e8"}
"""Trained with, the paper's example, and its sequel."""
BLUE, ORANGE = COLOURS["bam-w8"], COLOURS["float"]
SHORT = {
    "float": "float\nReLU", "bam": "BAM", "bam-w8": "BAM +\n8-bit weights", "a8w8": "8-bit\nall",
}


def surrogate() -> "Figure":
    """Draw figure 1: the bit that is fired, and the derivative that training sees instead."""
    from matplotlib.figure import Figure as New

    figure = New(figsize=(8.6, 3.4))
    left, right = figure.subplots(1, 2)
    u = np.linspace(-3, 3, 601)
    left.plot(u, bits(u), color=INK, linewidth=1.6)
    left.set_title("forward: 1 where u > 0")
    for beta, colour in BETAS.items():
        right.plot(u, derivative(u, beta), color=colour, linewidth=1.6, label=f"beta {beta:g}")
    right.set_title("backward: 1 / (beta |u| + 1)²")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel("pre-activation u")
        axes.grid(color=GRID)
    head(figure, "The surrogate", "as the layer itself gives it; peak 1 for every beta")
    return figure


def metrics(results: Results) -> "Figure | None":
    """Draw figure 2: MSE, PCC and SRCC of the four variants, known and unseen kinds."""
    from matplotlib.figure import Figure as New

    if not any(results.of(variant) for variant in VARIANTS):
        return None
    figure = New(figsize=(8.6, 3.8))
    for axes, (measure, read) in zip(figure.subplots(1, 3), MEASURES.items(), strict=True):
        for which, shift, colour in zip(SETS, (-0.16, 0.16), (BLUE, ORANGE), strict=True):
            for place, variant in enumerate(VARIANTS):
                found = across(results.of(variant), which, read)
                if found is None:
                    continue
                at = place + shift
                axes.errorbar(
                    [at], [found.mean], yerr=[found.deviation or 0], fmt="o", color=colour,
                    markersize=5, capsize=4 if found.deviation is not None else 0, zorder=3,
                )
                single = [read(run.metrics[which]) for run in results.of(variant)
                          if which in run.metrics]
                axes.plot(
                    [at + 0.1] * len(single), single, ".", color=PALE, markersize=4, zorder=2,
                )
        ns = [len(results.of(variant)) for variant in VARIANTS]
        labels = [f"{SHORT[v]}\nn = {n}" for v, n in zip(VARIANTS, ns, strict=True)]
        axes.set_xticks(range(len(VARIANTS)), labels, fontsize=7.5)
        axes.set_xlim(-0.5, len(VARIANTS) - 0.5)
        axes.grid(axis="y", color=GRID)
        axes.set_title(measure)
    below = "mean and deviation over seeds, small: each; blue: known kinds, orange: unseen kinds"
    head(figure, "Test figures", below)
    return figure


def first_runs(results: Results) -> dict[str, Run]:
    """Return the run of the least seed of each of the four variants that predicts known clips."""
    found = {
        variant: [run for run in results.of(variant) if SETS[0] in run.predictions]
        for variant in VARIANTS
    }
    return {variant: runs[0] for variant, runs in found.items() if runs}


def scatter(results: Results) -> "Figure | None":
    """Draw figure 3: predictions against labels, and those of two variants against each other."""
    from matplotlib.figure import Figure as New
    from matplotlib.ticker import MultipleLocator

    runs = first_runs(results)
    if not runs:
        return None
    labels = results.sets[SETS[0]].labels
    panels = [(labels, "PESQ", run) for run in runs.values()]
    if "float" in runs:
        base = runs["float"]
        panels += [
            (base.predictions[SETS[0]], base.name, run)
            for variant, run in runs.items() if variant != "float"
        ]
    columns = len(runs)
    rows = -(-len(panels) // columns)
    figure = New(figsize=(2.6 * columns + 0.6, 2.7 * rows + 0.9))
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    values = np.concatenate([labels, *(run.predictions[SETS[0]] for run in runs.values())])
    low, high = float(values.min()) - 0.1, float(values.max()) + 0.1
    for axes, (across_x, what, run) in zip(grid, panels, strict=False):
        axes.plot([low, high], [low, high], color=PALE, linewidth=0.8, zorder=1)
        axes.scatter(
            across_x, run.predictions[SETS[0]], s=5, color=COLOURS[run.variant], alpha=0.5,
            linewidths=0, zorder=2, rasterized=True,
        )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MultipleLocator(1))
        axes.set_axisbelow(True)
        axes.set_xlabel(what)
        axes.set_title(run.name)
        axes.grid(color=GRID)
    for axes in grid[len(panels):]:
        axes.set_axis_off()
    head(figure, "Predictions", f"known kinds, {labels.size} clips, the first seed of each variant")
    return figure


def history(results: Results) -> "Figure | None":
    """Draw the trainings of the four variants, epoch by epoch, one line a seed."""
    from matplotlib.figure import Figure as New
    from matplotlib.ticker import MaxNLocator

    runs = [run for run in results.runs if run.variant in VARIANTS and run.history]
    if not runs:
        return None
    figure = New(figsize=(8.6, 3.4))
    left, right = figure.subplots(1, 2)
    seen: set[str] = set()
    for run in runs:
        epochs = [line.epoch for line in run.history]
        for axes, values in (
            (left, [line.train_loss for line in run.history]),
            (right, [line.valid_pcc for line in run.history]),
        ):
            axes.plot(
                epochs, values, color=COLOURS[run.variant], linewidth=1.3,
                marker="." if len(epochs) == 1 else None,
                label=None if run.variant in seen else NAMES[run.variant],
            )
        seen.add(run.variant)
    left.set_title("training loss")
    right.set_title("validation PCC")
    right.legend(frameon=False, fontsize=8)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color=GRID)
    head(figure, "Trainings", "one line a seed")
    return figure


def memory_bars(network: Network) -> "Figure":
    """Draw activations and weights under every buffer model, one bar a variant."""
    from matplotlib.figure import Figure as New

    figure = New(figsize=(8.6, 9.0))
    grid = figure.subplots(len(memory.MODELS), 1)
    for axes, model in zip(grid, memory.MODELS, strict=True):
        _bars(axes, network, model)
        axes.set_title(model)
    grid[-1].set_xlabel("kB of 1000 bytes; every model has its own scale")
    below = "colour: activations, grey: weights; in brackets how many times less than the baseline"
    head(figure, "Memory by what is held at once", below)
    return figure


def _bars(axes: "Axes", network: Network, model: str) -> None:
    """Draw one bar a variant: activations, behind them weights."""
    for place, (variant, widths) in enumerate(memory.VARIANTS.items()):
        maps = memory.MODELS[model](network, widths) / 8000
        weights = memory.weight_bits(network, widths) / 8000
        axes.barh([place], [maps], 0.7, color=COLOURS[variant], zorder=2)
        axes.barh([place], [weights], 0.7, left=[maps], color=PALE, zorder=2)
        axes.annotate(
            f"{maps + weights:,.0f}  ({memory.factor(network, model, variant):.1f})",
            (maps + weights, place), xytext=(4, 0), textcoords="offset points", va="center",
            fontsize=8.5,
        )
    axes.set_xlim(0, 1.15 * memory.total_bits(network, model, "float") / 8000)
    labels = [name(variant).partition(",")[0] for variant in memory.VARIANTS]
    axes.set_yticks(range(len(labels)), labels, fontsize=8.5)
    axes.invert_yaxis()
    axes.grid(axis="x", color=GRID, zorder=0)
    axes.set_axisbelow(True)
