"""What the operators compute, slowly and without code of the library: weights by sorting in long
double, by sorting in exact rationals, and by trying every support; gradients, supports and the largest
entries."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import torch
from torch import Tensor


def sparse_softmax(z: Tensor, k: int, dim: int = -1) -> Tensor:
    """In float64, computed in long double by sorting."""
    if z.dim() == 0:
        return sparse_softmax(z.reshape(1), k, 0).reshape(())
    if z.numel() == 0:
        return z.double()
    rows = z.detach().cpu().double().movedim(dim, -1)
    weights = _project_rows(rows.reshape(-1, rows.shape[-1]).numpy(), k)
    return torch.from_numpy(weights).reshape(rows.shape).movedim(-1, dim)


def _project_rows(rows: np.ndarray, k: int) -> np.ndarray:
    maximum = rows.max(axis=1, keepdims=True)
    undefined = ~np.isfinite(maximum[:, 0])  # NaN or +inf somewhere, or -inf throughout
    rows = np.where(undefined[:, None], 0.0, rows)
    order = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    logits = np.take_along_axis(rows, order, axis=1).astype(np.longdouble)
    logits -= logits[:, :1]
    sizes = np.arange(1, order.shape[1] + 1)
    thresholds = (logits.cumsum(axis=1) - 1) / sizes
    in_support = np.logical_and.accumulate(logits > thresholds, axis=1)
    size = in_support.sum(axis=1, keepdims=True)
    threshold = np.take_along_axis(thresholds, size - 1, axis=1)
    weights = np.zeros(rows.shape)
    kept = np.where(in_support, logits - threshold, 0).astype(np.float64)
    np.put_along_axis(weights, order, kept, axis=1)
    weights[undefined] = np.nan
    return weights


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


def gradient(grad: Tensor, weights: Tensor, dim: int = -1) -> Tensor:
    """The gradient of the logits in float64: grad - mean(grad) on the support of `weights`."""
    if weights.dim() == 0:
        return gradient(grad.reshape(1), weights.reshape(1), 0).reshape(())
    rows = weights.detach().cpu().double().movedim(dim, -1).numpy()
    grads = grad.detach().cpu().double().movedim(dim, -1).numpy().astype(np.longdouble)
    support = rows != 0
    size = np.maximum(support.sum(axis=-1, keepdims=True), 1)
    mean = np.where(support, grads, 0).sum(axis=-1, keepdims=True) / size
    result = np.where(support, grads - mean, 0).astype(np.float64)
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
