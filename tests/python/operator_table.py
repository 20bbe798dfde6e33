"""The operators that the contract tests run over. A new mapping joins by a row."""

from collections.abc import Callable
from dataclasses import dataclass

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
    name: str
    alpha: float
    function: Callable[..., Tensor]
    module: Callable[..., torch.nn.Module]
    reference: Callable[..., Tensor]
    gradient: Callable[..., Tensor]

    @property
    def raw(self) -> Callable[..., Tensor]:
        return getattr(torch.ops.zeta, self.name).default

    @property
    def out(self) -> Callable[..., Tensor]:
        return getattr(torch.ops.zeta, self.name).out

    def backward(
        self, grad_output: Tensor, output: Tensor, dim: int, input_dtype: torch.dtype
    ) -> Tensor:
        return torch.ops.zeta._entmax_backward(grad_output, output, self.alpha, dim, input_dtype)

    def with_support(
        self, z: Tensor, k: int, dim: int, dtype: torch.dtype | None = None
    ) -> tuple[Tensor, Tensor]:
        return torch.ops.zeta._entmax_with_support(z, self.alpha, k, dim, dtype=dtype)

    def support_backward(
        self, grad_output: Tensor, support: Tensor, dim: int, input_dtype: torch.dtype
    ) -> Tensor:
        return torch.ops.zeta._entmax_support_backward(
            grad_output, support, self.alpha, dim, input_dtype
        )


SPARSE_SOFTMAX = Operator(
    name="sparse_softmax",
    alpha=2.0,
    function=zeta.ops.sparse_softmax,
    module=zeta.nn.SparseSoftmax,
    reference=reference.sparse_softmax,
    gradient=reference.gradient,
)
OPERATORS = (SPARSE_SOFTMAX,)
