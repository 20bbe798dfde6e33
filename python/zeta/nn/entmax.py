"""Entmax as modules."""

from torch import Tensor, nn

from zeta.ops import entmax


class Entmax(nn.Module):
    """See :func:`zeta.ops.entmax`."""

    def __init__(self, alpha: float = 1.5, k: int | None = None, dim: int = -1) -> None:
        super().__init__()
        self.alpha = alpha
        self.k = k
        self.dim = dim

    def forward(self, z: Tensor) -> Tensor:
        """Return the weights of each row of ``z`` along ``dim``, at most ``k`` of them not 0."""
        return entmax(z, self.alpha, self.k, self.dim)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, k={self.k}, dim={self.dim}"


class Entmax15(Entmax):
    """See :func:`zeta.ops.entmax15`."""

    def __init__(self, k: int | None = None, dim: int = -1) -> None:
        super().__init__(1.5, k, dim)

    def extra_repr(self) -> str:
        return f"k={self.k}, dim={self.dim}"
