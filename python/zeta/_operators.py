"""The operators, for rules that are written once for all of them."""

from typing import Any

import torch

MEMBERS = (torch.ops.zeta.sparse_softmax, torch.ops.zeta.topk_softmax, torch.ops.zeta.entmax)
"""The public operators of the family."""

OF_ALPHAS = torch.ops.zeta.entmax.tensor_alpha
"""Entmax with an alpha for each row."""
COMPACT_OF_ALPHAS = torch.ops.zeta.entmax.tensor_alpha_compact
LEAST_ALPHA_ABOVE_1 = 1.01
"""The family has 1, and what lies between this number, rounded to float32, and 2."""

BACKWARD = torch.ops.zeta._entmax_backward.default
WITH_SUPPORT = torch.ops.zeta._entmax_with_support.default
SUPPORT_BACKWARD = torch.ops.zeta._entmax_support_backward.default


def name_of(operator: Any) -> str:
    """Return the name that errors begin with."""
    return str(operator._schema.name).removeprefix("zeta::")


def arguments_of(operator: Any, args: Any, kwargs: Any) -> dict[str, Any]:
    """Return the arguments of a call by name, those left out included."""
    arguments = {argument.name: argument.default_value for argument in operator._schema.arguments}
    return arguments | dict(zip(arguments, args, strict=False)) | (kwargs or {})
