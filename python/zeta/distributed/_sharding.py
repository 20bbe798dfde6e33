"""Tells DTensor how the operators may be sharded: rows lie on any ranks, but each row on one."""

from typing import Any

from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

from zeta._operators import (
    BACKWARD,
    COMPACT_OF_ALPHAS,
    MEMBERS,
    OF_ALPHAS,
    SUPPORT_BACKWARD,
    WITH_SUPPORT,
    arguments_of,
)
from zeta.distributed._alphas import placement_of_alphas


def _register_whole_rows(operator: Any) -> None:
    """Let all tensors, results included, be sharded alike along one dim that is not the rows', or
    replicated. Alphas lie where their rows do. Other arguments have no placement."""
    schema = operator._schema
    positional = [argument for argument in schema.arguments if not argument.kwarg_only]
    may_be_tensor = [
        str(argument.type) in ("Tensor", "Optional[Tensor]") for argument in positional
    ]

    @register_sharding(operator)
    def shardings(*args: Any, **kwargs: Any) -> list[tuple[list[Any], list[Any]]]:
        dimensions = args[0].ndim
        row_dim = arguments_of(operator, args, kwargs)["dim"] % max(dimensions, 1)
        shards = [Shard(i) for i in range(dimensions) if i != row_dim]
        given = [*args, *[None] * (len(positional) - len(args))]

        def placements(rows: Any) -> list[Any]:
            result = [
                rows if tensor and value is not None else None
                for tensor, value in zip(may_be_tensor, given, strict=True)
            ]
            if operator in (OF_ALPHAS, COMPACT_OF_ALPHAS):
                result[1] = placement_of_alphas(rows, dimensions, args[1])
            return result

        return [([at] * len(schema.returns), placements(at)) for at in (Replicate(), *shards)]


for _operator in (
    *(member.default for member in MEMBERS),
    *(member.compact for member in MEMBERS),
    OF_ALPHAS,
    COMPACT_OF_ALPHAS,
    BACKWARD,
    WITH_SUPPORT,
    SUPPORT_BACKWARD,
):
    _register_whole_rows(_operator)
