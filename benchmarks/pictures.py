"""The pictures: time against a copy's over the row length, and bandwidth of every regime."""

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.inputs import ADVERSARIAL, NORMAL
from benchmarks.statistics import geometric_mean

INK = "#333333"
ACCENT = "#2a6f97"
GREY = "#b8b8b8"
STYLE = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": "medium",
    "figure.dpi": 150,
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
}


def draw_ratios(measurements: pd.DataFrame, path: Path) -> None:
    """A panel for each dtype and group of families, a line for each k."""
    rows = measurements.query("suite == 'forward' and baseline == 'copy_'")
    if rows.empty:
        return
    groups = {"N(0,1), N(0,5), N(0,0.1)": NORMAL, ", ".join(ADVERSARIAL): ADVERSARIAL}
    dtypes = ("float32", "bfloat16")
    with plt.rc_context(STYLE):
        figure, panels = plt.subplots(
            len(groups), len(dtypes), sharex=True, sharey=True, figsize=(8, 6), squeeze=False
        )
        for line, (title, families) in zip(panels, groups.items(), strict=True):
            for axes, dtype in zip(line, dtypes, strict=True):
                chosen = rows[rows["family"].isin(families) & (rows["dtype"] == dtype)]
                _draw_ratio_panel(axes, chosen)
                axes.set_title(f"{dtype}: {title}")
        for axes in panels[-1]:
            axes.set_xlabel("row length n")
        for axes in panels[:, 0]:
            axes.set_ylabel("time / time of copy_")
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        figure.set_layout_engine("constrained")
        _save(figure, path)


def _draw_ratio_panel(axes: Axes, rows: pd.DataFrame) -> None:
    limits = sorted(rows.loc[rows["k"] < rows["length"], "k"].unique())
    limits = [k for k in limits if k <= 1024]
    shades = plt.get_cmap("viridis")
    for index, k in enumerate(limits):
        _draw_ratio_line(axes, rows[rows["k"] == k], f"k = {k}", shades(index / len(limits)))
    _draw_ratio_line(axes, rows[rows["k"] == rows["length"]], "k = n", "#d1495b")
    axes.axhline(1, color=INK, linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter("{x:g}")


def _draw_ratio_line(axes: Axes, rows: pd.DataFrame, label: str, color: object) -> None:
    line = rows.groupby("length")["ratio"].agg(geometric_mean)
    axes.plot(line.index, line, label=label, color=color, marker=".", linewidth=1.2)


def draw_bandwidths(regimes: pd.DataFrame, path: Path) -> None:
    """A bar for each regime, a mark where a copy of the same rows lies."""
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8, 0.42 * len(regimes) + 1.2))
        places = range(len(regimes))
        axes.barh(places, regimes["zeta"], color=ACCENT, height=0.6, label="zeta")
        axes.scatter(
            regimes["copy"], places, color=INK, marker="|", s=220, linewidth=2, label="copy"
        )
        axes.set_yticks(places, regimes["regime"])
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.set_axisbelow(True)
        axes.set_xlabel("GB/s: bytes of the logits and of the result / time")
        figure.legend(loc="outside upper right", ncols=2)
        figure.set_layout_engine("constrained")
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    # Without the version of matplotlib, so that the same numbers make the same file.
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
