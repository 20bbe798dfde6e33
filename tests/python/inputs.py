"""Rows to try the operators on."""

from collections.abc import Callable

import torch
from torch import Tensor

# One below, at and above the widths of vectors, warps, blocks, buffers and 16-bit counters.
LENGTHS = [1, 2, 3, 7, 8, 9] + [
    power + step for power in (16, 32, 64, 128, 256, 512, 1024, 2048, 4096) for step in (-1, 0, 1)
]
LONG_LENGTHS = [8191, 8193, 65535, 65537, 131071, 131073]


def limits(length: int) -> list[int]:
    """The k to try for rows of a length."""
    candidates = {1, 2, 3, 4, 5, 31, 32, 33, 127, 129, length - 1, length, length + 1}
    return sorted(k for k in candidates if 1 <= k <= length + 1)


def _equal(rows: int, length: int) -> Tensor:
    return torch.full((rows, length), 0.3, dtype=torch.float64)


def _ties_at_the_limit(rows: int, length: int) -> Tensor:
    return torch.randint(0, 3, (rows, length)).double() / 4


def _ascending(rows: int, length: int) -> Tensor:
    return torch.linspace(-1, 1, length, dtype=torch.float64).repeat(rows, 1)


def _half_masked(rows: int, length: int) -> Tensor:
    z = torch.randn(rows, length, dtype=torch.float64)
    z[torch.rand(rows, length) < 0.5] = -torch.inf
    z[:, length // 2] = 0
    return z


def _lowest_for_masked(rows: int, length: int) -> Tensor:
    z = torch.randn(rows, length, dtype=torch.float64)
    z[:, 1::2] = torch.finfo(torch.float16).min
    return z


def _spike(rows: int, length: int) -> Tensor:
    z = torch.randn(rows, length, dtype=torch.float64)
    z[:, -1] = 60000
    return z


def _neighbouring_numbers(rows: int, length: int) -> Tensor:
    return torch.randint(0, 3, (rows, length)).double() * 2.0**-23 + 1


def _normal(scale: float) -> Callable[[int, int], Tensor]:
    return lambda rows, length: torch.randn(rows, length, dtype=torch.float64) * scale


FAMILIES: dict[str, Callable[[int, int], Tensor]] = {
    "normal": _normal(1),
    "wide": _normal(5),
    "narrow": _normal(0.1),
    "very narrow": _normal(0.01),
    "huge": _normal(10000),
    "uniform": lambda rows, length: torch.rand(rows, length, dtype=torch.float64),
    "equal": _equal,
    "ties at the limit": _ties_at_the_limit,
    "ascending": _ascending,
    "descending": lambda rows, length: -_ascending(rows, length),
    "half masked": _half_masked,
    "lowest for masked": _lowest_for_masked,
    "spike": _spike,
    "neighbouring numbers": _neighbouring_numbers,
}


def away_from_kinks(*shape: int, k: int, dim: int = -1) -> Tensor:
    """Float64 logits whose support does not change when each moves by 1e-3: neighbours in the
    order are far enough apart, and so is the threshold from all of them."""
    for _ in range(1000):
        z = torch.randn(*shape, dtype=torch.float64) * 0.5
        ordered = z.sort(dim=dim).values
        n = z.shape[dim]
        gaps = ordered.narrow(dim, 1, n - 1) - ordered.narrow(dim, 0, n - 1) if n > 1 else z
        moved = [_support(z + step * torch.randn_like(z), k, dim) for step in (0, 3e-3, -3e-3)]
        steady = all(torch.equal(moved[0], other) for other in moved[1:])
        if (gaps.abs().min() > 3e-3 or n == 1) and steady:
            return z
    raise AssertionError("no logits away from kinks found")


def _support(z: Tensor, k: int, dim: int) -> Tensor:
    import reference

    return reference.entmax(z, 2, k, dim) != 0
