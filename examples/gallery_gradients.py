"""Where the gradients of the weights flow."""

from pathlib import Path

import numpy
import torch
from gallery_cap import ROW
from gallery_style import INK, MUTED, new_figure, save
from matplotlib.colors import FuncNorm, LinearSegmentedColormap

from zeta.ops import entmax15, sparse_softmax, topk_softmax

PANELS = {
    "softmax": lambda z: topk_softmax(z, len(z)),
    "topk_softmax, k = 3": lambda z: topk_softmax(z, 3),
    "entmax15, no cap": entmax15,
    "sparse_softmax, k = 3": lambda z: sparse_softmax(z, 3),
}
COLOURS = LinearSegmentedColormap.from_list("signs", ["#b3541e", "#ffffff", "#1f6f8b"])


def draw_jacobians(path: Path) -> None:
    """The derivative of each weight by each logit, of one row."""
    figure = new_figure(9.6, 3.3)
    panels = figure.subplots(1, len(PANELS))
    jacobians = [torch.func.jacrev(member)(ROW).numpy() for member in PANELS.values()]
    highest = max(numpy.abs(jacobian).max() for jacobian in jacobians)
    # A square-root scale keeps the small derivatives of softmax visible.
    scale = FuncNorm((_signed_root, _signed_square), -highest, highest)
    for axes, name, jacobian in zip(panels, PANELS, jacobians, strict=True):
        # An entry of exactly 0 has no colour, but a dot.
        drawn = numpy.ma.masked_equal(jacobian, 0)
        image = axes.imshow(drawn, cmap=COLOURS, norm=scale)
        zeros = numpy.argwhere(jacobian == 0)
        axes.plot(zeros[:, 1], zeros[:, 0], ".", color="#b0b0b0", markersize=3)
        ticks = range(len(ROW))
        labels = [f"{logit:g}" for logit in ROW.tolist()]
        axes.set_xticks(ticks, labels, fontsize=9)
        axes.set_yticks(ticks, labels if axes is panels[0] else [], fontsize=9)
        axes.tick_params(length=0)
        axes.set_title(name, fontsize=10.5)
        axes.set_xlabel("logit")
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color("#cccccc")
    panels[0].set_ylabel("weight of the logit")
    bar = figure.colorbar(image, ax=list(panels), shrink=0.8, ticks=(-0.5, -0.1, 0, 0.1, 0.5))
    bar.set_label("∂ weight / ∂ logit", color=INK)
    bar.outline.set_edgecolor(MUTED)
    save(figure, path)


def _signed_root(derivatives: numpy.ndarray) -> numpy.ndarray:
    return numpy.sign(derivatives) * numpy.sqrt(numpy.abs(derivatives))


def _signed_square(heights: numpy.ndarray) -> numpy.ndarray:
    return numpy.sign(heights) * heights**2
