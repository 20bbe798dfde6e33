"""What the pictures of the documentation have in common: colours, sizes, and how they are saved."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

INK = "#222222"
MUTED = "#5f5f5f"
GRID = "#e3e3e3"
# Of the three members, and of the entries of a row: dark enough on white, and apart in grey, too.
MEMBERS = {"α = 1": "#b3541e", "α = 1.5": "#7a4ea3", "α = 2": "#1f6f8b"}
ENTRIES = ("#16425b", "#2a7f9e", "#57a773", "#e0a030", "#c8553d", "#8c8c8c")

STYLE = {
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titlecolor": INK,
    "font.family": "DejaVu Sans",  # it comes with matplotlib
    "font.size": 11,
    "legend.frameon": False,
    "savefig.facecolor": "white",
    "svg.hashsalt": "zeta",  # so that the same picture is the same file
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def new_figure(width: float, height: float) -> Figure:
    """A figure made without pyplot draws to a file and needs no display."""
    matplotlib.rcParams.update(STYLE)
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def save(figure: Figure, path: Path) -> None:
    undated = {"Date": None} if path.suffix == ".svg" else {"Software": None}
    figure.savefig(path, metadata=undated)
