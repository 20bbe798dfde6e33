"""The part of the CPU's grid that other operators than sparse_softmax are in, compact forms, and masks."""

from collections.abc import Callable, Iterator
from itertools import product

from benchmarks.cases import FILLED, SPARSE_SOFTMAX, UNMASKED, Case, Pass, shape_of_length
from benchmarks.cpu_cases import WORKING_SET
from benchmarks.inputs import NORMAL
from benchmarks.masks import MASKS


def _rows(quick: bool, *lengths: int) -> Iterator[tuple[tuple[int, int], str, str]]:
    """Shapes, dtypes and families; the first of each, if quick."""
    count = 1 if quick else None
    dtypes, families = ("float32", "bfloat16")[:count], NORMAL[:count]
    for length, dtype, family in product(lengths[:count], dtypes, families):
        yield shape_of_length(length, dtype, WORKING_SET), dtype, family


def _family(quick: bool) -> Iterator[Case]:
    """Into memory of the caller's."""
    comparisons = ((Pass.FORWARD_OUT, ("copy_",)),)
    for shape, dtype, family in _rows(quick, 32768, 1024):
        length = shape[1]
        for operator, ks in (
            ("topk_softmax", (3, 32)),
            ("entmax15", (32, length)),
            ("entmax 1.25", (32, length)),
        ):
            for k in ks:
                yield Case("family", shape, k, dtype, family, comparisons, operator=operator)


def _gradients(quick: bool) -> Iterator[Case]:
    comparisons = ((Pass.BACKWARD, ("torch.softmax",)),)
    for shape, dtype, family in _rows(quick, 4096):
        for operator, k in product(("topk_softmax", "entmax15"), (32, shape[1])):
            yield Case("gradients", shape, k, dtype, family, comparisons, operator=operator)


def _compact(quick: bool) -> Iterator[Case]:
    comparisons = ((Pass.COMPACT, ("copy_", "torch.topk")),)
    for shape, dtype, family in _rows(quick, 32768, 4096):
        for k in (8, 32) if shape[1] == 4096 else (32,):
            for operator in (SPARSE_SOFTMAX, "topk_softmax", "entmax15"):
                yield Case("compact", shape, k, dtype, family, comparisons, operator=operator)


def _routers(quick: bool) -> Iterator[Case]:
    """The experts of tokens, out of 128."""
    comparisons = ((Pass.FORWARD, ("softmax + topk",)), (Pass.COMPACT, ("softmax + topk",)))
    for _, dtype, family in _rows(quick, 128):
        yield Case("routers", (4096, 128), 8, dtype, family, comparisons, operator="topk_softmax")


def _entmax(quick: bool) -> Iterator[Case]:
    """The entmax package, of which a call takes seconds. A partial sort that does not suffice is made
    again, longer, and may take more than a whole one."""
    whole, partial = "entmax.entmax15", "entmax.entmax15(k=100)"
    baselines: dict[str, tuple[str, ...]] = dict.fromkeys(NORMAL, (whole,))
    baselines["N(0,1)"] = (whole, partial)
    length = 1024
    shape = shape_of_length(length, "float32", WORKING_SET)
    for family, named in {"N(0,1)": (partial,)}.items() if quick else baselines.items():
        comparisons = ((Pass.FORWARD, named),)
        yield Case("entmax", shape, length, "float32", family, comparisons, operator="entmax15")


def _masks(quick: bool) -> Iterator[Case]:
    """Against the same call without the mask, and against what took the place of a mask."""
    comparisons = ((Pass.FORWARD_OUT, (UNMASKED,)), (Pass.FORWARD, (FILLED,)))
    for shape, dtype, family in _rows(quick, 4096, 1024, 64):
        for operator, mask in product((SPARSE_SOFTMAX, "entmax15"), MASKS):
            k = 32 if shape[1] > 64 else 3
            yield Case("masks", shape, k, dtype, family, comparisons, operator=operator, mask=mask)


SUITES: dict[str, Callable[[bool], Iterator[Case]]] = {
    "family": _family,
    "gradients": _gradients,
    "compact": _compact,
    "routers": _routers,
    "entmax": _entmax,
    "masks": _masks,
}
