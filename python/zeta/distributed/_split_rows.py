"""Rows whose entries lie on several ranks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard
from torch.nn.functional import pad


@dataclass(frozen=True)
class SplitRows:
    """The rows along ``dim`` of a DTensor of this shape that is sharded along ``dim``. Each rank
    has chosen ``most`` entries of its part of each row, or all of them if the part is shorter."""

    mesh: DeviceMesh
    placements: Sequence[Placement]
    shape: torch.Size
    dim: int
    most: int

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

    def gather(self, chosen: Tensor) -> Tensor:
        """Gather the entries that all ranks have chosen, in the order of the row. The entries of a
        rank that has fewer than others are followed by -inf."""
        missing = self.count - chosen.shape[self.dim]
        padding = [0, 0] * (chosen.dim() - 1 - self.dim) + [0, missing]
        chosen = pad(chosen, padding, value=-math.inf)
        sharded = self._distribute(chosen, self.placements)
        return sharded.redistribute(placements=self._gathered).to_local()

    def spread(self, gathered: Tensor, indices: Tensor, is_nan: Tensor, like: DTensor) -> DTensor:
        """Scatter this rank's share of the gathered values back to where its entries came from. All
        else is 0, or NaN in the rows that ``is_nan`` marks."""
        replicated = self._distribute(gathered, self._gathered)
        own = replicated.redistribute(placements=self.placements).to_local()
        part = torch.empty_like(like.to_local()).copy_(torch.where(is_nan, math.nan, 0.0))
        part.scatter_(self.dim, indices, own.narrow(self.dim, 0, indices.shape[self.dim]))
        whole = torch.empty_like(torch.empty_strided(like.shape, like.stride(), device="meta"))
        return DTensor.from_local(
            part, self.mesh, self.placements, shape=whole.shape, stride=whole.stride()
        )

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
        whole = torch.empty(sizes, device="meta")
        return DTensor.from_local(
            local.contiguous(), self.mesh, placements, shape=whole.shape, stride=whole.stride()
        )
