"""The softmax of the k largest entries of rows whose entries may lie on several ranks."""

import torch
from torch.distributed.tensor import DTensor

from zeta.distributed._split_forward import split_forward


def topk_softmax(
    z: DTensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: DTensor | None = None,
) -> DTensor:
    """Compute :func:`zeta.ops.topk_softmax` without gathering rows sharded along ``dim``.

    All else is as for :func:`zeta.distributed.sparse_softmax`.
    """
    return split_forward("topk_softmax", torch.ops.zeta.topk_softmax, 1.0, z, k, dim, dtype, mask)
