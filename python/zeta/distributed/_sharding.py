"""Tells DTensor how the operators may be sharded: rows lie on any ranks, but each row on one."""

from typing import Any

import torch
from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

Shardings = list[tuple[list[Any], list[Any]]]


def _whole_rows(dimensions: int, dim: int, results: int, tensors: int, others: int) -> Shardings:
    """Return the shardings in which all tensors, results included, are sharded alike along one dim
    that is not the rows', or replicated. Other arguments have no placement."""
    shards = [Shard(i) for i in range(dimensions) if i != dim % dimensions]
    return [([at] * results, [at] * tensors + [None] * others) for at in (Replicate(), *shards)]


@register_sharding(torch.ops.zeta.sparse_softmax.default)
def _sparse_softmax(
    z: Any, k: int = 3, dim: int = -1, *, dtype: torch.dtype | None = None
) -> Shardings:
    return _whole_rows(z.ndim, dim, results=1, tensors=1, others=2)


@register_sharding(torch.ops.zeta._sparse_softmax_backward.default)
def _sparse_softmax_backward(
    grad_output: Any, output: Any, dim: int, input_dtype: torch.dtype
) -> Shardings:
    return _whole_rows(output.ndim, dim, results=1, tensors=2, others=2)


@register_sharding(torch.ops.zeta._sparse_softmax_with_support.default)
def _sparse_softmax_with_support(
    z: Any, k: int, dim: int, *, dtype: torch.dtype | None = None
) -> Shardings:
    return _whole_rows(z.ndim, dim, results=2, tensors=1, others=2)


@register_sharding(torch.ops.zeta._sparse_softmax_support_backward.default)
def _sparse_softmax_support_backward(
    grad_output: Any, support: Any, dim: int, input_dtype: torch.dtype
) -> Shardings:
    return _whole_rows(support.ndim, dim, results=1, tensors=2, others=2)
