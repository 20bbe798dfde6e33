"""The grid of the CPU."""

from collections.abc import Callable, Iterator
from itertools import product

from benchmarks import switch
from benchmarks.cases import DTYPES, Case, Pass, Residency, limits, shape_of_length
from benchmarks.inputs import FAMILIES, NORMAL

WORKING_SET = 64 << 20  # bytes of the logits; far beyond the caches
CACHE_RESIDENT = 512 << 10  # bytes of logits and weights together; within one core's own cache


def _forward(quick: bool) -> Iterator[Case]:
    """Every length, k, dtype and family, into memory of the caller's."""
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "zero_")),)
    lengths = (8, 16, 32, 64, 128, 256, 512, 1024, 4096, 32768, 50257, 131072, 1 << 20)
    candidates: tuple[int, ...] = (3, 8, 32, 128, 1024)
    families = tuple(FAMILIES)
    if quick:
        lengths = (16, 64, 512, 4096, 1 << 20)
        candidates = (3, 32)
        families = ("N(0,1)", "N(0,0.1)", "equal", "half masked")
    # k varies fastest, so that the same logits serve several cases.
    for length, dtype, family in product(lengths, ("float32", "bfloat16"), families):
        for k in limits(length, candidates):
            shape = shape_of_length(length, dtype, WORKING_SET)
            yield Case("forward", shape, k, dtype, family, comparisons)
    if not quick:
        for k, family in product((3, 32), NORMAL):
            yield Case("forward", (1, 1 << 24), k, "float32", family, comparisons)


def _passes(quick: bool) -> Iterator[Case]:
    """Every pass as a user meets it: results in fresh memory, gradients under autograd."""
    comparisons = (
        (Pass.FORWARD, ("clone", "torch.softmax")),
        (Pass.BACKWARD, ("clone", "zeros_like", "torch.softmax")),
        (Pass.FORWARD_BACKWARD, ("torch.softmax",)),
    )
    lengths: tuple[int, ...] = (16, 64, 1024, 4096, 32768, 1 << 20)
    dtypes: tuple[str, ...] = ("float32", "bfloat16")
    families = NORMAL
    if quick:
        lengths, dtypes, families = (64, 1024, 32768), ("float32",), NORMAL[:1]
    for length, dtype, family in product(lengths, dtypes, families):
        shape = shape_of_length(length, dtype, WORKING_SET)
        for k in limits(length, (3,) if quick else (3, 32), whole=not quick):
            yield Case("passes", shape, k, dtype, family, comparisons)


def _libraries(quick: bool) -> Iterator[Case]:
    """Other ways to compute the same. They take up to seconds for each call, so few cases."""
    lengths = (1024,) if quick else (64, 1024, 32768)
    same = ("topk + scatter", "topk + scatter, compiled")
    for length, family in product(lengths, NORMAL[:1] if quick else NORMAL):
        # entmax.sparsemax limits no support, so it computes the same only where k is the length.
        for k, baselines in (
            (3, (*same, "entmax.sparsemax", "entmax.sparsemax(k)")),
            (32, (*same, "entmax.sparsemax(k)")),
            (length, ("entmax.sparsemax",)),
        ):
            if quick and k != 3:
                continue
            comparisons = [(Pass.FORWARD, baselines)]
            if family == NORMAL[0] and not quick:
                comparisons.append((Pass.FORWARD_BACKWARD, baselines))
            if family == NORMAL[0] and k == 3 and not quick:  # A call of it takes seconds.
                comparisons[0] = (Pass.FORWARD, (*baselines, "POT projection"))
            shape = shape_of_length(length, "float32", WORKING_SET)
            yield Case("libraries", shape, k, "float32", family, tuple(comparisons))


def _dimensions(quick: bool) -> Iterator[Case]:
    """Rows whose entries do not lie side by side."""
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "torch.softmax")),)
    if not quick:
        comparisons += ((Pass.BACKWARD, ("torch.softmax",)),)
    shapes = (((4096, 4096), 0), ((256, 1024, 64), 1))
    dtypes = ("float32",) if quick else ("float32", "bfloat16")
    families = NORMAL[:1] if quick else NORMAL
    for (shape, dim), dtype, family in product(shapes, dtypes, families):
        scale = 4 // DTYPES[dtype].itemsize
        for k in (3,) if quick else (3, 32):
            scaled = (scale * shape[0], *shape[1:])
            yield Case("dimensions", scaled, k, dtype, family, comparisons, dim)


def _cache_resident(quick: bool) -> Iterator[Case]:
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "zero_", "torch.softmax")),)
    dtypes = ("float32",) if quick else ("float32", "bfloat16")
    for length, dtype, family in product((16, 64, 1024, 32768), dtypes, NORMAL):
        shape = shape_of_length(length, dtype, CACHE_RESIDENT // 2)
        for k in (3,) if quick else (3, 32):
            if k < length:
                yield Case("cache", shape, k, dtype, family, comparisons, residency=Residency.CACHE)


def _small(quick: bool) -> Iterator[Case]:
    """Few rows: what one call costs, and rows that several threads must share."""
    comparisons = (
        (Pass.FORWARD, ("clone", "torch.softmax")),
        (Pass.FORWARD_BACKWARD, ("torch.softmax",)),
    )
    shapes = ((1, 8), (32, 128), (1, 50257), (1, 1 << 20), (8, 1 << 20))
    for shape in shapes[1:3] if quick else shapes:
        yield Case("small", shape, 3, "float32", "N(0,1)", comparisons)


def _switch(quick: bool) -> Iterator[Case]:
    """What huge pages under zeta's results alone are worth: beside a copy that has none."""
    comparisons = ((Pass.FORWARD, ("clone",)), (Pass.BACKWARD, ("clone",)))
    for length in (1024,) if quick else (64, 1024, 32768):
        shape = shape_of_length(length, "float32", WORKING_SET)
        for family in NORMAL[:1] if quick else NORMAL:
            yield Case(switch.SUITE, shape, 3, "float32", family, comparisons)


def _float16(quick: bool) -> Iterator[Case]:
    comparisons = ((Pass.FORWARD_OUT, ("copy_", "torch.softmax")),)
    for length in () if quick else (16, 64, 1024, 32768):
        for family in NORMAL:
            shape = shape_of_length(length, "float16", WORKING_SET)
            yield Case("float16", shape, 3, "float16", family, comparisons)


SUITES: dict[str, Callable[[bool], Iterator[Case]]] = {
    "forward": _forward,
    "passes": _passes,
    "libraries": _libraries,
    "dimensions": _dimensions,
    "cache": _cache_resident,
    "small": _small,
    switch.SUITE: _switch,
    "float16": _float16,
}
