"""What is timed: zeta and its baselines in each pass, as functions without arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from benchmarks import masks
from benchmarks.cases import BY_WEIGHTS, FILLED, UNMASKED, Case, Pass, Residency
from benchmarks.loops import compiled
from benchmarks.operators import OPERATORS, CompactMapping, Mapping
from benchmarks.reference import check_backward, check_compact, check_forward
from benchmarks.rivals import COMPACT_MAPPINGS, MAPPINGS

ALPHA = 2.0  # of the sparse softmax, which alone is timed by its internal operators
MEMORY_OPERATIONS = ("clone", "copy_", "zero_", "zeros_like")
CALLS_IN_LOOP = 100


@dataclass(frozen=True)
class Contender:
    function: Callable[[], Any]
    calls: int = 1  # that one call of the function makes


class Contenders:
    """All that compete on the rows of one case."""

    def __init__(self, case: Case, z: Tensor) -> None:
        self.case = case
        self.z = z
        self.operator = OPERATORS[case.operator]
        self.mask = masks.make(case.mask, z, case.dim) if case.mask else None

    @cached_property
    def out(self) -> Tensor:
        return torch.zeros_like(self.z)

    @cached_property
    def grad(self) -> Tensor:
        return torch.randn_like(self.z)

    def check(self) -> None:
        """Raises WrongResult unless zeta's weights and gradients are right in every pass timed."""
        z, k, dim, alpha = self._filled, self.case.k, self.case.dim, self.operator.alpha
        for operation, _ in self.case.comparisons:
            result = self.contender("zeta", operation).function()
            if operation is Pass.FORWARD_OUT:
                check_forward(z, self.out, k, dim, alpha)
            elif operation is Pass.FORWARD:
                check_forward(z, result, k, dim, alpha)
            elif operation is Pass.COMPACT:
                values, indices = result
                check_compact(z, values, indices, k, dim, alpha)
            else:
                check_backward(self.grad, self._checked_weights, result[-1], dim, alpha)

    @property
    def _options(self) -> dict[str, Tensor]:
        return {} if self.mask is None else {"mask": self.mask}

    @property
    def _filled(self) -> Tensor:
        """The logits with -inf in place of what the mask leaves out."""
        return self.z if self.mask is None else self.z.masked_fill(~self.mask, -torch.inf)

    @cached_property
    def _checked_weights(self) -> Tensor:
        """What gradients are checked by."""
        weights = self.operator.dense(self.z, self.case.k, self.case.dim, **self._options)
        check_forward(self._filled, weights, self.case.k, self.case.dim, self.operator.alpha)
        return weights

    def contender(self, name: str, operation: Pass) -> Contender:
        z, k, dim = self.z, self.case.k, self.case.dim
        if self.case.residency is Residency.CACHE:
            loop, out = compiled(name), self.out
            return Contender(lambda: loop(z, out, k, dim, CALLS_IN_LOOP), CALLS_IN_LOOP)
        if operation in (Pass.BACKWARD_OPERATOR, Pass.BOTH_OPERATORS):
            return Contender(self._operators(name, forward=operation is Pass.BOTH_OPERATORS))
        if name in MEMORY_OPERATIONS:
            return Contender(self._memory_operation(name))
        if operation is Pass.COMPACT:
            compact = self._compact_mapping(name)
            return Contender(lambda: compact(z, k, dim))
        if operation is Pass.FORWARD:
            mapping = self._mapping(name)
            return Contender(lambda: mapping(z, k, dim))
        if operation is Pass.FORWARD_OUT:
            return Contender(self._forward_out(name))
        return Contender(self._under_autograd(name, forward=operation is Pass.FORWARD_BACKWARD))

    def _mapping(self, name: str) -> Mapping:
        dense = self.operator.dense
        if name == "zeta":
            return partial(dense, **self._options) if self._options else dense
        if name == FILLED:
            return lambda z, k, dim: dense(self._filled, k, dim).nan_to_num(0)
        return dense if name == UNMASKED else MAPPINGS[name]

    def _compact_mapping(self, name: str) -> CompactMapping:
        if name != "zeta":
            return COMPACT_MAPPINGS[name]
        return partial(self.operator.compact, **self._options)

    def _memory_operation(self, name: str) -> Callable[[], Tensor]:
        z = self.z
        if name == "clone":
            return z.clone
        if name == "zeros_like":
            return lambda: torch.zeros_like(z)
        out = self.out
        return {"copy_": lambda: out.copy_(z), "zero_": out.zero_}[name]

    def _forward_out(self, name: str) -> Callable[[], Tensor]:
        z, k, dim, out, into = self.z, self.case.k, self.case.dim, self.out, self.operator.into
        options = self._options
        return {
            "zeta": lambda: into(z, k, dim, out=out, **options),
            UNMASKED: lambda: into(z, k, dim, out=out),
            "torch.softmax": lambda: torch.softmax(z, dim, out=out),
        }[name]

    def _operators(self, name: str, forward: bool) -> Callable[[], tuple[Tensor, ...]]:
        """By the support, or by the weights: weights, what is saved of them, and the gradient."""
        z, k, dim, grad, zeta = self.z, self.case.k, self.case.dim, self.grad, torch.ops.zeta

        def by_weights() -> tuple[Tensor, Tensor]:
            weights = zeta.sparse_softmax(z, k, dim)
            return weights, weights

        def support_backward(grad: Tensor, support: Tensor, *arguments: object) -> Tensor:
            gradient: Tensor = zeta._entmax_support_backward(grad, support, None, *arguments)
            return gradient

        saving, backward = {
            "zeta": (lambda: zeta._entmax_with_support(z, ALPHA, k, dim), support_backward),
            BY_WEIGHTS: (by_weights, zeta._entmax_backward),
        }[name]
        if forward:
            return lambda: _and_gradient(saving(), backward, grad, dim)
        saved = saving()
        return lambda: _and_gradient(saved, backward, grad, dim)

    def _under_autograd(self, name: str, forward: bool) -> Callable[[], tuple[Tensor, ...]]:
        mapping, k, dim, grad = self._mapping(name), self.case.k, self.case.dim, self.grad
        leaf = self.z.detach().requires_grad_()
        if forward:
            return lambda: torch.autograd.grad(mapping(leaf, k, dim), leaf, grad)
        weights = mapping(leaf, k, dim)
        return lambda: torch.autograd.grad(weights, leaf, grad, retain_graph=True)


def _and_gradient(
    saved: tuple[Tensor, Tensor], backward: Callable[..., Tensor], grad: Tensor, dim: int
) -> tuple[Tensor, ...]:
    return (*saved, backward(grad, saved[1], ALPHA, dim, grad.dtype))
