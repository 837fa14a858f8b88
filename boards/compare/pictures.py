"""The figures as pictures, SVG and PNG."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from boards.compare.bars import area, work
from boards.compare.derive import Figures
from boards.compare.results import Results
from boards.compare.stacks import parts
from boards.compare.style import STYLE, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(results: Results, figures: Figures, out: Path) -> list[Path]:
    """Draw every picture that has something to show into the folder `out`."""
    import matplotlib as mpl

    mpl.use("Agg")
    made: list[Path] = []
    pictures: dict[str, Callable[[Results, Figures], Figure | None]] = {
        "lut": area,
        "work": work,
        "parts": parts,
    }
    with mpl.rc_context(STYLE):
        for stem, picture in pictures.items():
            figure = picture(results, figures)
            if figure is not None:
                made += save(figure, out, stem)
    return made
