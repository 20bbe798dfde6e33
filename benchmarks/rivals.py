"""The mappings that compete with zeta's: other ways to write them, other libraries', and softmax."""

import io
from contextlib import redirect_stdout
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec

import torch
from torch import Tensor

from benchmarks.operators import CompactMapping, Mapping


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


def compiled_topk_scatter(z: Tensor, k: int, dim: int) -> Tensor:
    """The same as Inductor compiles it, for these sizes alone."""
    return _compiled_topk_scatter()(z, k, dim)


@cache
def _compiled_topk_scatter() -> Mapping:
    # Beyond a few sizes it would not be compiled again, but refused.
    torch._dynamo.config.recompile_limit = 100
    return torch.compile(topk_scatter, dynamic=False, fullgraph=True)


def pot_projection(z: Tensor, k: int, dim: int) -> Tensor:
    """Sorts the whole row. Of two dimensions, on a CPU."""
    import ot

    with redirect_stdout(io.StringIO()):  # It prints a shape.
        weights: Tensor = ot.utils.projection_sparse_simplex(z, k, axis=dim % 2)
    return weights


def entmax_sparsemax(z: Tensor, _: int, dim: int) -> Tensor:
    import entmax

    weights: Tensor = entmax.sparsemax(z, dim)
    return weights


def entmax_sparsemax_partial(z: Tensor, k: int, dim: int) -> Tensor:
    """Sorts the k largest logits first, and the whole row where they do not suffice."""
    import entmax

    weights: Tensor = entmax.sparsemax(z, dim, k)
    return weights


def entmax_entmax15(z: Tensor, _: int, dim: int) -> Tensor:
    import entmax

    weights: Tensor = entmax.entmax15(z, dim)
    return weights


def entmax_entmax15_partial(z: Tensor, _: int, dim: int) -> Tensor:
    """Limits no support either, but sorts only 100 logits where these suffice."""
    import entmax

    weights: Tensor = entmax.entmax15(z, dim, 100)
    return weights


def topk(z: Tensor, k: int, dim: int) -> tuple[Tensor, Tensor]:
    values, indices = z.topk(k, dim)
    return values, indices


def softmax_topk(z: Tensor, k: int, dim: int) -> tuple[Tensor, Tensor]:
    """What routers of mixtures of experts compute."""
    values, indices = torch.softmax(z, dim).topk(k, dim)
    return values / values.sum(dim, keepdim=True), indices


def softmax_topk_scatter(z: Tensor, k: int, dim: int) -> Tensor:
    values, indices = softmax_topk(z, k, dim)
    return torch.zeros_like(z).scatter_(dim, indices, values)


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
    "torch.softmax": softmax,
    "topk + scatter": topk_scatter,
    "topk + scatter, compiled": compiled_topk_scatter,
    "softmax + topk": softmax_topk_scatter,
    "POT projection": pot_projection,
    "entmax.sparsemax": entmax_sparsemax,
    "entmax.sparsemax(k)": entmax_sparsemax_partial,
    "entmax.entmax15": entmax_entmax15,
    "entmax.entmax15(k=100)": entmax_entmax15_partial,
    "Liger sparsemax": liger_sparsemax,
    "AdaSplash sparsemax": adasplash_sparsemax,
}

# Those of values and indices.
COMPACT_MAPPINGS: dict[str, CompactMapping] = {
    "torch.topk": topk,
    "softmax + topk": softmax_topk,
}

# The module that a mapping needs besides torch and zeta.
MODULES = {
    "POT projection": "ot",
    "entmax.sparsemax": "entmax",
    "entmax.sparsemax(k)": "entmax",
    "entmax.entmax15": "entmax",
    "entmax.entmax15(k=100)": "entmax",
    "Liger sparsemax": "liger_kernel",
    "AdaSplash sparsemax": "adasplash",
}


# The package that a module comes in, where that has another name.
PACKAGES = {"ot": "POT", "liger_kernel": "liger-kernel"}


def is_installed(name: str) -> bool:
    return name not in MODULES or find_spec(MODULES[name]) is not None


def versions() -> dict[str, str]:
    """Of the packages that are installed."""
    modules = sorted({module for name, module in MODULES.items() if is_installed(name)})
    packages = [PACKAGES.get(module, module) for module in modules]
    return {package: version(package) for package in packages}
