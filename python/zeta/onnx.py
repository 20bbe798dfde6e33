"""Translates the operators to ONNX. ``zeta`` does not import this module: it needs onnxscript."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch

try:
    import onnxscript
    from onnxscript import ir
except ImportError as error:
    raise ImportError(
        f"zeta.onnx needs onnxscript ({error}); install it with: pip install onnxscript"
    ) from error

__all__ = ["translations"]

# onnxscript types its operators for functions that it compiles. Here they are called one by one,
# on values of the graph that the exporter builds.
op: Any = onnxscript.opset18
Value: TypeAlias = Any


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return what :func:`torch.onnx.export` needs to export models that use the operators.

    Each operator becomes standard operators of ONNX, so the model runs without this library. They
    are of opset 18 and stay valid in models of opset 15 and later (``opset_version``).

    Returns:
        A dictionary from each operator to the function that translates it, for the
        ``custom_translation_table`` of the exporter with ``dynamo=True``. Each call returns a new
        dictionary, to which more may be added.

    All dimensions may be dynamic, and ``k`` may come from a shape; a ``k`` below 1 makes ``TopK``
    fail when the model runs.

    Rows that are not float64 are sorted in float32. The weights are computed in float64 and rounded
    once, so those of float64 rows may differ from the operator's in the last bits.

    Example:
        >>> import torch, zeta.onnx
        >>> program = torch.onnx.export(
        ...     zeta.nn.SparseSoftmax(k=3).eval(),
        ...     (torch.randn(2, 5),),
        ...     dynamo=True,
        ...     custom_translation_table=zeta.onnx.translations(),
        ... )
        >>> program.save("weights.onnx")
    """
    return {torch.ops.zeta.sparse_softmax.default: _sparse_softmax}


def _sparse_softmax(z: Value, k: int | Value = 3, dim: int = -1, *, dtype: int = -1) -> Value:
    weight_type = z.dtype if dtype == -1 else ir.DataType(dtype)  # the exporter's None is -1
    rank = len(z.shape)
    logits = op.Cast(z, to=weight_type)
    if rank == 0:
        weights = _weights(op.Reshape(logits, [1]), weight_type, k, rank=1, axis=0)
        return op.Reshape(weights, op.Shape(z))
    return _weights(logits, weight_type, k, rank, dim % rank)


def _weights(
    logits: Value, weight_type: ir.DataType, k: int | Value, rank: int, axis: int
) -> Value:
    is_double = weight_type == ir.DataType.DOUBLE
    sorted_type = ir.DataType.DOUBLE if is_double else ir.DataType.FLOAT  # TopK has no bfloat16
    largest, indices = _largest(op.Cast(logits, to=sorted_type), sorted_type, k, axis)

    largest = op.Cast(largest, to=ir.DataType.DOUBLE)
    differences = op.Sub(largest, _first(largest, axis))
    # This is NaN where the maximum is infinite. It is added, since Relu and TopK may lose NaNs.
    zero = _first(differences, axis)
    kept = op.Add(_projection(differences, rank, axis), zero)

    elsewhere = op.Expand(op.Cast(zero, to=sorted_type), op.Shape(logits))
    elsewhere = op.Cast(elsewhere, to=weight_type)
    return op.ScatterElements(elsewhere, indices, op.Cast(kept, to=weight_type), axis=axis)


def _largest(
    logits: Value, data_type: ir.DataType, k: int | Value, axis: int
) -> tuple[Value, Value]:
    """Return the min(k, n) largest entries of each row in descending order, and their indices."""
    if not isinstance(k, int):
        k = op.Where(op.Less(k, 1), -1, k)  # TopK would take 0, and refuses -1
    count = op.Min(k, op.Shape(logits, start=axis, end=axis + 1))
    # ONNX does not say where TopK puts NaN. +inf, which replaces it, comes first and makes the row
    # NaN, too.
    infinity = _constant(torch.inf, data_type)
    ordered = op.Where(op.Less(logits, infinity), logits, infinity)
    largest, indices = op.TopK(ordered, op.Reshape(count, [1]), axis=axis)
    return largest, indices


def _projection(differences: Value, rank: int, axis: int) -> Value:
    """Return the weights of entries in descending order, given less their maximum."""
    excess = op.Sub(op.CumSum(differences, axis), _constant(1.0, ir.DataType.DOUBLE))
    thresholds = op.Div(excess, _sizes(differences, rank, axis))
    # An entry belongs to the support if it raises the threshold, so τ is the largest threshold.
    # Entries of -inf come last, so the sums before them stay finite.
    # TopK finds it, since the conversion to opsets below 18 leaves a ReduceMax that they do not
    # know. Rows without entries have no threshold.
    one = op.Min(1, op.Shape(differences, start=axis, end=axis + 1))
    threshold, _ = op.TopK(thresholds, one, axis=axis)
    return op.Relu(op.Sub(differences, threshold))


def _sizes(rows: Value, rank: int, axis: int) -> Value:
    """Return 1, 2, ... along the axis."""
    length = op.Squeeze(op.Shape(rows, start=axis, end=axis + 1))
    sizes = op.Cast(op.Range(1, op.Add(length, 1), 1), to=ir.DataType.DOUBLE)
    return op.Reshape(sizes, [-1] + [1] * (rank - 1 - axis))


def _first(rows: Value, axis: int) -> Value:
    return op.Slice(rows, [0], [1], [axis])


def _constant(value: float, data_type: ir.DataType) -> Value:
    return op.Constant(value=ir.tensor(value, dtype=data_type))
