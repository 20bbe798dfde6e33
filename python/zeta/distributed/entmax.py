"""Entmax of rows whose entries may lie on several ranks."""

from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from zeta.distributed._broadcast import aligned
from zeta.distributed._split_forward import on_meta, split_forward


def entmax(
    z: DTensor,
    alpha: float | DTensor = 1.5,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: DTensor | None = None,
) -> DTensor:
    """Compute :func:`zeta.ops.entmax` without gathering rows sharded along ``dim``.

    All else is as for :func:`zeta.distributed.sparse_softmax`. Without ``k`` each rank sends its
    whole part of a row. An ``alpha`` for each row is a DTensor on the mesh of ``z``, placed anyhow.
    With it, gradients may differ from those on one rank in the last bits.

    Raises:
        TypeError: If ``alpha`` is a tensor, but not a DTensor.
        RuntimeError: If it is on another mesh than ``z``; otherwise as for :func:`zeta.ops.entmax`.
    """

    def member(z: Tensor, k: int | None, dim: int, **options: Any) -> Any:
        of_rows: float | Tensor = alpha
        if isinstance(alpha, DTensor):  # z is on meta if the call is to check the arguments
            of_rows = aligned(alpha, z) if isinstance(z, DTensor) else on_meta(alpha)
        return torch.ops.zeta.entmax(z, of_rows, k, dim, **options)

    return split_forward("entmax", member, alpha, z, k, dim, dtype, mask)
