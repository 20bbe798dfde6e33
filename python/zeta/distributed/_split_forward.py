"""Maps rows that are split over ranks, and their gradients."""

import math
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd import Function
from torch.distributed.tensor import DTensor, Replicate, Shard

from zeta.distributed._alphas import local_alphas
from zeta.distributed._broadcast import aligned, check_broadcast
from zeta.distributed._redistribute import redistributed
from zeta.distributed._split_rows import SplitRows


class Map(Protocol):
    """The operator of a member of the family, given its alpha."""

    def __call__(
        self,
        z: Tensor,
        k: int | None,
        dim: int,
        *,
        mask: Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> Any: ...


def split_forward(
    name: str,
    member: Map,
    alpha: float | DTensor,
    z: DTensor,
    k: int | None,
    dim: int,
    dtype: torch.dtype | None,
    mask: DTensor | None,
) -> DTensor:
    """Compute a member of the family on rows that may be split. Errors begin with ``name``."""
    if not isinstance(z, DTensor):
        raise TypeError(f"{name}: expected z to be a DTensor, but got {type(z).__name__}")
    if isinstance(alpha, Tensor):
        check_broadcast(name, "alpha", "a number or a DTensor", alpha, z)
    if mask is not None:
        check_broadcast(name, "mask", "a DTensor", mask, z)
    # A call on a meta tensor checks the arguments before any rank waits for another.
    meta_mask = None if mask is None else on_meta(mask)
    dtype = member(on_meta(z), k, dim, mask=meta_mask, dtype=dtype).dtype
    placements = [place if type(place) is Shard else Replicate() for place in z.placements]
    of_dtype: Any = z.to(dtype)  # type checkers take it for a Tensor
    logits: Any = redistributed(of_dtype, placements)
    mask = None if mask is None else aligned(mask, logits)
    dim %= max(z.dim(), 1)
    if Shard(dim) not in placements:
        weights: DTensor = member(logits, k, dim, mask=mask)
        return weights
    if z.numel() == 0:
        nothing: DTensor = logits.clone()
        return nothing
    k = z.shape[dim] if k is None else k
    if mask is None:
        return _of_split_rows(logits, alpha, k, dim)
    return _of_masked_rows(logits, alpha, k, dim, mask)


def on_meta(tensor: Tensor) -> Tensor:
    """Return a tensor that has this shape and dtype, and no memory."""
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


def _of_masked_rows(
    logits: DTensor, alpha: float | DTensor, k: int, dim: int, mask: DTensor
) -> DTensor:
    from_last = dim - logits.dim()  # along which the mask may have no dimension
    any_left: Any = mask.any(from_last, keepdim=True) if -from_last <= mask.dim() else mask

    def spread(tensor: DTensor) -> Any:
        # where() may gather the rows if what is broadcast to them lies elsewhere.
        of_entries: Any = aligned(tensor, logits).expand(logits.shape)
        return aligned(of_entries, logits)

    takes_part, any_left = spread(mask), spread(any_left)
    # What nothing is left of is 0, so that no derivative of it is NaN.
    filled: Any = logits.where(takes_part, -math.inf).where(any_left, 0.0)
    weights: Any = _of_split_rows(filled, alpha, k, dim).where(any_left, 0.0)
    return weights  # type: ignore[no-any-return]


def _of_split_rows(logits: Any, alpha: float | DTensor, k: int, dim: int) -> DTensor:
    rows = SplitRows.of(logits, dim, most=k)
    indices = torch.ops.zeta._largest(logits.detach().to_local(), rows.count, dim)
    candidates = _Gathered.apply(logits, indices, rows, -math.inf)
    of_rows = local_alphas(alpha, rows) if isinstance(alpha, DTensor) else alpha
    weights = torch.ops.zeta._entmax_of_candidates(candidates, of_rows, k, dim, rows.length)
    part: DTensor = _Spread.apply(weights, indices, rows)
    return part


# These two are linear, and each is the other's derivative: on every rank, the gradient of what all
# ranks have is what all of them have.


class _Gathered(Function):
    """What all ranks have at the indices that each has chosen."""

    @staticmethod
    def forward(
        ctx: Any, whole: DTensor, indices: Tensor, rows: SplitRows, padding: float
    ) -> Tensor:
        ctx.rows = rows
        ctx.save_for_backward(indices)
        part = whole.redistribute(placements=rows.placements).to_local()
        return rows.gather(part.gather(rows.dim, indices), padding)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[DTensor, None, None, None]:
        return _Spread.apply(grad, *ctx.saved_tensors, ctx.rows), None, None, None


class _Spread(Function):
    """A tensor that has these values at the indices."""

    @staticmethod
    def forward(ctx: Any, gathered: Tensor, indices: Tensor, rows: SplitRows) -> DTensor:
        ctx.rows = rows
        ctx.save_for_backward(indices)
        return rows.spread(gathered, indices)

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[Tensor, None, None]:
        return _Gathered.apply(grad, *ctx.saved_tensors, ctx.rows, 0.0), None, None
