"""Entmax of rows whose entries may lie on several ranks."""

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from zeta.distributed._split_forward import split_forward


def entmax(
    z: DTensor,
    alpha: float = 1.5,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
) -> DTensor:
    """Compute :func:`zeta.ops.entmax` without gathering rows sharded along ``dim``.

    All else is as for :func:`zeta.distributed.sparse_softmax`. Without ``k`` each rank sends its
    whole part of a row.
    """

    def member(z: Tensor, k: int | None, dim: int, *, dtype: torch.dtype | None = None) -> Any:
        return torch.ops.zeta.entmax(z, alpha, k, dim, dtype=dtype)

    return split_forward("entmax", member, alpha, z, k, dim, dtype)
