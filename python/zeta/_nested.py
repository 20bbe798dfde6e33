"""Runs the operators on jagged nested tensors, and refuses masked tensors.

A jagged tensor holds the entries of all its components in one tensor of values. Rows along any dim
but the ragged one are rows of that tensor. Rows along the ragged dim are padded to one length.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.masked import MaskedTensor
from torch.nested._internal.nested_tensor import NestedTensor

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

# Rows are padded with entries that change neither the weights nor the gradients of the others.
PADDING = {member.default: -math.inf for member in MEMBERS} | {BACKWARD: 0.0}
OPERATORS = (*PADDING, WITH_SUPPORT, SUPPORT_BACKWARD)
WITHOUT_RULE = (*(member.compact for member in MEMBERS), OF_ALPHAS, COMPACT_OF_ALPHAS)


def _dispatch_nested(cls: Any, operator: Any, types: Any, args: Any, kwargs: Any) -> Any:
    arguments = arguments_of(operator, args, kwargs)
    nested = next(value for value in arguments.values() if isinstance(value, NestedTensor))
    name = name_of(operator)
    dim = _checked_dim(name, nested, arguments["dim"])
    _check_mask(name, nested, arguments.get("mask"))
    if dim == nested._ragged_idx:
        return _along_ragged_dim(name, operator, nested, arguments)
    arguments = {key: _values_of(value) for key, value in arguments.items()}
    results = operator(**arguments | {"dim": dim - 1})  # batch and ragged dim are one in the values
    if isinstance(results, tuple):
        return tuple(_like(values, nested) for values in results)
    return _like(results, nested)


def _checked_dim(name: str, nested: NestedTensor, dim: int) -> int:
    dimensions = nested.dim()
    if not -dimensions <= dim < dimensions:
        raise IndexError(
            f"{name}: Dimension out of range (expected to be in range of "
            f"[{-dimensions}, {dimensions - 1}], but got {dim})"
        )
    if dim % dimensions == 0:
        raise RuntimeError(
            f"{name}: expected rows of a nested tensor to lie within its components, but dim "
            f"{dim} is the batch dim"
        )
    return dim % dimensions


def _check_mask(name: str, nested: NestedTensor, mask: Any) -> None:
    if mask is None:
        return
    if not isinstance(mask, NestedTensor) or mask.shape != nested.shape:
        shape = tuple(mask.shape)
        raise RuntimeError(
            f"{name}: expected the mask of a nested tensor to be one with the same components, but "
            f"got {type(mask).__name__} of shape {shape}; pass torch.nested.nested_tensor_from_jagged"
            "(mask of the values, z.offsets())"
        )


def _along_ragged_dim(
    name: str, operator: Any, nested: NestedTensor, arguments: dict[str, Any]
) -> NestedTensor:
    if nested._ragged_idx != 1 or nested._lengths is not None:
        raise RuntimeError(
            f"{name}: expected a nested tensor that is contiguous and ragged in dim 1 for rows "
            f"along the ragged dim, but it is ragged in dim {nested._ragged_idx} or has holes"
        )
    shape = nested._values.shape

    def padded(value: Any) -> Any:
        if not isinstance(value, NestedTensor):
            return value
        is_mask = value.dtype == torch.bool
        entries = value._values.reshape(shape[0], -1)
        result = torch.ops.aten._jagged_to_padded_dense_forward(
            entries.to(torch.float32) if is_mask else entries,
            [nested._offsets],
            max_lengths=[nested._max_seqlen],
            padding_value=0.0 if is_mask else PADDING[operator],
        )
        return result.bool() if is_mask else result

    result = operator(**{key: padded(value) for key, value in arguments.items()} | {"dim": 1})
    values = torch.ops.aten._padded_dense_to_jagged_forward(
        result, [nested._offsets], total_L=shape[0]
    )
    return _like(values.reshape(shape), nested)


def _values_of(value: Any) -> Any:
    return value._values if isinstance(value, NestedTensor) else value


def _like(values: Tensor, nested: NestedTensor) -> NestedTensor:
    """Return a jagged tensor of these values, with the components of another one."""
    return NestedTensor(
        values,
        offsets=nested.offsets(),
        lengths=nested.lengths(),
        _metadata_cache=nested._metadata_cache,
        _ragged_idx=nested._ragged_idx,
    )


def _refuse_masked(cls: Any, operator: Any, types: Any, args: Any, kwargs: Any) -> Any:
    raise TypeError(
        f"{name_of(operator)}: expected z to be a tensor, but got a MaskedTensor; pass "
        "z.get_data(), mask=z.get_mask()"
    )


def _refuse_nested(cls: Any, operator: Any, types: Any, args: Any, kwargs: Any) -> Any:
    raise TypeError(
        f"{name_of(operator)}: expected z to be a tensor, but got a nested tensor; pass its "
        "values, or z.to_padded_tensor(-torch.inf)"
    )


for _operator in OPERATORS:
    torch.library.register_torch_dispatch(_operator, NestedTensor, _dispatch_nested)
for _operator in WITHOUT_RULE:
    torch.library.register_torch_dispatch(_operator, NestedTensor, _refuse_nested)
for _operator in (*OPERATORS, *WITHOUT_RULE):
    torch.library.register_torch_dispatch(_operator, MaskedTensor, _refuse_masked)
