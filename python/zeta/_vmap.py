"""Batching rules: a vmapped operator is the operator over one more dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def _row_dim(tensor: Tensor, dim: int) -> int:
    """`dim` of one sample as a dim of `tensor`, whose first dim counts the samples."""
    dimensions = max(tensor.dim() - 1, 1)
    if not -dimensions <= dim < dimensions:
        raise IndexError(
            f"sparse_softmax: Dimension out of range (expected to be in range of "
            f"[{-dimensions}, {dimensions - 1}], but got {dim})"
        )
    return dim % dimensions + 1


def _samples_first(tensor: Tensor, in_dim: int | None, batch_size: int) -> Tensor:
    if in_dim is None:
        return tensor.unsqueeze(0).expand(batch_size, *tensor.shape)
    return tensor.movedim(in_dim, 0)


def _at_least_one_row_dim(tensor: Tensor) -> Tensor:
    """A sample of no dimensions is a row of one entry."""
    return tensor.unsqueeze(-1) if tensor.dim() == 1 else tensor


@torch.library.register_vmap("zeta::sparse_softmax")
def _sparse_softmax(
    info: Any,
    in_dims: tuple[int | None, ...],
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[Tensor, int]:
    z = _samples_first(z, in_dims[0], info.batch_size)
    rows = _at_least_one_row_dim(z)
    result = torch.ops.zeta.sparse_softmax(rows, k, _row_dim(z, dim), dtype=dtype)
    return result.reshape(z.shape), 0


@torch.library.register_vmap("zeta::_sparse_softmax_backward")
def _sparse_softmax_backward(
    info: Any,
    in_dims: tuple[int | None, ...],
    grad_output: Tensor,
    output: Tensor,
    dim: int,
    input_dtype: torch.dtype,
) -> tuple[Tensor, int]:
    grad_output = _samples_first(grad_output, in_dims[0], info.batch_size)
    output = _samples_first(output, in_dims[1], info.batch_size)
    result = torch.ops.zeta._sparse_softmax_backward(
        _at_least_one_row_dim(grad_output),
        _at_least_one_row_dim(output),
        _row_dim(output, dim),
        input_dtype,
    )
    return result.reshape(output.shape), 0


@torch.library.register_vmap("zeta::_sparse_softmax_with_support")
def _sparse_softmax_with_support(
    info: Any,
    in_dims: tuple[int | None, ...],
    z: Tensor,
    k: int,
    dim: int,
    *,
    dtype: torch.dtype | None = None,
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    z = _samples_first(z, in_dims[0], info.batch_size)
    rows = _at_least_one_row_dim(z)
    output, support = torch.ops.zeta._sparse_softmax_with_support(
        rows, k, _row_dim(z, dim), dtype=dtype
    )
    return (output.reshape(z.shape), support), (0, 0)


@torch.library.register_vmap("zeta::_sparse_softmax_support_backward")
def _sparse_softmax_support_backward(
    info: Any,
    in_dims: tuple[int | None, ...],
    grad_output: Tensor,
    support: Tensor,
    dim: int,
    input_dtype: torch.dtype,
) -> tuple[Tensor, int]:
    grad_output = _samples_first(grad_output, in_dims[0], info.batch_size)
    support = _samples_first(support, in_dims[1], info.batch_size)
    result = torch.ops.zeta._sparse_softmax_support_backward(
        _at_least_one_row_dim(grad_output), support, _row_dim(grad_output, dim), input_dtype
    )
    return result.reshape(grad_output.shape), 0
