"""Maps rows that are split over ranks, and their gradients."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributed.tensor import DTensor, Replicate, Shard

from zeta._operators import BACKWARD
from zeta.distributed._split_rows import SplitRows


class Map(Protocol):
    """The operator of a member of the family, given its alpha."""

    def __call__(
        self, z: Tensor, k: int | None, dim: int, *, dtype: torch.dtype | None = None
    ) -> Any: ...


def split_forward(
    name: str,
    member: Map,
    alpha: float,
    z: DTensor,
    k: int | None,
    dim: int,
    dtype: torch.dtype | None,
) -> DTensor:
    """Compute a member of the family on rows that may be split. Errors begin with ``name``."""
    if not isinstance(z, DTensor):
        raise TypeError(f"{name}: expected z to be a DTensor, but got {type(z).__name__}")
    # A call on a meta tensor checks the arguments before any rank waits for another.
    meta = torch.empty(z.shape, dtype=z.dtype, device="meta")
    dtype = member(meta, k, dim, dtype=dtype).dtype
    placements = [place if type(place) is Shard else Replicate() for place in z.placements]
    logits: Any = z.to(dtype)  # type checkers take it for a Tensor
    if placements != list(z.placements):  # redistribute() need not have a second derivative
        logits = logits.redistribute(placements=placements)
    dim %= max(z.dim(), 1)
    if Shard(dim) not in placements:
        weights: DTensor = member(logits, k, dim)
        return weights
    k = z.shape[dim] if k is None else k
    rows = SplitRows(z.device_mesh, placements, z.shape, dim, most=k)
    part: DTensor = logits.clone() if z.numel() == 0 else _Forward.apply(logits, alpha, k, rows)
    return part


class _Forward(Function):
    @staticmethod
    def forward(ctx: Any, logits: DTensor, alpha: float, k: int, rows: SplitRows) -> DTensor:
        part = logits.to_local()
        indices = torch.ops.zeta._largest(part, rows.count, rows.dim)
        candidates = rows.gather(part.gather(rows.dim, indices))
        weights = torch.ops.zeta._entmax_of_candidates(candidates, alpha, k, rows.dim, rows.length)
        ctx.alpha, ctx.rows = alpha, rows
        ctx.save_for_backward(indices, weights)
        return rows.spread(weights, indices, _is_nan(weights, rows), logits)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[DTensor, None, None, None]:
        return _Gradient.apply(grad, *ctx.saved_tensors, ctx.alpha, ctx.rows), None, None, None


class _Gradient(Function):
    """The gradient of the forward. It is linear in ``grad`` and symmetric on the support, so it is
    its own derivative. For alpha = 2 it depends on nothing else."""

    @staticmethod
    def forward(
        ctx: Any, grad: DTensor, indices: Tensor, weights: Tensor, alpha: float, rows: SplitRows
    ) -> DTensor:
        grad = grad.redistribute(placements=rows.placements)
        gathered = rows.gather(grad.to_local().gather(rows.dim, indices))
        grads = BACKWARD(gathered, weights, alpha, rows.dim, weights.dtype, length=rows.length)
        ctx.alpha, ctx.rows = alpha, rows
        ctx.save_for_backward(indices, weights)
        return rows.spread(grads, indices, _is_nan(weights, rows), grad)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[DTensor, None, None, None, None]:
        if ctx.alpha != 2:
            raise NotImplementedError(
                f"expected alpha to be 2 for second derivatives of split rows, but got {ctx.alpha}; "
                "redistribute z, so that each row lies on one rank"
            )
        grad = _Gradient.apply(grad, *ctx.saved_tensors, ctx.alpha, ctx.rows)
        return grad, None, None, None, None


def _is_nan(weights: Tensor, rows: SplitRows) -> Tensor:
    return weights.narrow(rows.dim, 0, 1).isnan()
