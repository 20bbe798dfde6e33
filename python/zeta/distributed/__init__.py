"""Operators on DTensors. Importing this tells DTensor how the operators may be sharded."""

from zeta.distributed import _sharding
from zeta.distributed.entmax import entmax
from zeta.distributed.sparse_softmax import sparse_softmax
from zeta.distributed.topk_softmax import topk_softmax

__all__ = ["entmax", "sparse_softmax", "topk_softmax"]
