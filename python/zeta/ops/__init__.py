"""The operators as documented, typed Python functions."""

from zeta.ops.sparse_softmax import sparse_softmax

__all__ = ["sparse_softmax"]
