"""The operators as modules."""

from zeta.nn.sparse_softmax import SparseSoftmax

__all__ = ["SparseSoftmax"]
