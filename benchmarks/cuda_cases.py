"""The grid of a GPU."""

from collections.abc import Callable, Iterator
from itertools import product

from benchmarks.cases import (
    BY_WEIGHTS,
    DTYPES,
    SPARSE_SOFTMAX,
    Case,
    Pass,
    limits,
    shape_of_length,
)
from benchmarks.inputs import FAMILIES, NORMAL

WORKING_SET = 128 << 20  # bytes of the logits; beyond the second cache of an H100


def _forward(quick: bool) -> Iterator[Case]:
    """Every length, k, dtype and family, into memory of the caller's."""
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "torch.softmax")),)
    lengths = (8, 16, 32, 64, 128, 256, 512, 1024, 4096, 32768, 50257, 131072, 1 << 20)
    candidates: tuple[int, ...] = (3, 8, 32, 128, 1024)
    families = tuple(FAMILIES)
    if quick:
        lengths = (16, 64, 1024, 32768, 1 << 20)
        candidates = (3, 32)
        families = ("N(0,1)", "N(0,0.01)", "equal")
    # k varies fastest, so that the same logits serve several cases.
    for length, dtype, family in product(lengths, ("float32", "bfloat16"), families):
        for k in limits(length, candidates):
            shape = shape_of_length(length, dtype, WORKING_SET)
            yield Case("forward", shape, k, dtype, family, comparisons)


def _passes(quick: bool) -> Iterator[Case]:
    """Every pass as a user meets it: results in fresh memory, gradients under autograd."""
    comparisons = (
        (Pass.FORWARD, ("clone", "torch.softmax")),
        (Pass.BACKWARD, ("zeros_like", "torch.softmax")),
        (Pass.FORWARD_BACKWARD, ("torch.softmax",)),
    )
    lengths = (64, 1024, 32768) if quick else (16, 64, 256, 1024, 4096, 32768, 131072, 1 << 20)
    for length, dtype in product(lengths, ("float32", "bfloat16")):
        for k in limits(length, (3, 32)):
            shape = shape_of_length(length, dtype, WORKING_SET)
            yield Case("passes", shape, k, dtype, "N(0,1)", comparisons)


def _libraries(quick: bool) -> Iterator[Case]:
    """Other ways to compute the same. Those of `sparsemax` have no limit on the support."""
    sparsemax = ("entmax.sparsemax", "Liger sparsemax", "AdaSplash sparsemax")
    for length in (1024,) if quick else (64, 1024, 4096, 32768):
        shape = shape_of_length(length, "float32", WORKING_SET)
        for k, baselines in (
            (3, ("topk + scatter", "topk + scatter, compiled")),
            (32, ("topk + scatter",)),
            (length, sparsemax),
        ):
            comparisons = ((Pass.FORWARD, baselines), (Pass.FORWARD_BACKWARD, baselines))
            yield Case("libraries", shape, k, "float32", "N(0,1)", comparisons)


def _dimensions(quick: bool) -> Iterator[Case]:
    """Rows whose entries do not lie side by side."""
    comparisons = (
        (Pass.FORWARD_OUT, ("copy_", "torch.softmax")),
        (Pass.BACKWARD, ("zeros_like", "torch.softmax")),
    )
    shapes = (((4096, 8192), 0), ((512, 1024, 64), 1))
    dtypes = ("float32",) if quick else ("float32", "bfloat16")
    for (shape, dim), dtype, k in product(shapes, dtypes, (3, 32)):
        scale = 4 // DTYPES[dtype].itemsize
        scaled = (scale * shape[0], *shape[1:])
        yield Case("dimensions", scaled, k, dtype, "N(0,1)", comparisons, dim)


def _support(quick: bool) -> Iterator[Case]:
    """Whether autograd should save the support or the weights, around the k where support_pays of
    csrc/ops/support.h says that it stops to pay."""
    operators = (Pass.BACKWARD_OPERATOR, Pass.BOTH_OPERATORS)
    comparisons = tuple((operation, (BY_WEIGHTS,)) for operation in operators)
    lengths = (1024,) if quick else (64, 256, 1024, 4096, 32768)
    dtypes = ("float32",) if quick else ("float32", "bfloat16")
    for length, dtype, family in product(lengths, dtypes, ("N(0,1)", "N(0,0.01)")):
        shape = shape_of_length(length, dtype, WORKING_SET)
        for part in (32, 16, 8, 4):
            yield Case("support", shape, length // part, dtype, family, comparisons)


def _small(_: bool) -> Iterator[Case]:
    """Few rows: how long one launch takes."""
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "torch.softmax")),)
    for shape, family in product(((32, 128), (1, 50257), (1, 1 << 20), (8, 1 << 20)), NORMAL):
        yield Case("small", shape, 3, "float32", family, comparisons)


def _family(quick: bool) -> Iterator[Case]:
    """The other operators of the family beside sparse_softmax, and compact forms. No goals."""
    dense = (
        (Pass.FORWARD_OUT, ("copy_", "torch.softmax")),
        (Pass.BACKWARD, ("torch.softmax",)),
    )
    compact = (Pass.COMPACT, ("copy_", "torch.topk"))
    operators = (SPARSE_SOFTMAX, "topk_softmax", "entmax15", "entmax 1.25")
    dtypes = ("float32",) if quick else ("float32", "bfloat16")
    for length, dtype in product((1024,) if quick else (64, 1024, 32768), dtypes):
        shape = shape_of_length(length, dtype, WORKING_SET)
        for operator, k in product(operators, limits(length, (8, 32))):
            comparisons = (*dense, compact) if k < length else dense
            yield Case("family", shape, k, dtype, "N(0,1)", comparisons, operator=operator)


SUITES: dict[str, Callable[[bool], Iterator[Case]]] = {
    "forward": _forward,
    "passes": _passes,
    "libraries": _libraries,
    "dimensions": _dimensions,
    "support": _support,
    "small": _small,
    "family": _family,
}
