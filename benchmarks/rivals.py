"""The mappings that compete: zeta's, other ways to write it, other libraries', and softmax."""

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor

import zeta

Mapping = Callable[[Tensor, int, int], Tensor]


def softmax(z: Tensor, _: int, dim: int) -> Tensor:
    return torch.softmax(z, dim)


def topk_scatter(z: Tensor, k: int, dim: int) -> Tensor:
    """The same projection from torch's own operators, as one would write it without zeta."""
    largest, columns = z.topk(k, dim)
    along = [1] * z.dim()
    along[dim] = k
    sizes = torch.arange(1, k + 1, dtype=z.dtype, device=z.device).view(along)
    thresholds = (largest.cumsum(dim) - 1) / sizes
    size = (largest > thresholds).sum(dim, keepdim=True)
    weights = (largest - thresholds.gather(dim, size - 1)).clamp(min=0)
    return torch.zeros_like(z).scatter_(dim, columns, weights)


def entmax_sparsemax(z: Tensor, _: int, dim: int) -> Tensor:
    import entmax

    weights: Tensor = entmax.sparsemax(z, dim)
    return weights


def entmax_sparsemax_partial(z: Tensor, k: int, dim: int) -> Tensor:
    """Sorts the k largest logits first, and the whole row where they do not suffice."""
    import entmax

    weights: Tensor = entmax.sparsemax(z, dim, k)
    return weights


def liger_sparsemax(z: Tensor, _: int, dim: int) -> Tensor:
    from liger_kernel.ops.sparsemax import LigerSparsemaxFunction

    weights: Tensor = LigerSparsemaxFunction.apply(z, dim)
    return weights


def adasplash_sparsemax(z: Tensor, _: int, dim: int) -> Tensor:
    """Of the last dimension."""
    from adasplash import triton_sparsemax

    weights: Tensor = triton_sparsemax(z)
    return weights


MAPPINGS: dict[str, Mapping] = {
    "zeta": zeta.ops.sparse_softmax,
    "torch.softmax": softmax,
    "topk + scatter": topk_scatter,
    "entmax.sparsemax": entmax_sparsemax,
    "entmax.sparsemax(k)": entmax_sparsemax_partial,
    "Liger sparsemax": liger_sparsemax,
    "AdaSplash sparsemax": adasplash_sparsemax,
}

# The module that a mapping needs besides torch and zeta.
MODULES = {
    "entmax.sparsemax": "entmax",
    "entmax.sparsemax(k)": "entmax",
    "Liger sparsemax": "liger_kernel",
    "AdaSplash sparsemax": "adasplash",
}


def is_installed(name: str) -> bool:
    return name not in MODULES or find_spec(MODULES[name]) is not None
