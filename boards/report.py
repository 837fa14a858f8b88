"""Results as tables for people."""

from collections.abc import Iterable, Sequence
from dataclasses import fields

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from golden.clip import ClipScore
from hw.config import Config


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


def presets(known: dict[str, Config]) -> None:
    """Print every parameter of every preset."""
    names = [field.name for field in fields(Config)]
    rows = [[name, *(str(getattr(config, name)) for config in known.values())] for name in names]
    table("presets", ["parameter", *known], rows)


def numbers(scores: dict[str, float]) -> list[str]:
    """Write scores with four decimals."""
    return [f"{value:.4f}" for value in scores.values()]
