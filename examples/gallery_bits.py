"""Why the order of a sum matters in floating-point numbers, and not in integers."""

from collections import Counter
from pathlib import Path

import numpy
from gallery_style import GRID, MEMBERS, new_figure, save

TERMS = 1000
ORDERS = 2000
GRID_BITS = 40


def draw_orders(path: Path) -> None:
    """The sum of the same numbers in many orders, in float32 and as integers."""
    random = numpy.random.default_rng(0)
    terms = random.random(TERMS, dtype=numpy.float32)
    exact = terms.astype(numpy.float64).sum()  # float64 holds each partial sum without rounding
    unit = float(numpy.spacing(numpy.float32(exact)))
    sums: Counter[float] = Counter()
    of_integers: Counter[float] = Counter()
    for _ in range(ORDERS):
        shuffled = random.permutation(terms)
        sums[float(numpy.cumsum(shuffled)[-1])] += 1
        integers = numpy.rint(numpy.ldexp(shuffled.astype(numpy.float64), GRID_BITS))
        total = int(numpy.cumsum(integers.astype(numpy.int64))[-1])
        of_integers[float(numpy.float32(numpy.ldexp(float(total), -GRID_BITS)))] += 1

    figure = new_figure(9.6, 3.4)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    titles = ("added in float32", "added as integers, rounded once")
    colours = (MEMBERS["α = 1"], MEMBERS["α = 2"])
    for axes, title, counts, colour in zip(
        panels, titles, (sums, of_integers), colours, strict=True
    ):
        errors = [(value - exact) / unit for value in counts]
        axes.bar(errors, [count / ORDERS for count in counts.values()], color=colour, width=0.8)
        results = f"{len(counts)} results" if len(counts) > 1 else "1 result"
        axes.set_title(f"{title}: {results}")
        axes.set_xlabel("error of the sum, in units of its last place")
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid(axis="y", color=GRID)
        axes.set_axisbelow(True)
    panels[0].set_ylabel(f"share of {ORDERS} orders")
    save(figure, path)
