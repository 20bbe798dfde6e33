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
    """The rows along ``dim`` of a DTensor of this shape, which is sharded along it, too. Each rank
    has chosen ``most`` entries of its part of each row, or all that it has."""

    mesh: DeviceMesh
    placements: Sequence[Placement]
    shape: torch.Size
    dim: int
    most: int

    @property
    def length(self) -> int:
        """Of a row, on all ranks together."""
        return self.shape[self.dim]

    @property
    def count(self) -> int:
        longest_part = self.length
        for ranks in self._ranks:
            longest_part = math.ceil(longest_part / ranks)
        return min(self.most, longest_part)

    def gather(self, chosen: Tensor) -> Tensor:
        """What all ranks have of each row, in the order of its entries, with -inf after what a rank
        has less than others."""
        missing = self.count - chosen.shape[self.dim]
        padding = [0, 0] * (chosen.dim() - 1 - self.dim) + [0, missing]
        chosen = pad(chosen, padding, value=-math.inf)
        sharded = self._distribute(chosen, self.placements)
        return sharded.redistribute(placements=self._gathered).to_local()

    def spread(self, gathered: Tensor, columns: Tensor, is_nan: Tensor, like: DTensor) -> DTensor:
        """Of what was gathered, what each rank has chosen, in the columns where that is from.
        Elsewhere 0, or NaN in the rows that are."""
        replicated = self._distribute(gathered, self._gathered)
        own = replicated.redistribute(placements=self.placements).to_local()
        part = torch.empty_like(like.to_local()).copy_(torch.where(is_nan, math.nan, 0.0))
        part.scatter_(self.dim, columns, own.narrow(self.dim, 0, columns.shape[self.dim]))
        whole = torch.empty_like(torch.empty_strided(like.shape, like.stride(), device="meta"))
        return DTensor.from_local(
            part, self.mesh, self.placements, shape=whole.shape, stride=whole.stride()
        )

    @property
    def _ranks(self) -> list[int]:
        """Among how many each mesh dimension splits what it is given of a row."""
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
