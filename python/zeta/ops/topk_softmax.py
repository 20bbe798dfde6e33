"""The softmax of the k largest entries."""

import torch
from torch import Tensor

_operator = torch.ops.zeta.topk_softmax


def topk_softmax(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Map each row of ``z`` to the softmax of its ``k`` largest entries, with 0 for the others.

    With S the ``k`` largest entries of a row, or all if it has no more::

        pᵢ = exp(zᵢ) / Σ_{j∈S} exp(zⱼ)  on S,  0 elsewhere

    It maximises the entropy of p plus ⟨p, z⟩ over the probability vectors with at most ``k``
    non-zeros. The softmax over all entries, its ``k`` largest weights, and these divided by their
    sum are the same: what routers of mixtures of experts compute by four operators, gradient
    included. With ``k`` ≥ n it is :func:`torch.softmax`.

    Args:
        z: The logits: any shape, any strides, on any device the library was built for.
        k: The most entries of a row that may be non-zero, at least 1. A ``k`` above n acts as n.
        dim: The dimension the rows lie along.
        dtype: If given, ``z`` is converted to it first, as in :func:`torch.softmax`. Under autocast
            on CUDA it is float32 if not given, as there.
        mask: If given, which entries take part, as for :func:`zeta.ops.sparse_softmax`.

    Returns:
        The weights: of the shape and device of ``z``, and of its dtype or of ``dtype``.

    Dtypes, ties and unusual rows are as for :func:`zeta.ops.sparse_softmax`. Weights are 0, too,
    where they are below the least number of their dtype.

    **Gradient.** With g the gradient that arrives::

        grad_inᵢ = pᵢ (gᵢ − Σⱼ pⱼ gⱼ)

    and NaN for each row whose weights are NaN. It can be differentiated again, in reverse and
    forward mode.

    Raises:
        RuntimeError, IndexError: In the same cases as :func:`zeta.ops.sparse_softmax`.

    Example:
        >>> import torch, zeta
        >>> zeta.ops.topk_softmax(torch.tensor([2.0, 1.0, 0.0, -1.0]), k=2)
        tensor([0.7311, 0.2689, 0.0000, 0.0000])

    Source:
        Noam Shazeer, Azalia Mirhoseini, Krzysztof Maziarz, Andy Davis, Quoc Le, Geoffrey Hinton and
        Jeff Dean, *Outrageously large neural networks: the sparsely-gated mixture-of-experts
        layer*, ICLR 2017.
    """
    # Passing a keyword takes longer than mapping a short row.
    if dtype is None and mask is None:
        weights: Tensor = _operator(z, k, dim)
    else:
        weights = _operator(z, k, dim, mask=mask, dtype=dtype)
    return weights


def topk_softmax_compact(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the non-zero weights of :func:`topk_softmax` and their indices.

    All else is as for :func:`zeta.ops.sparse_softmax_compact`.

    Example:
        >>> import torch, zeta
        >>> zeta.ops.topk_softmax_compact(torch.tensor([1.0, 0.0, 2.0, -1.0]), k=2)
        (tensor([0.7311, 0.2689]), tensor([2, 0]))
    """
    result: tuple[Tensor, Tensor] = _operator.compact(z, k, dim, mask=mask, dtype=dtype)
    return result
