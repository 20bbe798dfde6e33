"""What alpha and the cap k do to the weights of a row."""

from pathlib import Path
from typing import Any

import numpy
import torch
from gallery_style import ENTRIES, GRID, INK, MEMBERS, MUTED, new_figure, save
from matplotlib.axes import Axes
from torch import Tensor

from zeta.ops import entmax

ROW = torch.tensor([0.9, 0.7, 0.5, 0.4, 0.2, 0.0], dtype=torch.float64)
ALPHAS = dict(zip(MEMBERS, (1.0, 1.5, 2.0), strict=True))
NAMES = {"α = 1": "topk_softmax", "α = 1.5": "entmax15", "α = 2": "sparse_softmax"}


def draw_caps(path: Path) -> None:
    """The weights of one row for each k, a panel for each alpha."""
    figure = new_figure(9.6, 3.4)
    panels = figure.subplots(1, len(ALPHAS), sharey=True)
    caps = range(1, len(ROW) + 1)
    for axes, (label, alpha) in zip(panels, ALPHAS.items(), strict=True):
        below = numpy.zeros(len(ROW))
        weights = numpy.stack([entmax(ROW, alpha, k).numpy() for k in caps])
        for entry, colour in enumerate(ENTRIES):
            axes.bar(caps, weights[:, entry], bottom=below, color=colour, width=0.78)
            below = below + weights[:, entry]
        axes.set_title(f"{NAMES[label]}, {label}")
        axes.set_xlabel("k, the most non-zeros")
        axes.set_xticks(list(caps))
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0)
    panels[0].set_ylabel("weights, stacked")
    labels = [f"z = {logit:g}" for logit in ROW.tolist()]
    figure.legend(panels[0].containers, labels, loc="outside right center", reverse=True)
    save(figure, path)


def draw_alphas(path: Path) -> None:
    """The weights of one row against alpha, without a cap and with one."""
    figure = new_figure(9.6, 3.6)
    panels = figure.subplots(1, 2, sharey=True)
    alphas = numpy.concatenate([[1.0], numpy.linspace(1.01, 2, 200)])
    for axes, k in zip(panels, (None, 3), strict=True):
        weights = numpy.stack([entmax(ROW, alpha, k).numpy() for alpha in alphas.tolist()])
        for entry, colour in enumerate(ENTRIES):
            label = f"z = {ROW[entry]:g}"
            axes.plot(alphas, weights[:, entry], color=colour, linewidth=2, label=label)
        axes.set_title("no cap" if k is None else f"k = {k}")
        axes.set_xlabel("α")
        axes.set_xticks([1, 1.25, 1.5, 1.75, 2])
        axes.set_xlim(1, 2)
        axes.set_ylim(-0.01)
        axes.grid(color=GRID)
    panels[0].set_ylabel("weight")
    figure.get_layout_engine().set(wspace=0.08)  # between the numbers of both axes
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center")
    save(figure, path)


THREE = torch.tensor([0.8, 0.3, 0.1], dtype=torch.float64)
CORNERS = numpy.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])


def draw_triangle(path: Path) -> None:
    """Three logits: each vector of weights is a point of a triangle."""
    figure = new_figure(9.6, 4.0)
    left, right = figure.subplots(1, 2)
    _draw_frame(left, "One row, α from 1 to 2")
    _draw_paths_of_alpha(left)
    _draw_frame(right, "The row times t, no cap")
    _draw_paths_of_scale(right)
    save(figure, path)


def _draw_frame(axes: Axes, title: str) -> None:
    axes.set_title(title)
    axes.fill(*CORNERS.T, facecolor="#f6f6f4", edgecolor=MUTED, linewidth=1)
    for share in (0.25, 0.5, 0.75):
        for corner in range(3):
            ends = numpy.zeros((2, 3))
            ends[:, corner] = share
            ends[0, (corner + 1) % 3] = ends[1, (corner + 2) % 3] = 1 - share
            axes.plot(*(ends @ CORNERS).T, color=GRID, linewidth=0.8, zorder=1)
    places = (((-0.05, -0.03), "right"), ((1.05, -0.03), "left"), ((0.5, 0.96), "center"))
    for entry, (place, side) in enumerate(places):
        axes.text(*place, f"p = 1 at\nz = {THREE[entry]:g}", ha=side, va="center", color=INK)
    axes.set_xlim(-0.28, 1.28)
    axes.set_ylim(-0.12, 1.03)
    axes.set_aspect("equal")
    axes.set_axis_off()


def _draw_paths_of_alpha(axes: Axes) -> None:
    alphas = [1.0, *numpy.linspace(1.01, 2, 100).tolist()]
    for k in (3, 2):
        line = _points([entmax(THREE, alpha, k) for alpha in alphas])
        axes.plot(*line.T, color=INK, linewidth=1.6, zorder=3, clip_on=False)
    for label, alpha in ALPHAS.items():
        stops = _points([entmax(THREE, alpha, k) for k in (3, 2, 1)])
        axes.plot(*stops.T, ":", color=MEMBERS[label], linewidth=1.6, zorder=2, clip_on=False)
        axes.plot(
            *stops.T, "o", color=MEMBERS[label], markersize=8, label=label, zorder=4, clip_on=False
        )
    for k, place in ((3, (0.43, 0.26)), (2, (0.31, -0.07)), (1, (-0.08, 0.1))):
        axes.text(*place, f"k = {k}", ha="center", va="center", color=INK)
    axes.legend(loc="upper left", bbox_to_anchor=(-0.04, 0.98))


def _draw_paths_of_scale(axes: Axes) -> None:
    scales = numpy.concatenate([numpy.linspace(0, 4, 200), numpy.geomspace(4, 40, 60)]).tolist()
    for label, alpha in ALPHAS.items():
        line = _points([entmax(THREE * scale, alpha) for scale in scales])
        colour = MEMBERS[label]
        axes.plot(*line.T, color=colour, linewidth=2.2, label=label, zorder=3, clip_on=False)
        at_1 = _points([entmax(THREE, alpha)])
        axes.plot(*at_1.T, "o", color=colour, markersize=8, zorder=4)
    centre = CORNERS.mean(0)
    axes.plot(*centre, "o", color=INK, markersize=6, zorder=4)
    axes.text(centre[0] + 0.03, centre[1] + 0.01, "t = 0", va="bottom", color=INK)
    axes.text(0.0, 0.72, "dots: t = 1", ha="left", va="center", color=MUTED)


def _points(weights: list[Tensor]) -> numpy.ndarray:
    return torch.stack(weights).numpy() @ CORNERS


LABEL: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "color": "white",
    "bbox": {"facecolor": INK, "edgecolor": "none", "alpha": 0.55, "boxstyle": "round,pad=0.25"},
}


def draw_plane(path: Path) -> None:
    """The weights of all rows of three logits, as a mixture of three colours."""
    figure = new_figure(9.6, 6.6)
    panels = figure.subplots(2, len(ALPHAS))
    rows, reach = _plane()
    for line, k in zip(panels, (3, 2), strict=True):
        for axes, (label, alpha) in zip(line, ALPHAS.items(), strict=True):
            weights = entmax(rows, alpha, k)
            axes.imshow(_mixture(weights), origin="lower", extent=(-reach, reach) * 2)
            support = (weights > 0).to(torch.float64) @ torch.tensor([1.0, 2.0, 4.0]).double()
            _draw_borders(axes, support, reach)
            axes.set_title(f"{label}, {'no cap' if k == 3 else f'k = {k}'}")
            axes.set_xticks([])
            axes.set_yticks([])
            for spine in axes.spines.values():
                spine.set_visible(False)
            angles = numpy.deg2rad((90, 210, 330))
            for entry, angle in enumerate(angles, start=1):
                place = (0.78 * reach * numpy.cos(angle), 0.78 * reach * numpy.sin(angle))
                axes.text(*place, f"z{'₁₂₃'[entry - 1]}", **LABEL)
    save(figure, path)


def _plane(size: int = 301, reach: float = 2.2) -> tuple[Tensor, float]:
    """Rows that sum to 0: to add a number to all logits of a row changes no weight."""
    steps = torch.linspace(-reach, reach, size, dtype=torch.float64)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    angles = torch.deg2rad(torch.tensor([90.0, 210.0, 330.0], dtype=torch.float64))
    rows = x.unsqueeze(-1) * angles.cos() + y.unsqueeze(-1) * angles.sin()
    return rows * (2 / 3) ** 0.5, reach


def _mixture(weights: Tensor) -> numpy.ndarray:
    bases = numpy.array([[0.09, 0.26, 0.36], [0.75, 0.33, 0.12], [0.36, 0.60, 0.38]])
    return numpy.sqrt(weights.numpy() @ bases**2)


def _draw_borders(axes: Axes, support: Tensor, reach: float) -> None:
    """White lines where another set of entries has weights."""
    changes = numpy.zeros(support.shape)
    numbers = support.numpy()
    changes[:, 1:] += numbers[:, 1:] != numbers[:, :-1]
    changes[1:] += numbers[1:] != numbers[:-1]
    steps = numpy.linspace(-reach, reach, len(numbers))
    axes.contour(steps, steps, changes > 0, levels=[0.5], colors="white", linewidths=0.7)
