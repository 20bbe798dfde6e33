"""Attention whose weights come from softmax, or from the sparse softmax."""

import math

import torch
from torch import Tensor, nn

import zeta


class Attention(nn.Module):
    """Lets each query read a mean of the values, weighted by what a module makes of the scores.

    Shapes: query (batch, queries, features), key and value (batch, tokens, features), mask, if there
    is one, (batch, 1, tokens), True for the tokens that may be read. Returns what was read, (batch,
    queries, features), and the weights, (batch, queries, tokens).
    """

    def __init__(self, weights_of: nn.Module) -> None:
        super().__init__()
        self.weights_of = weights_of

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        scores = torch.bmm(query, key.transpose(1, 2)) / math.sqrt(query.shape[-1])
        weights = self.weights_of(scores) if mask is None else self.weights_of(scores, mask)
        return torch.bmm(weights, value), weights


class SoftmaxAttention(Attention):
    """Every query reads every token."""

    def __init__(self) -> None:
        super().__init__(nn.Softmax(dim=-1))


class SparseAttention(Attention):
    """Every query reads at most k tokens; the others get a weight of exactly zero."""

    def __init__(self, k: int = 3) -> None:
        super().__init__(zeta.nn.SparseSoftmax(k))
