"""What the operators compute, slowly and without code of the library: weights in long double;
projections by sorting in exact rationals, and by trying every support; gradients, supports and the
largest entries."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import torch
from torch import Tensor


def entmax(z: Tensor, alpha: float, k: int, dim: int = -1) -> Tensor:
    """In float64, computed in long double."""
    if z.dim() == 0:
        return entmax(z.reshape(1), alpha, k, 0).reshape(())
    if z.numel() == 0:
        return z.double()
    rows = z.detach().cpu().double().movedim(dim, -1)
    weights = _map_rows(rows.reshape(-1, rows.shape[-1]).numpy(), alpha, k)
    return torch.from_numpy(weights).reshape(rows.shape).movedim(-1, dim)


def _map_rows(rows: np.ndarray, alpha: float, k: int) -> np.ndarray:
    maximum = rows.max(axis=1, keepdims=True)
    undefined = ~np.isfinite(maximum[:, 0])  # NaN or +inf somewhere, or -inf throughout
    rows = np.where(undefined[:, None], 0.0, rows)
    order = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    logits = np.take_along_axis(rows, order, axis=1).astype(np.longdouble)
    logits -= logits[:, :1]
    if alpha == 1:
        kept = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    elif alpha == 2:
        kept = _projection(logits)
    else:
        reach = (logits > -1 / (alpha - 1)).sum(axis=1).max()  # below it weights are 0
        kept = np.zeros(logits.shape)
        kept[:, :reach] = _by_newton(logits[:, :reach], alpha)
    weights = np.zeros(rows.shape)
    np.put_along_axis(weights, order, kept.astype(np.float64), axis=1)
    weights[undefined] = np.nan
    return weights


def _projection(logits: np.ndarray) -> np.ndarray:
    """By the closed form, of logits in descending order."""
    sizes = np.arange(1, logits.shape[1] + 1)
    thresholds = (logits.cumsum(axis=1) - 1) / sizes
    in_support = np.logical_and.accumulate(logits > thresholds, axis=1)
    size = in_support.sum(axis=1, keepdims=True)
    threshold = np.take_along_axis(thresholds, size - 1, axis=1)
    return np.where(in_support, logits - threshold, 0)


def _by_newton(logits: np.ndarray, alpha: float) -> np.ndarray:
    """The powers 1/(alpha - 1) of (alpha - 1) * logits - threshold that sum to 1, for logits less
    their maximum. Newton's method approaches the threshold from below, first in double."""
    threshold = np.full((len(logits), 1), -1.0)
    for number, steps in ((np.float64, 18), (np.longdouble, 3)):
        b = number(alpha) - 1
        terms, threshold = b * logits.astype(number), threshold.astype(number)
        for _ in range(steps):
            bases = np.maximum(terms - threshold, 0)
            slopes = (bases ** (1 / b - 1)).sum(axis=1, keepdims=True) / b
            threshold += ((bases ** (1 / b)).sum(axis=1, keepdims=True) - 1) / slopes
    return np.maximum(terms - threshold, 0) ** (1 / b)


def support(weights: Tensor, k: int, dim: int) -> Tensor:
    """The count of each row's non-zero weights, or -1 in NaN rows; their indices in order; then -1."""
    length = weights.shape[dim]
    indices = torch.arange(length, dtype=torch.int32)
    indices = indices.view([-1 if i == dim % weights.dim() else 1 for i in range(weights.dim())])
    is_nan = weights.isnan()
    indices = torch.where((weights != 0) & ~is_nan, indices, length).sort(dim).values
    indices = indices.narrow(dim, 0, min(k, length))
    indices = torch.where(indices == length, -1, indices)
    count = (indices >= 0).sum(dim, keepdim=True, dtype=torch.int32)
    count[is_nan.any(dim, keepdim=True)] = -1
    return torch.cat([count, indices], dim)


def largest(z: Tensor, k: int, dim: int) -> Tensor:
    """The indices of the k largest entries, in order. NaN is larger than all numbers."""
    ordered = torch.where(z.isnan(), torch.nan, z.double()).sort(
        dim=dim, descending=True, stable=True
    )
    return ordered.indices.narrow(dim, 0, min(k, z.shape[dim])).sort(dim).values


def gradient(grad: Tensor, weights: Tensor, alpha: float, dim: int = -1) -> Tensor:
    """The gradient of the logits in float64: slopes * (grad - mean(grad)), where the slopes are
    weights^(2 - alpha) on the support of `weights`, and the mean is weighted by them."""
    if weights.dim() == 0:
        return gradient(grad.reshape(1), weights.reshape(1), alpha, 0).reshape(())
    rows = weights.detach().cpu().double().movedim(dim, -1).numpy().astype(np.longdouble)
    grads = grad.detach().cpu().double().movedim(dim, -1).numpy().astype(np.longdouble)
    support = rows != 0
    slopes = np.where(support, np.where(support, rows, 1) ** (2 - np.longdouble(alpha)), 0)
    total = slopes.sum(axis=-1, keepdims=True)
    grads = np.where(support, grads, 0)
    mean = (slopes * grads).sum(axis=-1, keepdims=True) / np.where(total == 0, 1, total)
    result = (slopes * (grads - mean)).astype(np.float64)
    result[np.isnan(rows).any(axis=-1)] = np.nan
    return torch.from_numpy(result).movedim(-1, dim)


def exact_projection(row: list[float], k: int) -> list[Fraction]:
    """In rationals, from the closed form."""
    logits = [Fraction(x) for x in row]
    order = sorted(range(len(row)), key=lambda column: (-logits[column], column))[:k]
    total = Fraction(0)
    threshold, support = Fraction(0), 0
    for size, column in enumerate(order, start=1):
        total += logits[column]
        if logits[column] > (total - 1) / size:
            threshold, support = (total - 1) / size, size
    weights = [Fraction(0)] * len(row)
    for column in order[:support]:
        weights[column] = logits[column] - threshold
    return weights


def nearest_point(row: Sequence[float | Fraction], k: int) -> Fraction:
    """The least squared distance of `row` to the simplex with at most k non-zeros, by trying every
    support: on each, the nearest point of the plane sum = 1, if it has no negative entry."""
    logits = [Fraction(x) for x in row]
    distances = []
    for size in range(1, min(k, len(row)) + 1):
        for support in combinations(range(len(row)), size):
            threshold = (sum(logits[column] for column in support) - 1) / size
            if all(logits[column] >= threshold for column in support):
                outside = sum(logits[c] ** 2 for c in range(len(row)) if c not in support)
                distances.append(size * threshold**2 + outside)
    return min(distances)


def squared_distance(row: Sequence[float | Fraction], weights: list[Fraction]) -> Fraction:
    return sum(((Fraction(x) - p) ** 2 for x, p in zip(row, weights, strict=True)), Fraction(0))
