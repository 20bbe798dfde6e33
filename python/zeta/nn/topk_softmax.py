"""The softmax of the k largest entries, as a module."""

from torch import Tensor, nn

from zeta.ops import topk_softmax


class TopKSoftmax(nn.Module):
    """See :func:`zeta.ops.topk_softmax`."""

    def __init__(self, k: int = 3, dim: int = -1) -> None:
        super().__init__()
        self.k = k
        self.dim = dim

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the weights of each row of ``z`` along ``dim``, at most ``k`` of them not 0, and 0
        for the entries where ``mask`` is False."""
        return topk_softmax(z, self.k, self.dim, mask=mask)

    def extra_repr(self) -> str:
        return f"k={self.k}, dim={self.dim}"
