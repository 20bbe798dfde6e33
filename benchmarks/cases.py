"""What a case of the grid says: which rows are timed, in which pass, against what."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Pass(StrEnum):
    FORWARD_OUT = "forward into out"
    FORWARD = "forward"
    COMPACT = "compact forward"  # the non-zero weights and their indices
    BACKWARD = "backward"
    FORWARD_BACKWARD = "forward and backward"
    # Without autograd, which would choose between the support and the weights.
    BACKWARD_OPERATOR = "backward operator"
    BOTH_OPERATORS = "forward and backward operators"

    @property
    def allocates(self) -> bool:
        """Whether its result has memory of its own, as much as the logits have."""
        return self not in (Pass.FORWARD_OUT, Pass.COMPACT)

    @property
    def moves_all_bytes(self) -> bool:
        """Whether it reads all logits and writes all of a result of their size, and no more. A
        backward may read the support alone, or three tensors."""
        return self in (Pass.FORWARD_OUT, Pass.FORWARD)


SPARSE_SOFTMAX = "sparse_softmax"
BY_WEIGHTS = "zeta by the weights"  # the baseline of operators that go by the support
UNMASKED = "zeta without the mask"
FILLED = "masked_fill + zeta + nan_to_num"


class Residency(StrEnum):
    MEMORY = "memory"
    CACHE = "cache"  # on one thread, called from a loop without Python


@dataclass(frozen=True)
class Case:
    """Rows of one kind and the passes over them that are timed."""

    suite: str
    shape: tuple[int, ...]
    k: int
    dtype: str
    family: str
    comparisons: tuple[tuple[Pass, tuple[str, ...]], ...]  # passes, and the baselines of each
    dim: int = -1
    residency: Residency = Residency.MEMORY
    operator: str = SPARSE_SOFTMAX  # one of benchmarks.operators
    mask: str = ""  # one of benchmarks.masks, or none

    def __str__(self) -> str:
        shape = "x".join(map(str, self.shape))
        mask = f" {self.mask} mask" if self.mask else ""
        return f"{self.suite} {self.operator} {shape} k={self.k} {self.dtype} {self.family}{mask}"

    @property
    def length(self) -> int:
        return self.shape[self.dim]

    @property
    def input(self) -> tuple[object, ...]:
        """What decides the logits, so that cases can share them."""
        return self.family, self.shape, self.dim, self.dtype


def only_passes(cases: Iterable[Case], chosen: Callable[[Pass], bool]) -> list[Case]:
    """The cases that have such passes, with these alone."""
    parts = (
        replace(case, comparisons=tuple(pair for pair in case.comparisons if chosen(pair[0])))
        for case in cases
    )
    return [part for part in parts if part.comparisons]


def shape_of_length(length: int, dtype: str, working_set: int) -> tuple[int, int]:
    """As many rows of a length as make up the bytes."""
    return max(1, math.ceil(working_set / (length * DTYPES[dtype].itemsize))), length


def limits(length: int, candidates: tuple[int, ...], whole: bool = True) -> list[int]:
    """The k to time for a row length: the candidates below it and, as the largest, itself."""
    return [k for k in candidates if k < length] + ([length] if whole else [])
