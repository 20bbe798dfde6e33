"""Tells DTensor how the operators may be sharded: rows lie on any ranks, but each row on one."""

from typing import Any

from torch.distributed.tensor import Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

from zeta._operators import BACKWARD, MEMBERS, SUPPORT_BACKWARD, WITH_SUPPORT, arguments_of


def _register_whole_rows(operator: Any) -> None:
    """Let all tensors, results included, be sharded alike along one dim that is not the rows', or
    replicated. Other arguments have no placement."""
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
        is_tensor = [
            tensor and value is not None for tensor, value in zip(may_be_tensor, given, strict=True)
        ]
        return [
            ([at] * len(schema.returns), [at if tensor else None for tensor in is_tensor])
            for at in (Replicate(), *shards)
        ]


for _operator in (
    *(member.default for member in MEMBERS),
    *(member.compact for member in MEMBERS),
    BACKWARD,
    WITH_SUPPORT,
    SUPPORT_BACKWARD,
):
    _register_whole_rows(_operator)
