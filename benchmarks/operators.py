"""The operators of zeta that are timed, under the names that cases give them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import zeta

Mapping = Callable[..., Tensor]
CompactMapping = Callable[..., tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Operator:
    """Its forms, of logits, k, dim and by their names the options."""

    alpha: float
    dense: Mapping
    compact: CompactMapping
    into: Callable[..., Tensor]  # and of out


def _entmax(alpha: float) -> Operator:
    overloads = torch.ops.zeta.entmax
    return Operator(
        alpha,
        lambda z, k, dim, **options: overloads.default(z, alpha, k, dim, **options),
        lambda z, k, dim, **options: overloads.compact(z, alpha, k, dim, **options),
        lambda z, k, dim, **options: overloads.out(z, alpha, k, dim, **options),
    )


OPERATORS: dict[str, Operator] = {
    "sparse_softmax": Operator(
        2.0,
        zeta.ops.sparse_softmax,
        zeta.ops.sparse_softmax_compact,
        torch.ops.zeta.sparse_softmax.out,
    ),
    "topk_softmax": Operator(
        1.0,
        zeta.ops.topk_softmax,
        zeta.ops.topk_softmax_compact,
        torch.ops.zeta.topk_softmax.out,
    ),
    "entmax15": _entmax(1.5),
    "entmax 1.25": _entmax(1.25),
}
