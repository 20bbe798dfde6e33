"""The masks of cases that have one. Half of the entries take part."""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.inputs import SEED


def make(mask: str, z: Tensor, dim: int) -> Tensor:
    return MASKS[mask](z, dim)


def _padding(z: Tensor, dim: int) -> Tensor:
    """The first half of every row takes part."""
    along = [1] * z.dim()
    along[dim] = z.shape[dim]
    length = z.shape[dim]
    return (torch.arange(length, device=z.device) < length // 2).view(along)


def _full(z: Tensor, dim: int) -> Tensor:
    generator = torch.Generator(z.device).manual_seed(SEED)
    mask = torch.rand(z.shape, generator=generator, device=z.device) < 0.5
    mask.select(dim, 0).fill_(True)  # A row that is left out as a whole would not sum to 1.
    return mask


MASKS: dict[str, Callable[[Tensor, int], Tensor]] = {"padding": _padding, "full": _full}
