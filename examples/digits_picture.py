"""The picture: where on each digit the attention went, softmax beside the sparse softmax."""

from pathlib import Path
from typing import Any

import numpy
from digits import CLASSES, PATCHES, Digits, Evaluation
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from torch import Tensor

# The palest colours are left out, so that the smallest weight does not look like 0.
COLOURS = LinearSegmentedColormap.from_list(
    "attention", colormaps["YlOrRd"](numpy.linspace(0.2, 1, 256))
)
INK = "#222222"
MUTED = "#6b6b6b"


def save_picture(path: Path, test: Digits, softmax: Evaluation, sparse: Evaluation) -> None:
    """Draw the first test image of each digit, and the attention that its patches received."""
    chosen = [int((test.labels == digit).nonzero()[0]) for digit in range(CLASSES)]
    highest = max(float(evaluation.attention[chosen].max()) for evaluation in (softmax, sparse))
    # A square-root scale keeps the small weights of softmax visible.
    scale = PowerNorm(0.5, vmin=0, vmax=highest)

    # A Figure made without pyplot draws to a file and needs no display.
    figure = Figure(figsize=(10, 4), dpi=150, facecolor="white")
    axes = figure.subplots(3, CLASSES)
    figure.subplots_adjust(left=0.218, right=0.91, top=0.77, bottom=0.07, hspace=0.3, wspace=0.11)
    for column, index in enumerate(chosen):
        image = test.images[index, 0]
        draw_image(axes[0, column], image)
        draw_attention(axes[1, column], image, softmax.attention[index], scale)
        draw_attention(axes[2, column], image, sparse.attention[index], scale)

    label_row(figure, axes[0, 0], "image", "one patch around\neach of 64 pixels")
    label_row(figure, axes[1, 0], "softmax", describe(softmax))
    label_row(figure, axes[2, 0], "sparse_softmax", describe(sparse))
    add_title(figure)
    add_scale(figure, axes[1, -1], axes[2, -1], scale)
    figure.savefig(path)


def draw_image(axes: Axes, image: Tensor) -> None:
    axes.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
    finish(axes)


def draw_attention(axes: Axes, image: Tensor, attention: Tensor, scale: PowerNorm) -> None:
    """Colour each patch by its attention, over a faint image; a patch of exactly 0 has no colour."""
    axes.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=2.4)
    shares = attention.numpy()
    heights = scale(shares)
    colours = COLOURS(heights)
    colours[..., 3] = numpy.where(shares == 0, 0, 0.5 + 0.45 * heights)
    axes.imshow(colours)
    finish(axes)
    axes.set_xlabel(f"{(shares > 0).sum()} of {PATCHES}", fontsize=9, color=MUTED, labelpad=3)


def finish(axes: Axes) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#cccccc")


def label_row(figure: Figure, first: Axes, name: str, description: str) -> None:
    box = first.get_position()
    right, middle = box.x0 - 0.012, (box.y0 + box.y1) / 2
    name_style: dict[str, Any] = {"fontsize": 13, "color": INK, "weight": "bold", "va": "bottom"}
    description_style: dict[str, Any] = {
        "fontsize": 10,
        "color": MUTED,
        "linespacing": 1.4,
        "va": "top",
    }
    figure.text(right, middle + 0.025, name, ha="right", **name_style)
    figure.text(right, middle + 0.012, description, ha="right", **description_style)


def describe(evaluation: Evaluation) -> str:
    return (
        f"{evaluation.accuracy:.1%} of test images right\n"
        f"{evaluation.zero_share:.1%} of weights exactly 0"
    )


def add_title(figure: Figure) -> None:
    title = "Where the classifier looks"
    subtitle = (
        "Attention that each patch received from eight queries, and how many received some.\n"
        "With sparse_softmax, k = 3, a query reads at most three; the others weigh exactly nothing."
    )
    figure.text(0.02, 0.945, title, fontsize=16, color=INK, weight="bold", va="center")
    figure.text(0.02, 0.9, subtitle, fontsize=11, color=MUTED, va="top", linespacing=1.4)


def add_scale(figure: Figure, upper: Axes, lower: Axes, scale: PowerNorm) -> None:
    bottom, top = lower.get_position().y0, upper.get_position().y1
    bar = figure.colorbar(
        ScalarMappable(scale, COLOURS), cax=figure.add_axes((0.93, bottom, 0.011, top - bottom))
    )
    bar.set_label("share of attention", fontsize=10, color=MUTED)
    bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    bar.ax.tick_params(labelsize=9, colors=MUTED)
    bar.outline.set_edgecolor("#cccccc")
