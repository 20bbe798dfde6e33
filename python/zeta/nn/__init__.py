"""The operators as modules of torch.nn."""

from zeta.nn.entmax import Entmax, Entmax15
from zeta.nn.sparse_softmax import SparseSoftmax
from zeta.nn.topk_softmax import TopKSoftmax

__all__ = ["Entmax", "Entmax15", "SparseSoftmax", "TopKSoftmax"]
