"""The rows to time: families of inputs, from the ordinary to those that defeat shortcuts."""

from collections.abc import Callable

import torch
from torch import Tensor

SEED = 0


def make(
    family: str, shape: tuple[int, ...], dim: int, dtype: torch.dtype, device: str = "cpu"
) -> Tensor:
    """A tensor of a family, contiguous, the same for the same arguments."""
    generator = torch.Generator(device).manual_seed(SEED)
    return FAMILIES[family](shape, dim, generator).to(dtype)


def _normal(scale: float) -> Callable[[tuple[int, ...], int, torch.Generator], Tensor]:
    def rows(shape: tuple[int, ...], _: int, generator: torch.Generator) -> Tensor:
        return torch.randn(shape, generator=generator, device=generator.device).mul_(scale)

    return rows


def _uniform(shape: tuple[int, ...], _: int, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def _equal(shape: tuple[int, ...], _: int, generator: torch.Generator) -> Tensor:
    return torch.full(shape, 0.3, device=generator.device)


def _ascending(shape: tuple[int, ...], dim: int, generator: torch.Generator) -> Tensor:
    along = [1] * len(shape)
    along[dim] = shape[dim]
    row = torch.linspace(-1, 1, shape[dim], device=generator.device)
    return row.view(along).expand(shape).contiguous()


def _half_masked(shape: tuple[int, ...], dim: int, generator: torch.Generator) -> Tensor:
    z = torch.randn(shape, generator=generator, device=generator.device)
    z[torch.rand(shape, generator=generator, device=generator.device) < 0.5] = -torch.inf
    z.select(dim, shape[dim] // 2).zero_()  # A row of nothing but -inf would be NaN.
    return z


def _spike(shape: tuple[int, ...], dim: int, generator: torch.Generator) -> Tensor:
    z = torch.randn(shape, generator=generator, device=generator.device)
    z.select(dim, shape[dim] // 3).fill_(100)
    return z


NORMAL = ("N(0,1)", "N(0,5)", "N(0,0.1)")
ADVERSARIAL = ("N(0,0.01)", "equal", "ascending", "half masked")

FAMILIES: dict[str, Callable[[tuple[int, ...], int, torch.Generator], Tensor]] = {
    "N(0,1)": _normal(1),
    "N(0,5)": _normal(5),
    "N(0,0.1)": _normal(0.1),
    "N(0,0.01)": _normal(0.01),
    "equal": _equal,
    "ascending": _ascending,
    "half masked": _half_masked,
    "uniform": _uniform,
    "spike": _spike,
}
