"""Where the alphas lie of rows that lie on several ranks, if each row has its own."""

from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard

from zeta.distributed._broadcast import aligned
from zeta.distributed._split_rows import SplitRows, distributed


def local_alphas(alpha: DTensor, rows: SplitRows) -> Tensor:
    """Return the alphas of the rows of which this rank has a part."""
    local: Tensor = _Local.apply(aligned(alpha, rows), rows)
    return local


class _Local(Function):
    """Takes the local tensor of alphas that are placed as the rows are."""

    @staticmethod
    def forward(ctx: Any, alpha: DTensor, rows: SplitRows) -> Tensor:
        ctx.rows, ctx.placements, ctx.shape = rows, alpha.placements, alpha.shape
        local = alpha.to_local()
        return local.view_as(local)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[DTensor, None]:
        return _Summed.apply(grad, ctx.rows, ctx.placements, ctx.shape), None


class _Summed(Function):
    """Sums the gradients of alphas that rows on several ranks share."""

    @staticmethod
    def forward(ctx: Any, grad: Tensor, rows: SplitRows, placements: Any, shape: Any) -> DTensor:
        ctx.rows, ctx.placements = rows, placements
        # Ranks that have other rows with the same alphas have other parts of the sum.
        has_other_rows = [
            isinstance(place, Shard) and place.dim != rows.dim for place in rows.placements
        ]
        parts = [
            Partial() if has_other and place == Replicate() else place
            for has_other, place in zip(has_other_rows, placements, strict=True)
        ]
        return distributed(grad, rows.mesh, parts, shape).redistribute(placements=placements)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[Tensor, None, None, None]:
        aligned = grad.redistribute(placements=ctx.placements)
        return _Local.apply(aligned, ctx.rows), None, None, None
