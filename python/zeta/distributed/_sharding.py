"""Tells DTensor how the operators may be sharded: rows lie on any ranks, but each row on one.

DTensor places the tensors that are given by position, and none that are given by name, as masks are.
So each operator with a mask has a twin that takes all arguments by position, and DTensors go there.
"""

from typing import Any

import torch
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.experimental import register_sharding

from zeta._operators import (
    BACKWARD,
    COMPACT_OF_ALPHAS,
    MEMBERS,
    OF_ALPHAS,
    SUPPORT_BACKWARD,
    WITH_SUPPORT,
    arguments_of,
    name_of,
)
from zeta.distributed._broadcast import placement_of_broadcast

_BROADCAST = ("alpha", "mask")
_twins = torch.library.Library("zeta_distributed", "DEF")


def _register_whole_rows(operator: Any) -> None:
    """Let all tensors, results included, be sharded alike along one dim that is not the rows', or
    replicated. Alphas and masks lie where their rows do. Other arguments have no placement."""
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

        def placement(rows: Any, argument: Any, tensor: bool, value: Any) -> Any:
            if not tensor or value is None:
                return None
            is_broadcast = argument.name in _BROADCAST
            return placement_of_broadcast(rows, dimensions, value) if is_broadcast else rows

        def placements(rows: Any) -> list[Any]:
            each = zip(positional, may_be_tensor, given, strict=True)
            return [placement(rows, *argument) for argument in each]

        return [([at] * len(schema.returns), placements(at)) for at in (Replicate(), *shards)]


def _register_twin(operator: Any) -> None:
    schema = operator._schema
    names = [argument.name for argument in schema.arguments]

    def on_one_rank(*args: Any) -> Any:  # without the last ones, if they are the defaults
        return operator(**dict(zip(names, args, strict=False)))

    def on_all(cls: Any, operator: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return twin(*arguments_of(operator, args, kwargs).values())

    _twins.define(str(schema).removeprefix("zeta::").replace("*, ", ""), tags=operator.tags)
    _twins.impl(operator.name().removeprefix("zeta::"), on_one_rank, "CompositeExplicitAutograd")
    overloads = getattr(torch.ops.zeta_distributed, name_of(operator))
    twin = getattr(overloads, operator._overloadname)
    _register_whole_rows(twin)
    torch.library.register_torch_dispatch(operator, DTensor, on_all)


for _operator in (
    *(member.default for member in MEMBERS),
    *(member.compact for member in MEMBERS),
    OF_ALPHAS,
    COMPACT_OF_ALPHAS,
    WITH_SUPPORT,
):
    _register_twin(_operator)
for _operator in (BACKWARD, SUPPORT_BACKWARD):
    _register_whole_rows(_operator)
