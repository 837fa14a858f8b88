"""How all pictures look."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, PALE, GRID = "#1f2933", "#7b8794", "#e4e7eb"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": PALE,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": PALE,
    "ytick.color": INK,
    "ytick.major.size": 0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "svg.hashsalt": "bambino",  # the same picture is the same file
}
DPI = 160


def head(figure: "Figure", text: str, below: str) -> None:
    """Put a title and what must be known to read the picture above it."""
    height = figure.get_figheight()
    figure.text(0.012, 1 - 0.12 / height, text, va="top", fontsize=13.5, fontweight="bold")
    figure.text(0.012, 1 - 0.40 / height, below, va="top", fontsize=9.5, color=PALE)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 1 - 0.62 / height))


def save(figure: "Figure", out: Path, stem: str) -> list[Path]:
    """Save SVG and PNG beside their places and rename them."""
    out.mkdir(parents=True, exist_ok=True)
    made = []
    for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        place = out / f"{stem}.{ending}"
        beside = out / f".{stem}.{os.getpid()}.{ending}"
        try:
            figure.savefig(beside, dpi=DPI, facecolor="white", metadata=metadata)
            beside.replace(place)
        finally:
            beside.unlink(missing_ok=True)
        made.append(place)
    return made
