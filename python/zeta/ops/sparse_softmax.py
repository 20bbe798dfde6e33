"""The Euclidean projection on the probability simplex with at most k non-zeros."""

import torch
from torch import Tensor

_operator = torch.ops.zeta.sparse_softmax


def sparse_softmax(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Map each row of ``z`` to the nearest probability vector with at most ``k`` non-zeros.

    A row is a slice of ``z`` along ``dim``, of length n. The result of each row is its Euclidean
    projection on the probability simplex, restricted to vectors with at most ``k`` non-zeros::

        p = argmin ‖p − z‖²   with  p ≥ 0,  Σp = 1,  at most k entries non-zero

    With the row sorted, z₍₁₎ ≥ z₍₂₎ ≥ … ≥ z₍ₙ₎, it has a closed form::

        κ  = the largest j ≤ min(k, n) with  z₍ⱼ₎ > (Σ_{i≤j} z₍ᵢ₎ − 1) / j
        τ  = (Σ_{i≤κ} z₍ᵢ₎ − 1) / κ
        pᵢ = zᵢ − τ  for the κ largest entries,  0 elsewhere

    Unlike softmax it gives exact zeros, and fewer than ``k`` entries survive where the largest
    stand out. With ``k`` ≥ n it is sparsemax.

    Args:
        z: The logits: any shape, any strides, on any device the library was built for.
        k: The most entries of a row that may be non-zero, at least 1. A ``k`` above n acts as n.
        dim: The dimension the rows lie along.
        dtype: If given, ``z`` is converted to it first, as in :func:`torch.softmax`. Under autocast
            on CUDA it is float32 if not given, as there.
        mask: If given, a bool tensor that is broadcast to ``z``: True where an entry takes part, as
            in :func:`torch.nn.functional.scaled_dot_product_attention`. What is left out has weight
            0 and gradient 0 whatever it is, NaN included, and a row of which nothing takes part is
            0 throughout. A mask of numbers is to be added to ``z`` instead.

    Returns:
        The weights: of the shape and device of ``z``, and of its dtype or of ``dtype``.

    The dtypes are float32, float64, float16 and bfloat16, each computed wider than itself and
    rounded once. Integer and bool tensors need a ``dtype``.

    **Ties.** Among equal entries the one with the lowest index counts as the larger. −0.0 equals
    +0.0.

    **Unusual rows.** An entry of −inf gets weight 0. A row that holds NaN or +inf, or nothing but
    −inf, becomes NaN throughout, as in :func:`torch.softmax`, and leaves the other rows as they
    are. An empty tensor gives an empty tensor, and a 0-dimensional one gives 1.

    **Gradient.** With S the entries of a row whose weight is not 0, and g the gradient that
    arrives::

        grad_inᵢ = gᵢ − mean_S(g)  on S,  0 elsewhere

    and NaN for each row whose weights are NaN. It can be differentiated again, in reverse and
    forward mode.

    Raises:
        RuntimeError: If ``k`` is below 1; if ``z`` is complex, or is not of a floating-point dtype
            listed above and ``dtype`` is not given; if ``dtype`` is not one of those listed; if
            ``mask`` is not bool, is on another device or is not broadcast to ``z``.
        IndexError: If ``dim`` is not a dimension of ``z``.

    Example:
        >>> import torch, zeta
        >>> zeta.ops.sparse_softmax(torch.tensor([0.8, 0.6, 0.1, 0.5, 0.4]), k=3)
        tensor([0.5000, 0.3000, 0.0000, 0.2000, 0.0000])
        >>> zeta.ops.sparse_softmax(torch.tensor([2.0, 1.5, 0.1, -1.0, 3.2, 0.7]), k=3)
        tensor([0., 0., 0., 0., 1., 0.])
        >>> z = torch.tensor([2.0, 1.5, 0.1, torch.nan])
        >>> zeta.ops.sparse_softmax(z, mask=torch.tensor([True, True, True, False]))
        tensor([0.7500, 0.2500, 0.0000, 0.0000])

    Sources:
        Anastasios Kyrillidis, Stephen Becker, Volkan Cevher and Christoph Koch, *Sparse projections
        onto the simplex*, ICML 2013: the projection with at most k non-zeros.

        André F. T. Martins and Ramón F. Astudillo, *From softmax to sparsemax: a sparse model of
        attention and multi-label classification*, ICML 2016: the projection without that limit,
        and its gradient.
    """
    # Passing a keyword takes longer than projecting a short row.
    if dtype is None and mask is None:
        weights: Tensor = _operator(z, k, dim)
    else:
        weights = _operator(z, k, dim, mask=mask, dtype=dtype)
    return weights


def sparse_softmax_compact(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the non-zero weights of :func:`sparse_softmax` and their indices.

    For those who go on with the few entries that have a weight: routers of mixtures of experts,
    sparse autoencoders, memories. Unless it has to be converted, nothing as large as ``z`` is
    written before the backward.

    Args:
        z, k, dim, dtype, mask: As for :func:`sparse_softmax`.

    Returns:
        A pair of tensors of size min(k, n) along ``dim``. The first has the weights in descending
        order, equal ones by lowest index. They have the bits of the dense form's. Behind the
        support they are 0. The second says where in the row these weights belong, in int64. Behind
        the support it is −1.

    A row that is NaN has values of NaN, and the indices of its ``k`` largest entries in descending
    order, NaN first and equal ones by lowest index.

    **Gradient.** It flows through the values, with the same numbers as through the dense form, but
    that in a row that is NaN it is NaN at these indices alone. It can be differentiated again, in
    reverse and forward mode.

    Raises:
        RuntimeError, IndexError: In the same cases as :func:`sparse_softmax`.

    Example:
        >>> import torch, zeta
        >>> zeta.ops.sparse_softmax_compact(torch.tensor([0.8, 0.6, -0.9, 0.5, 0.4]), k=3)
        (tensor([0.5000, 0.3000, 0.2000]), tensor([0, 1, 3]))
        >>> zeta.ops.sparse_softmax_compact(torch.tensor([2.0, 1.5, 0.1, -1.0, 3.2, 0.7]), k=3)
        (tensor([1., 0., 0.]), tensor([ 4, -1, -1]))
    """
    result: tuple[Tensor, Tensor] = _operator.compact(z, k, dim, mask=mask, dtype=dtype)
    return result
