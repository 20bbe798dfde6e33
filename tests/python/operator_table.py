"""The operators that the contract tests run over. A new mapping joins by a row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import reference
import torch
from torch import Tensor

import zeta

# A test for a device that is not there would be one more skip, among which a new one is not seen.
DEVICES = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

# The largest error of a weight; a weight is at most 1.
TOLERANCE = {
    torch.float32: 1e-7,
    torch.float64: 2 * torch.finfo(torch.float64).eps,
    torch.float16: torch.finfo(torch.float16).eps / 2,
    torch.bfloat16: torch.finfo(torch.bfloat16).eps / 2,
}


@dataclass(frozen=True)
class Operator:
    """An operator of one alpha, as a function of z, k, dim, dtype and mask. Without a k it is 3."""

    name: str
    alpha: float
    function: Callable[..., Tensor]
    compact: Callable[..., tuple[Tensor, Tensor]]
    module: Callable[..., torch.nn.Module]
    class_name: str
    takes_alpha: bool = False

    @property
    def label(self) -> str:
        return f"{self.name} {self.alpha}" if self.takes_alpha else self.name

    @property
    def packet(self) -> Any:
        return getattr(torch.ops.zeta, self.name)

    @property
    def raw(self) -> Any:
        return self.packet.default

    def arguments(self, k: int = 3, dim: int = -1) -> tuple[float, ...]:
        """Those of the operators in torch.ops, between z and dtype."""
        return (self.alpha, k, dim) if self.takes_alpha else (k, dim)

    def out(self, z: Tensor, k: int = 3, dim: int = -1, **kwargs: Any) -> Tensor:
        return self.packet.out(z, *self.arguments(k, dim), **kwargs)

    def tolerance(self, dtype: torch.dtype) -> float:
        """The largest error of a weight. A threshold that is searched for has 53 bits."""
        is_searched = self.alpha != 2 and dtype == torch.float64
        return TOLERANCE[dtype] * (2 if is_searched else 1)

    def gradient_tolerance(self, dtype: torch.dtype, length: int) -> float:
        """The largest error of a gradient, relative to the largest that arrives. Slopes that vary
        are summed in units of 2^-50, in rows of float64, too."""
        of_slopes = length * 2.0**-51 if self.alpha != 2 and dtype == torch.float64 else 0
        return 4 * self.tolerance(dtype) + of_slopes

    def reference(self, z: Tensor, k: int, dim: int = -1) -> Tensor:
        return reference.entmax(z, self.alpha, k, dim)

    def gradient(self, grad: Tensor, weights: Tensor, dim: int = -1) -> Tensor:
        return reference.gradient(grad, weights, self.alpha, dim)

    def backward(
        self, grad_output: Tensor, output: Tensor, dim: int, input_dtype: torch.dtype
    ) -> Tensor:
        return torch.ops.zeta._entmax_backward(grad_output, output, self.alpha, dim, input_dtype)

    def with_support(
        self, z: Tensor, k: int, dim: int, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        return torch.ops.zeta._entmax_with_support(z, self.alpha, k, dim, dtype=dtype)

    def support_backward(
        self,
        grad_output: Tensor,
        support: Tensor,
        dim: int,
        input_dtype: torch.dtype,
        output: Tensor | None = None,
    ) -> Tensor:
        return torch.ops.zeta._entmax_support_backward(
            grad_output, support, output, self.alpha, dim, input_dtype
        )


# Each is a function of its own, since torch.compile keeps what it has compiled by a function's code.
def _entmax15(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    return zeta.ops.entmax15(z, k, dim, dtype, mask)


def _entmax15_compact(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    return zeta.ops.entmax15_compact(z, k, dim, dtype, mask)


def _entmax125(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    return zeta.ops.entmax(z, 1.25, k, dim, dtype, mask)


def _entmax125_compact(
    z: Tensor,
    k: int = 3,
    dim: int = -1,
    dtype: torch.dtype | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    return zeta.ops.entmax_compact(z, 1.25, k, dim, dtype, mask)


SPARSE_SOFTMAX = Operator(
    "sparse_softmax",
    2.0,
    zeta.ops.sparse_softmax,
    zeta.ops.sparse_softmax_compact,
    zeta.nn.SparseSoftmax,
    "SparseSoftmax",
)
TOPK_SOFTMAX = Operator(
    "topk_softmax",
    1.0,
    zeta.ops.topk_softmax,
    zeta.ops.topk_softmax_compact,
    zeta.nn.TopKSoftmax,
    "TopKSoftmax",
)
ENTMAX15 = Operator(
    "entmax",
    1.5,
    _entmax15,
    _entmax15_compact,
    lambda k=3, dim=-1: zeta.nn.Entmax15(k, dim),
    "Entmax",
    takes_alpha=True,
)
ENTMAX125 = Operator(
    "entmax",
    1.25,
    _entmax125,
    _entmax125_compact,
    lambda k=3, dim=-1: zeta.nn.Entmax(1.25, k, dim),
    "Entmax",
    takes_alpha=True,
)
OPERATORS = (SPARSE_SOFTMAX, TOPK_SOFTMAX, ENTMAX15, ENTMAX125)


class OfAlphas:
    """Entmax of a tensor of alphas, called as the operators of the table are."""

    name = "entmax"
    label = "entmax of alphas"

    def function(self, z: Tensor, k: int = 3, dim: int = -1, **kwargs: Any) -> Tensor:
        return zeta.ops.entmax(z, self.alphas(z), k, dim, **kwargs)

    def compact(self, z: Tensor, k: int = 3, dim: int = -1, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return zeta.ops.entmax_compact(z, self.alphas(z), k, dim, **kwargs)

    def out(self, z: Tensor, k: int = 3, dim: int = -1, **kwargs: Any) -> Tensor:
        return torch.ops.zeta.entmax.tensor_alpha_out(z, self.alphas(z), k, dim, **kwargs)

    def alphas(self, z: Tensor) -> Tensor:
        return torch.full((1,) if z.dim() > 0 else (), 1.25, device=z.device)


OF_ALPHAS = OfAlphas()
