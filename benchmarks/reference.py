"""The check that what is timed is right: by sorting and bisection in float64, of some rows."""

import torch
from torch import Tensor

SAMPLE_ENTRIES = 1 << 19
# Half types round each weight by half a unit in the last place; a row's sum moves by as much.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.2e-2}
HALVINGS = 48  # of an interval of length 1, which leave less than float64 tells apart in a sum


class WrongResult(Exception):
    """What was to be timed does not compute the mapping or its gradient."""


def check_forward(z: Tensor, weights: Tensor, k: int, dim: int, alpha: float) -> None:
    tolerance = TOLERANCE[z.dtype]
    sums = weights.sum(dim, dtype=torch.float32)
    _require(bool(((sums - 1).abs() <= tolerance).all()), "a row does not sum to 1")
    _require(bool(weights.amin() >= 0), "a weight is negative or NaN")
    rows, expected = sample_rows(weights, dim), weights_of(sample_rows(z, dim), k, alpha)
    _require(int(rows.count_nonzero(1).max()) <= k, f"a row has more than k = {k} non-zeros")
    _require_close(rows, expected, tolerance, "a row does not have the weights")


def check_compact(
    z: Tensor, values: Tensor, indices: Tensor, k: int, dim: int, alpha: float
) -> None:
    _require(bool((values.diff(dim=dim) <= 0).all()), "values are not in descending order")
    _require(bool(((indices == -1) == (values == 0)).all()), "an index is not of its value")
    # Behind the support 0 is added to the first entry.
    weights = torch.zeros_like(z).scatter_add_(dim, indices.clamp(min=0), values)
    check_forward(z, weights, k, dim, alpha)


def check_backward(
    grad: Tensor, weights: Tensor, grad_logits: Tensor, dim: int, alpha: float
) -> None:
    """`weights` are those of the forward, checked before."""
    rows, weights = sample_rows(grad, dim), sample_rows(weights, dim)
    slopes = torch.where(weights != 0, weights ** (2 - alpha), 0)
    mean = (slopes * rows).sum(1, keepdim=True) / slopes.sum(1, keepdim=True)
    tolerance = 4 * TOLERANCE[grad.dtype]
    expected = slopes * (rows - mean)
    _require_close(
        sample_rows(grad_logits, dim), expected, tolerance, "a row does not have the gradient"
    )


def weights_of(rows: Tensor, k: int, alpha: float) -> Tensor:
    ordered, order = rows.double().sort(dim=1, descending=True, stable=True)
    ordered = ordered[:, :k] - ordered[:, :1]
    if alpha == 1:
        kept = torch.softmax(ordered, 1)
    else:
        kept = _by_sums(ordered) if alpha == 2 else _by_bisection(ordered, alpha)
    return torch.zeros_like(rows).scatter_(1, order[:, :k], kept)


def _by_sums(ordered: Tensor) -> Tensor:
    """The projection on the simplex of rows in descending order."""
    sizes = torch.arange(1, ordered.shape[1] + 1, device=ordered.device)
    thresholds = (ordered.cumsum(1) - 1) / sizes
    size = (ordered > thresholds).sum(1, keepdim=True)
    return torch.where(sizes <= size, ordered - thresholds.gather(1, size - 1), 0)


def _by_bisection(shifted: Tensor, alpha: float) -> Tensor:
    """The entmax of rows whose largest entry is 0. The threshold at which weights sum to 1 lies
    between -1, where that entry alone has the weight 1, and 0, where none has a weight."""

    def weights_above(threshold: Tensor) -> Tensor:
        return (scaled - threshold).clamp(min=0) ** (1 / (alpha - 1))

    scaled = (alpha - 1) * shifted
    low = torch.full_like(shifted[:, :1], -1)
    for halving in range(1, HALVINGS + 1):
        middle = low + 0.5**halving
        low = torch.where(weights_above(middle).sum(1, keepdim=True) >= 1, middle, low)
    return weights_above(low)


def sample_rows(tensor: Tensor, dim: int) -> Tensor:
    """The first row, the last and some between, in float64."""
    rows = tensor.movedim(dim, -1).reshape(-1, tensor.shape[dim])
    count = max(1, min(64, len(rows), SAMPLE_ENTRIES // rows.shape[1]))
    chosen = torch.linspace(0, len(rows) - 1, count, dtype=torch.float64).round().long()
    return rows[chosen.to(rows.device)].double()


def _require_close(found: Tensor, expected: Tensor, tolerance: float, message: str) -> None:
    # As a part of the largest number, since those of long rows may all be small. A row's largest
    # weight is never below 1 / n; a gradient may be 0.
    scale = max(float(expected.abs().max()), 1 / expected.shape[1])
    difference = float((found - expected).abs().max())
    _require(difference <= tolerance * scale, f"{message}: off by {difference}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise WrongResult(message)
