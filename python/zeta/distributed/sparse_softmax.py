"""The projection of rows whose entries may lie on several ranks."""

import torch
from torch.distributed.tensor import DTensor

from zeta.distributed._split_forward import split_forward


def sparse_softmax(
    z: DTensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: DTensor | None = None,
) -> DTensor:
    """Compute :func:`zeta.ops.sparse_softmax` without gathering rows sharded along ``dim``.

    Only the ``k`` largest entries that a rank has of a row can have a weight. So each rank sends
    these, its candidates, in one all-gather for each mesh dimension that ``dim`` is sharded along.
    It projects the candidates of all ranks and writes its own part of the weights. The backward
    gathers as many numbers again, the gradients of the candidates.

    The weights and gradients have the same bits as on one rank, for any mesh. Rows that lie on one
    rank as a whole are not sent. :func:`torch.compile` makes one graph of the function.

    Args:
        z: The logits. Partial sums are reduced first.
        k: The most entries of a row that may be non-zero, at least 1.
        dim: The dimension the rows lie along.
        dtype: If given, ``z`` is converted to it first.
        mask: If given, which entries take part, as for :func:`zeta.ops.sparse_softmax`, on the mesh of
            ``z`` and placed anyhow. Rows sharded along ``dim`` are copied with −inf in place of what it
            leaves out.

    Returns:
        The weights, sharded as ``z`` is, and differentiable in reverse mode any number of times.

    Raises:
        TypeError: If ``z`` or ``mask`` is not a DTensor.
        RuntimeError, IndexError: In the same cases as :func:`zeta.ops.sparse_softmax`.
    """
    member = torch.ops.zeta.sparse_softmax
    return split_forward("sparse_softmax", member, 2.0, z, k, dim, dtype, mask)
