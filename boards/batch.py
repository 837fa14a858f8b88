"""Scores of many files as lines, each whole when it is written: CSV or JSON."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from golden.scoring import FileScore


def write(
    results: Iterable[FileScore], total: int, names: Sequence[str], *, as_json: bool = False,
) -> list[FileScore]:
    """Print a line for every file that was read, as it comes; return the others.

    A line is written and flushed in one piece, so what stands there when all is interrupted is
    whole. A bar on stderr, where that is a terminal, tells how far it is.

    Parameters
    ----------
    results
        Of `golden.scoring.score`.
    total
        How many will come.
    names
        Names of the outputs, in the network's order.
    as_json
        One JSON object a line instead of CSV with a header.
    """
    unreadable = []
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("scoring"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
        # Elsewhere the lines would go where the bar goes.
        redirect_stdout=sys.stdout.isatty(),
    )
    with progress:
        bar = progress.add_task("scoring", total=total)
        if not as_json:
            _put(_csv(["file", "windows", *names]))
        for one in results:
            if one.error is not None:
                unreadable.append(one)
            elif as_json:
                _put(json.dumps({"file": one.file, "windows": one.windows, "scores": one.scores}))
            else:
                _put(_csv([one.file, one.windows, *(one.scores[name] for name in names)]))
            progress.advance(bar)
    return unreadable


def _put(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _csv(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()
