"""The operators as documented, typed Python functions."""

from zeta.ops.entmax import entmax, entmax15, entmax15_compact, entmax_compact
from zeta.ops.sparse_softmax import sparse_softmax, sparse_softmax_compact
from zeta.ops.topk_softmax import topk_softmax, topk_softmax_compact

__all__ = [
    "entmax",
    "entmax15",
    "entmax15_compact",
    "entmax_compact",
    "sparse_softmax",
    "sparse_softmax_compact",
    "topk_softmax",
    "topk_softmax_compact",
]
