"""Results as tables for people."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from golden.clip import ClipScore
from hw.config import Config

if TYPE_CHECKING:  # what needs torch is not loaded to print a table
    from golden.evaluate import Evaluation


def table(title: str, columns: Iterable[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; the first column names things, the others are figures."""
    drawn = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for i, name in enumerate(columns):
        drawn.add_column(name, justify="right" if i else "left")
    for row in rows:
        drawn.add_row(*row)
    Console().print(drawn)


def count(value: object) -> str:
    """Write a whole number with commas, and a missing one as a dash."""
    return "-" if value is None else f"{value:,}"


def score(result: ClipScore, engine: str, seconds: float) -> None:
    """Print the scores of every window and their mean."""
    rows = [
        [f"{window.start:g} s", count(window.cycles), *numbers(window.scores)]
        for window in result.windows
    ]
    rows.append(["mean", count(result.cycles), *numbers(result.scores)])
    table(f"{engine}, {seconds:.2f} s", ["window", "cycles", *result.scores], rows)


def evaluation(result: "Evaluation") -> None:
    """Print how well a network predicts."""
    rows = [
        ["mixes", count(result.n)],
        ["PCC", f"{result.pcc:.4f}"],
        ["its 95 % interval", f"{result.pcc_low:.4f} to {result.pcc_high:.4f}"],
        ["SRCC", f"{result.srcc:.4f}"],
        ["MSE", f"{result.mse:.4f}"],
    ]
    rows += [
        [f"{layer.name}: integers unlike floats", f"{layer.mismatches:,} of {layer.elements:,}"]
        for layer in result.layers
    ]
    table("evaluation", ["", ""], rows)


def presets(known: dict[str, Config]) -> None:
    """Print every parameter of every preset."""
    names = [field.name for field in fields(Config)]
    rows = [[name, *(str(getattr(config, name)) for config in known.values())] for name in names]
    table("presets", ["parameter", *known], rows)


def numbers(scores: dict[str, float]) -> list[str]:
    """Write scores with four decimals."""
    return [f"{value:.4f}" for value in scores.values()]
