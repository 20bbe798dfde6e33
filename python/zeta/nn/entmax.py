"""Entmax as modules."""

import torch
from torch import Tensor, nn

from zeta._operators import LEAST_ALPHA_ABOVE_1
from zeta.ops import entmax


class Entmax(nn.Module):
    """See :func:`zeta.ops.entmax`.

    With ``learnable`` the module learns alpha, from the one given on: it is a sigmoid of the
    parameter ``logit_of_alpha``, scaled to lie between 1.01 and 2.
    """

    def __init__(
        self,
        alpha: float = 1.5,
        k: int | None = None,
        dim: int = -1,
        learnable: bool = False,
    ) -> None:
        super().__init__()
        self.k = k
        self.dim = dim
        self.learnable = learnable
        if learnable:
            if not LEAST_ALPHA_ABOVE_1 < alpha < 2:
                raise ValueError(
                    f"Entmax: expected alpha to be between {LEAST_ALPHA_ABOVE_1} and 2 to be learned, "
                    f"but got {alpha}"
                )
            share = torch.tensor((alpha - LEAST_ALPHA_ABOVE_1) / (2 - LEAST_ALPHA_ABOVE_1))
            self.logit_of_alpha = nn.Parameter(share.logit())
        else:
            self.fixed_alpha = alpha

    @property
    def alpha(self) -> float | Tensor:
        """The number, or if it is learned a tensor without dimensions."""
        if not self.learnable:
            return self.fixed_alpha
        return LEAST_ALPHA_ABOVE_1 + (2 - LEAST_ALPHA_ABOVE_1) * self.logit_of_alpha.sigmoid()

    def forward(self, z: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the weights of each row of ``z`` along ``dim``, at most ``k`` of them not 0, and 0
        for the entries where ``mask`` is False."""
        return entmax(z, self.alpha, self.k, self.dim, mask=mask)

    def extra_repr(self) -> str:
        alpha = "learnable" if self.learnable else self.fixed_alpha
        return f"alpha={alpha}, k={self.k}, dim={self.dim}"


class Entmax15(Entmax):
    """See :func:`zeta.ops.entmax15`."""

    def __init__(self, k: int | None = None, dim: int = -1) -> None:
        super().__init__(1.5, k, dim)

    def extra_repr(self) -> str:
        return f"k={self.k}, dim={self.dim}"
