"""The operators as modules of torch.nn."""

from zeta.nn.sparse_softmax import SparseSoftmax

__all__ = ["SparseSoftmax"]
