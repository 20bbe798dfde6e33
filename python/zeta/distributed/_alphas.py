"""Where the alphas lie of rows that lie on several ranks, if each row has its own."""

from typing import Any

from torch import Tensor
from torch.autograd import Function
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate, Shard

from zeta.distributed._redistribute import redistributed
from zeta.distributed._split_rows import SplitRows, distributed


def placement_of_alphas(rows: Placement, dimensions: int, alpha: Any) -> Placement:
    """Return how alphas are placed that are broadcast to rows of so many dimensions."""
    if not isinstance(rows, Shard):
        return Replicate()
    dim = rows.dim - (dimensions - alpha.ndim)
    return Shard(dim) if dim >= 0 and alpha.shape[dim] > 1 else Replicate()


def check_alphas(name: str, alpha: Tensor, z: DTensor) -> None:
    if not isinstance(alpha, DTensor):
        raise TypeError(
            f"{name}: expected alpha to be a number or a DTensor, but got {type(alpha).__name__}; "
            "pass distribute_tensor(alpha, z.device_mesh)"
        )
    if alpha.device_mesh != z.device_mesh:
        raise RuntimeError(
            f"{name}: expected alpha to be on the mesh of z, {z.device_mesh}, but got "
            f"{alpha.device_mesh}"
        )


def aligned_alphas(alpha: DTensor, rows: DTensor | SplitRows) -> DTensor:
    """Place alphas where their rows are."""
    dimensions = len(rows.shape)
    placements = [placement_of_alphas(place, dimensions, alpha) for place in rows.placements]
    return redistributed(alpha, placements)


def local_alphas(alpha: DTensor, rows: SplitRows) -> Tensor:
    """Return the alphas of the rows of which this rank has a part."""
    local: Tensor = _Local.apply(aligned_alphas(alpha, rows), rows)
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
