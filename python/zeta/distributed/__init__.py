"""Operators on DTensors. Importing this tells DTensor how the operators may be sharded."""

from zeta.distributed import _sharding
from zeta.distributed.sparse_softmax import sparse_softmax

__all__ = ["sparse_softmax"]
