"""The projection of rows whose entries may lie on several ranks."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributed.tensor import DTensor, Replicate, Shard

from zeta.distributed._split_rows import SplitRows


def sparse_softmax(
    z: DTensor, k: int = 3, dim: int = -1, dtype: torch.dtype | None = None
) -> DTensor:
    """Compute :func:`zeta.ops.sparse_softmax` without gathering rows sharded along ``dim``.

    Only the ``k`` largest entries that a rank has of a row can have a weight. So each rank sends
    these, its candidates, in one all-gather for each mesh dimension that ``dim`` is sharded along.
    It projects the candidates of all ranks and writes its own part of the weights. The backward
    gathers as many numbers again, the gradients of the candidates.

    The weights and gradients have the same bits as on one rank, for any mesh. Rows that lie on one
    rank as a whole are not sent. :func:`torch.compile` makes one graph of the function.

    Args:
        z: The logits. Partial sums are reduced first.
        k: The most entries of a row that may be non-zero, at least 1.
        dim: The dimension the rows lie along.
        dtype: If given, ``z`` is converted to it first.

    Returns:
        The weights, sharded as ``z`` is, and differentiable in reverse mode any number of times.

    Raises:
        TypeError: If ``z`` is not a DTensor.
        RuntimeError, IndexError: In the same cases as :func:`zeta.ops.sparse_softmax`.
    """
    if not isinstance(z, DTensor):
        raise TypeError(f"sparse_softmax: expected z to be a DTensor, but got {type(z).__name__}")
    # A call on a meta tensor checks the arguments before any rank waits for another.
    meta = torch.empty(z.shape, dtype=z.dtype, device="meta")
    dtype = torch.ops.zeta.sparse_softmax(meta, k, dim, dtype=dtype).dtype
    placements = [place if type(place) is Shard else Replicate() for place in z.placements]
    logits: Any = z.to(dtype)  # type checkers take it for a Tensor
    if placements != list(z.placements):  # redistribute() need not have a second derivative
        logits = logits.redistribute(placements=placements)
    dim %= max(z.dim(), 1)
    if Shard(dim) not in placements:
        weights: DTensor = torch.ops.zeta.sparse_softmax(logits, k, dim)
        return weights
    rows = SplitRows(z.device_mesh, placements, z.shape, dim, most=k)
    part: DTensor = logits.clone() if z.numel() == 0 else _Projection.apply(logits, k, rows)
    return part


class _Projection(Function):
    @staticmethod
    def forward(ctx: Any, logits: DTensor, k: int, rows: SplitRows) -> DTensor:
        part = logits.to_local()
        indices = torch.ops.zeta._largest(part, rows.count, rows.dim)
        candidates = rows.gather(part.gather(rows.dim, indices))
        weights = torch.ops.zeta._sparse_softmax_of_candidates(candidates, k, rows.dim, rows.length)
        ctx.rows = rows
        ctx.save_for_backward(indices, weights)
        return rows.spread(weights, indices, _is_nan(weights, rows), logits)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[DTensor, None, None]:
        return _Gradient.apply(grad, *ctx.saved_tensors, ctx.rows), None, None


class _Gradient(Function):
    """The gradient of the projection. It is linear and symmetric on the support, so it is its own
    derivative."""

    @staticmethod
    def forward(
        ctx: Any, grad: DTensor, indices: Tensor, weights: Tensor, rows: SplitRows
    ) -> DTensor:
        grad = grad.redistribute(placements=rows.placements)
        gathered = rows.gather(grad.to_local().gather(rows.dim, indices))
        grads = torch.ops.zeta._sparse_softmax_of_candidates_backward(
            gathered, weights, rows.dim, rows.length
        )
        ctx.rows = rows
        ctx.save_for_backward(indices, weights)
        return rows.spread(grads, indices, _is_nan(weights, rows), grad)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[DTensor, None, None, None]:
        return _Gradient.apply(grad, *ctx.saved_tensors, ctx.rows), None, None, None


def _is_nan(weights: Tensor, rows: SplitRows) -> Tensor:
    return weights.narrow(rows.dim, 0, 1).isnan()
