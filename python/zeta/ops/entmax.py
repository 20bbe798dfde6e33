"""Entmax: the family that holds softmax and sparsemax, with a limit on the non-zeros."""

import torch
from torch import Tensor

_operator = torch.ops.zeta.entmax


def entmax(
    z: Tensor,
    alpha: float | Tensor = 1.5,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Map each row of ``z`` to its α-entmax with at most ``k`` non-zeros.

    Over the probability vectors with at most ``k`` non-zeros it is::

        p = argmax ⟨p, z⟩ − (Σ pᵢ^α − 1) / (α(α − 1))

    which is, with the τ at which the weights sum to 1::

        pᵢ = [(α − 1) zᵢ − τ]₊^{1/(α−1)}  on the k largest entries,  0 elsewhere

    The larger α, the more weights are 0. α = 1 is :func:`zeta.ops.topk_softmax` and α = 2
    :func:`zeta.ops.sparse_softmax`.

    Args:
        z: The logits: any shape, any strides, on any device the library was built for.
        alpha: 1, or a number from 1.01 to 2. A tensor gives each row an alpha of its own: it has
            size 1 along ``dim`` and is broadcast to ``z``, and a gradient flows to it. Its numbers
            are checked on the CPU. On CUDA, where the host would have to wait to see them, the rows
            of all other numbers are NaN, and so are their gradients.
        k: The most entries of a row that may be non-zero, at least 1; any number if None.
        dim: The dimension the rows lie along.
        dtype: If given, ``z`` is converted to it first, as in :func:`torch.softmax`. Under autocast
            on CUDA it is float32 if not given, as there.
        mask: If given, which entries take part, as for :func:`zeta.ops.sparse_softmax`.

    Returns:
        The weights: of the shape and device of ``z``, and of its dtype or of ``dtype``.

    Dtypes, ties and unusual rows are as for :func:`zeta.ops.sparse_softmax`.

    **Gradient.** With the slopes sᵢ = pᵢ^{2−α} on the support, 0 elsewhere, and g the gradient that
    arrives::

        grad_inᵢ = sᵢ (gᵢ − Σⱼ sⱼ gⱼ / Σⱼ sⱼ)

    and NaN for each row whose weights are NaN. That of an ``alpha`` given as a tensor is, with b =
    α − 1 and q = s / Σ s::

        Σᵢ gᵢ [(pᵢ − qᵢ) / b² − (pᵢ log pᵢ − qᵢ Σⱼ pⱼ log pⱼ) / b]

    and its limit for α = 1. Both can be differentiated again, in reverse and forward mode, but for
    the second derivative by alpha at 1.

    Raises:
        RuntimeError: If ``alpha`` is NaN or outside of the numbers above, but for the numbers of a
            tensor on CUDA; otherwise as for :func:`zeta.ops.sparse_softmax`.
        IndexError: If ``dim`` is not a dimension of ``z``.

    Example:
        >>> import torch, zeta
        >>> zeta.ops.entmax(torch.tensor([2.0, 1.0, 0.0, -1.0]))
        tensor([0.8307, 0.1693, 0.0000, 0.0000])
        >>> zeta.ops.entmax(torch.tensor([2.0, 1.0, 0.0, -1.0]), alpha=1.25, k=2)
        tensor([0.7754, 0.2246, 0.0000, 0.0000])

    Sources:
        Ben Peters, Vlad Niculae and André F. T. Martins, *Sparse sequence-to-sequence models*,
        ACL 2019.

        Gonçalo M. Correia, Vlad Niculae and André F. T. Martins, *Adaptively sparse transformers*,
        EMNLP 2019: the gradient of alpha.
    """
    if isinstance(alpha, Tensor):
        of_alphas: Tensor = _operator.tensor_alpha(z, alpha, k, dim, mask=mask, dtype=dtype)
        return of_alphas
    weights: Tensor = _operator.default(z, alpha, k, dim, mask=mask, dtype=dtype)
    return weights


def entmax_compact(
    z: Tensor,
    alpha: float | Tensor = 1.5,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the non-zero weights of :func:`entmax` and their indices.

    All else is as for :func:`zeta.ops.sparse_softmax_compact`, and ``alpha`` as for :func:`entmax`.
    Without ``k`` both have the size of ``z``.
    """
    compact = _operator.tensor_alpha_compact if isinstance(alpha, Tensor) else _operator.compact
    result: tuple[Tensor, Tensor] = compact(z, alpha, k, dim, mask=mask, dtype=dtype)
    return result


def entmax15(
    z: Tensor,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return :func:`entmax` with α = 1.5."""
    return entmax(z, 1.5, k, dim, dtype, mask)


def entmax15_compact(
    z: Tensor,
    k: int | None = None,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return :func:`entmax_compact` with α = 1.5."""
    return entmax_compact(z, 1.5, k, dim, dtype, mask)
