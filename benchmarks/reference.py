"""The check that what is timed is right: by sorting in float64, on a sample of rows."""

import torch
from torch import Tensor

SAMPLE_ENTRIES = 1 << 19
# Half types round each weight by half a unit in the last place; a row's sum moves by as much.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.float16: 2e-3, torch.bfloat16: 1.2e-2}


class WrongResult(Exception):
    """What was to be timed does not compute the projection or its gradient."""


def check_forward(z: Tensor, weights: Tensor, k: int, dim: int) -> None:
    tolerance = TOLERANCE[z.dtype]
    sums = weights.sum(dim, dtype=torch.float32)
    _require(bool(((sums - 1).abs() <= tolerance).all()), "a row does not sum to 1")
    _require(bool(weights.amin() >= 0), "a weight is negative or NaN")
    rows, expected = sample_rows(weights, dim), project(sample_rows(z, dim), k)
    _require(int(rows.count_nonzero(1).max()) <= k, f"a row has more than k = {k} non-zeros")
    _require_close(rows, expected, tolerance, "a row is not the projection")


def check_backward(grad: Tensor, weights: Tensor, grad_logits: Tensor, dim: int) -> None:
    rows, on = sample_rows(grad, dim), sample_rows(weights, dim) != 0
    mean = (rows * on).sum(1, keepdim=True) / on.sum(1, keepdim=True)
    expected = torch.where(on, rows - mean, 0)
    tolerance = 4 * TOLERANCE[grad.dtype]
    _require_close(
        sample_rows(grad_logits, dim), expected, tolerance, "a row is not the projection's gradient"
    )


def project(rows: Tensor, k: int) -> Tensor:
    ordered, order = rows.double().sort(dim=1, descending=True, stable=True)
    ordered = ordered[:, :k] - ordered[:, :1]
    sizes = torch.arange(1, ordered.shape[1] + 1, device=rows.device)
    thresholds = (ordered.cumsum(1) - 1) / sizes
    size = (ordered > thresholds).sum(1, keepdim=True)
    kept = torch.where(sizes <= size, ordered - thresholds.gather(1, size - 1), 0)
    return torch.zeros_like(rows).scatter_(1, order[:, :k], kept)


def sample_rows(tensor: Tensor, dim: int) -> Tensor:
    """The first row, the last and some between, in float64."""
    rows = tensor.movedim(dim, -1).reshape(-1, tensor.shape[dim])
    count = max(1, min(64, len(rows), SAMPLE_ENTRIES // rows.shape[1]))
    chosen = torch.linspace(0, len(rows) - 1, count, dtype=torch.float64).round().long()
    return rows[chosen.to(rows.device)].double()


def _require_close(found: Tensor, expected: Tensor, tolerance: float, message: str) -> None:
    difference = float((found - expected).abs().max())
    _require(difference <= tolerance, f"{message}: off by {difference}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise WrongResult(message)
