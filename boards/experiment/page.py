"""`docs/experiment.md`: the page, its pictures and its figures, without training anything.

Made from the results folder, the shipped network, the demo clip and the presets alone; the same of
these give the same bytes.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from boards.experiment import pictures, prose, tables
from boards.experiment.figures import Material, as_dict, gather
from golden.experiment import reading
from golden.experiment.fields import ResultsError
from golden.experiment.reading import ABLATIONS, SETS, TEACHER, VARIANTS
from golden.experiment.summary import missing, settings
from golden.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTES = "notes.md"
"""In the results folder: what helped and what did not, in the words of who measured it."""


def make(results: Path, out: Path) -> Material:
    """Write the page, its figures and its pictures.

    Parameters
    ----------
    results
        The folder that `golden.experiment.reading` describes.
    out
        Gets ``experiment.md``, and the folder ``experiment`` with ``figures.json`` and pictures.

    Raises
    ------
    FileNotFoundError, ResultsError
        The results are missing or broken; nothing is written.
    DisagreementError
        A stored figure is not what its predictions and labels give; nothing is written.
    """
    loaded = reading.load(results)
    material = gather(loaded, _notes(results))
    beside = out / "experiment"
    beside.mkdir(parents=True, exist_ok=True)
    drawn = _draw(material, beside)
    figures = json.dumps(as_dict(material), indent=1) + "\n"
    write_whole(beside / "figures.json", figures.encode())
    write_whole(out / "experiment.md", text(material, drawn).encode())
    return material


def _notes(results: Path) -> str:
    path = results / NOTES
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        raise ResultsError(f"{NOTES} must be UTF-8 text") from None


def _draw(material: Material, out: Path) -> set[str]:
    """Draw what there is to show, remove what there is no longer; return the stems drawn."""
    import matplotlib as mpl

    from boards.compare.style import STYLE, save

    mpl.use("Agg")
    results, network = material.results, material.network
    every: dict[str, Callable[[], Figure | None]] = {
        "surrogate": pictures.surrogate,
        "metrics": lambda: pictures.metrics(results),
        "scatter": lambda: pictures.scatter(results),
        "history": lambda: pictures.history(results),
        "memory": lambda: pictures.memory_bars(network),
    }
    drawn = set()
    with mpl.rc_context(STYLE):
        for stem, picture in every.items():
            figure = picture()
            if figure is None:
                for ending in ("svg", "png"):
                    (out / f"{stem}.{ending}").unlink(missing_ok=True)
            else:
                save(figure, out, stem)
                drawn.add(stem)
    return drawn


def text(material: Material, drawn: set[str]) -> str:
    """Write the page; `drawn` are the pictures that there are."""

    def picture(stem: str, says: str) -> list[str]:
        return [f"![{says}](experiment/{stem}.svg)", ""] if stem in drawn else []

    sections = [
        _head(material),
        _quality(material, picture),
        _training(material, picture),
        _memory(material, picture),
        _work(material),
    ]
    lines = [line for section in sections for line in section]
    while lines and not lines[-1]:
        lines.pop()
    return "\n".join(lines) + "\n"


Picture = Callable[[str, str], list[str]]


def _head(material: Material) -> list[str]:
    lacking = missing(material.results)
    names = ", ".join(f"{number} of `{variant}`" for variant, number in lacking.items())
    count = sum(lacking.values())
    state = f"**Runs that are missing: {count}**, {names}." if names else "No run is missing."
    return [
        "# The paper's experiment", "",
        prose.HEAD, "",
        state if material.results.runs else prose.NO_RUNS, "",
        *tables.runs(material.results), "",
        "## What is asked", "",
        *tables.claims(material.claims), "",
    ]


def _quality(material: Material, picture: Picture) -> list[str]:
    results = material.results
    lines = ["## Prediction of PESQ (the paper's figure 2)", ""]
    if not results.runs:
        return [*lines, "Not measured yet.", "", *_surrogate(picture)]
    lines += picture("metrics", "MSE, PCC and SRCC of the four variants")
    for which in SETS:
        says = tables.SET_NAMES[which]
        clips = results.sets[which].labels.size
        lines += [f"### {says.capitalize()}, {clips:,} clips", ""]
        lines += [*tables.metrics(results, VARIANTS, which), ""]
    for which in (each + TEACHER for each in SETS):
        if any(which in run.metrics for run in results.runs):
            says = tables.SET_NAMES[which.removesuffix(TEACHER)]
            lines += [f"### The teacher's MOS, {says}", ""]
            lines += [*tables.metrics(results, VARIANTS, which), ""]
    lines += ["### Integer networks, as exported", ""]
    if any(run.integer is not None for run in results.runs):
        lines += [*tables.integers(results), ""]
        stored = [f"`{r.name}`" for r in results.runs if r.integer and r.integer.as_stored]
        if stored:
            lines += [f"Stored without predictions, so not computed anew: {', '.join(stored)}.", ""]
    else:
        lines += ["Not measured yet.", ""]
    lines += ["### Mean squared error by kind of distortion", "", *tables.kinds(results), ""]
    lines += ["## Predictions (the paper's figure 3)", ""]
    found = picture("scatter", "predictions against PESQ, and of two variants against each other")
    lines += found or ["Not measured yet.", ""]
    return [*lines, *_surrogate(picture)]


def _surrogate(picture: Picture) -> list[str]:
    return [
        "## The surrogate (the paper's figure 1)", "",
        *picture("surrogate", "the step, and the derivative that training sees"),
    ]


def _training(material: Material, picture: Picture) -> list[str]:
    results = material.results
    lines = ["## Ablations", ""]
    extra = [run.variant for run in results.runs if run.variant not in VARIANTS]
    names = [*ABLATIONS, *(each for each in dict.fromkeys(extra) if each not in ABLATIONS)]
    if extra:
        shown = ["bam-w8", *(each for each in names if each in extra)]
        lines += [*prose.ABLATIONS.splitlines(), ""]
        lines += [*tables.metrics(results, shown, SETS[0]), ""]
    absent = ", ".join(f"`{each}`" for each in missing(results) if each not in VARIANTS)
    lines += [f"Not measured yet: {absent}.", ""] if absent else []
    lines += ["## Trainings", ""]
    if not results.runs:
        lines += ["None yet.", ""]
    else:
        lines += [*picture("history", "loss and validation PCC by epoch")]
        lines += [*tables.trainings(results), "", *_recipe(material)]
    lines += ["## What helped, and what did not", ""]
    return [*lines, material.notes.strip() or "Nothing is noted yet.", ""]


def _recipe(material: Material) -> list[str]:
    shared, single = settings(material.results)
    lines = [f"Data `{material.results.data}`.", ""]
    if shared:
        said = ", ".join(f"{key} {value}" for key, value in sorted(shared.items()))
        lines += [f"Settings of all runs: {said}.", ""]
    own = {run: keys for run, keys in single.items() if keys}
    if own:
        rows = [
            (f"`{run}`", ", ".join(f"{key} {value}" for key, value in sorted(keys.items())))
            for run, keys in own.items()
        ]
        lines += [*tables.table(("run", "settings of its own"), rows, words=2), ""]
    versions = sorted({f"{k} {v}" for run in material.results.runs for k, v in run.tools.items()})
    return [*lines, f"Tools: {', '.join(versions)}.", ""] if versions else lines


def _memory(material: Material, picture: Picture) -> list[str]:
    return [
        "## Memory", "",
        prose.MEMORY, "",
        *picture("memory", "memory of activations and weights by buffer model"),
        *tables.buffers(material.network), "",
        "### Held against the generated machines", "",
        prose.MACHINES, "",
        *tables.machine_memory(material.network, material.machines), "",
    ]


def _work(material: Material) -> list[str]:
    found = prose.MULTIPLIERS.format(
        machine=material.multiplier_machine, count=material.multipliers,
    )
    windows = f"{material.windows} window{'s' * (material.windows != 1)}"
    lines = [
        "## Work", "",
        prose.WORK, "",
        *tables.products(material.network), "",
        found, "",
        "### Bits that are 1, and accumulates that zero-skipping would spare", "",
        prose.ZEROS.format(windows=windows), "",
        *tables.layer_work(material.work), "",
    ]
    if any(run.ones for run in material.results.runs):
        lines += [prose.ONES, "", *tables.trained_ones(material.results, material.network), ""]
    return lines
