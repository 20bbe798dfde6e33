"""Rows whose entries lie on several ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard
from torch.nn.functional import pad


@dataclass(frozen=True)
class SplitRows:
    """The rows along ``dim`` of a DTensor that is sharded along ``dim``, and of this rank's part of
    it. Each rank has chosen ``most`` entries of its part of each row, or all of them if the part is
    shorter."""

    mesh: DeviceMesh
    placements: Sequence[Placement]
    shape: torch.Size
    stride: tuple[int, ...]
    part_shape: torch.Size
    part_stride: tuple[int, ...]
    dim: int
    most: int

    @classmethod
    def of(cls, tensor: DTensor, dim: int, most: int) -> Self:
        layouts = _layout_of(tensor), _layout_of(tensor.to_local())
        return cls(tensor.device_mesh, tensor.placements, *layouts[0], *layouts[1], dim, most)

    @property
    def length(self) -> int:
        """The length of a row, on all ranks together."""
        return self.shape[self.dim]

    @property
    def count(self) -> int:
        longest_part = self.length
        for ranks in self._ranks:
            longest_part = math.ceil(longest_part / ranks)
        return min(self.most, longest_part)

    def gather(self, chosen: Tensor, padding: float) -> Tensor:
        """Gather the entries that all ranks have chosen, in the order of the row. The padding follows
        those of a rank that has fewer than others, and those of the last."""
        chosen = self._padded(chosen, self.count - chosen.shape[self.dim], padding)
        sharded = self._distribute(chosen, self.placements)
        return self._padded(sharded.redistribute(placements=self._gathered).to_local(), 1, padding)

    def spread(self, gathered: Tensor, indices: Tensor) -> DTensor:
        """Scatter this rank's share of the gathered values back to where its entries came from. All
        else is what the last value is, which no rank has sent: NaN if the row is, or 0."""
        sent = gathered.shape[self.dim] - 1
        is_nan = gathered.narrow(self.dim, sent, 1).isnan()
        replicated = self._distribute(gathered.narrow(self.dim, 0, sent), self._gathered)
        own = replicated.redistribute(placements=self.placements).to_local()
        part = gathered.new_empty_strided(self.part_shape, self.part_stride)
        part.copy_(torch.where(is_nan, math.nan, 0.0))
        part.scatter_(self.dim, indices, own.narrow(self.dim, 0, indices.shape[self.dim]))
        return DTensor.from_local(
            part, self.mesh, self.placements, shape=self.shape, stride=self.stride
        )

    def _padded(self, entries: Tensor, missing: int, padding: float) -> Tensor:
        return pad(entries, [0, 0] * (entries.dim() - 1 - self.dim) + [0, missing], value=padding)

    @property
    def _ranks(self) -> list[int]:
        """Over how many ranks each mesh dimension splits its part of a row."""
        splits = (i for i, place in enumerate(self.placements) if place == Shard(self.dim))
        return [self.mesh.size(i) for i in splits]

    @property
    def _gathered(self) -> list[Placement]:
        return [Replicate() if place == Shard(self.dim) else place for place in self.placements]

    def _distribute(self, local: Tensor, placements: Sequence[Placement]) -> DTensor:
        sizes = list(self.shape)
        sizes[self.dim] = self.count * math.prod(self._ranks)
        return distributed(local, self.mesh, placements, sizes)


def distributed(
    local: Tensor, mesh: DeviceMesh, placements: Sequence[Placement], sizes: Sequence[int]
) -> DTensor:
    """Return a contiguous tensor of these sizes that has this part on this rank."""
    whole = torch.empty(sizes, device="meta")
    return DTensor.from_local(
        local.contiguous(), mesh, placements, shape=whole.shape, stride=whole.stride()
    )


def _layout_of(tensor: Tensor) -> tuple[torch.Size, tuple[int, ...]]:
    """Return the shape of a tensor, and the strides of a new one like it."""
    like = torch.empty_like(torch.empty_strided(tensor.shape, tensor.stride(), device="meta"))
    return like.shape, like.stride()
