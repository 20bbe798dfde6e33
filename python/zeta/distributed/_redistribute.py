"""Redistribution of a DTensor, with derivatives of every order."""

from collections.abc import Sequence
from typing import Any

from torch.autograd import Function
from torch.distributed.tensor import DTensor, Partial, Placement, Replicate


def redistributed(tensor: DTensor, placements: Sequence[Placement]) -> DTensor:
    """Do what ``tensor.redistribute()`` does. Its second derivative is wrong in torch 2.11."""
    if list(placements) == list(tensor.placements):
        return tensor
    result: DTensor = _Redistributed.apply(tensor, placements)
    return result


class _Redistributed(Function):
    @staticmethod
    def forward(ctx: Any, tensor: DTensor, placements: Sequence[Placement]) -> DTensor:
        # Each part of a sum has the gradient of the sum.
        ctx.placements = [
            Replicate() if isinstance(place, Partial) else place for place in tensor.placements
        ]
        result: Any = tensor.redistribute(placements=placements)
        return result.view_as(result)  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: DTensor) -> tuple[DTensor, None]:
        return redistributed(grad, ctx.placements), None
