"""Translates the operators to ONNX. ``zeta`` does not import this module: it needs onnxscript."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

try:
    import onnxscript
    from onnxscript import ir
except ImportError as error:
    raise ImportError(
        f"zeta.onnx needs onnxscript ({error}); install it with: pip install onnxscript"
    ) from error

from zeta._operators import LEAST_ALPHA_ABOVE_1

__all__ = ["translations"]

# onnxscript types its operators for functions that it compiles. Here they are called one by one,
# on values of the graph that the exporter builds.
op: Any = onnxscript.opset18
Value: TypeAlias = Any
Limit: TypeAlias = int | Value
Pair: TypeAlias = Any
Alpha: TypeAlias = float | Value
Mask: TypeAlias = Value | None
Form: TypeAlias = Callable[["_Rows"], Any]


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return what :func:`torch.onnx.export` needs to export models that use the operators.

    Each operator becomes standard operators of ONNX, so the model runs without this library. They
    are of opset 18 and stay valid in models of opset 15 and later (``opset_version``).

    Returns:
        A dictionary from each operator to the function that translates it, for the
        ``custom_translation_table`` of the exporter with ``dynamo=True``. Each call returns a new
        dictionary, to which more may be added.

    All dimensions may be dynamic, and ``k`` may come from a shape; a ``k`` below 1 makes ``TopK``
    fail when the model runs. Where ``alpha`` is a tensor, numbers that are none make rows of NaN.

    Rows that are not float64 are sorted in float32. The weights are computed in float64 and rounded
    once, so those of float64 rows may differ from the operator's in the last bits. The compact form
    orders equal weights by their logits, and the indices of a row that is NaN are any.

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
    zeta = torch.ops.zeta
    return {
        zeta.sparse_softmax.default: _sparse_softmax,
        zeta.sparse_softmax.compact: _sparse_softmax_compact,
        zeta.topk_softmax.default: _topk_softmax,
        zeta.topk_softmax.compact: _topk_softmax_compact,
        zeta.entmax.default: _entmax,
        zeta.entmax.compact: _entmax_compact,
        zeta.entmax.tensor_alpha: _entmax,
        zeta.entmax.tensor_alpha_compact: _entmax_compact,
    }


# The exporter gives None as a dtype as -1.


def _sparse_softmax(
    z: Value, k: Limit = 3, dim: int = -1, *, mask: Mask = None, dtype: int = -1
) -> Value:
    return _map(_dense, z, 2.0, k, dim, mask, dtype)


def _sparse_softmax_compact(
    z: Value, k: Limit = 3, dim: int = -1, *, mask: Mask = None, dtype: int = -1
) -> Pair:
    return _map(_compact, z, 2.0, k, dim, mask, dtype)


def _topk_softmax(
    z: Value, k: Limit = 3, dim: int = -1, *, mask: Mask = None, dtype: int = -1
) -> Value:
    return _map(_dense, z, 1.0, k, dim, mask, dtype)


def _topk_softmax_compact(
    z: Value, k: Limit = 3, dim: int = -1, *, mask: Mask = None, dtype: int = -1
) -> Pair:
    return _map(_compact, z, 1.0, k, dim, mask, dtype)


def _entmax(
    z: Value,
    alpha: Alpha = 1.5,
    k: Limit | None = None,
    dim: int = -1,
    *,
    mask: Mask = None,
    dtype: int = -1,
) -> Value:
    return _map(_dense, z, alpha, k, dim, mask, dtype)


def _entmax_compact(
    z: Value,
    alpha: Alpha = 1.5,
    k: Limit | None = None,
    dim: int = -1,
    *,
    mask: Mask = None,
    dtype: int = -1,
) -> Pair:
    return _map(_compact, z, alpha, k, dim, mask, dtype)


def _map(
    form: Form, z: Value, alpha: Alpha, k: Limit | None, dim: int, mask: Mask, dtype: int
) -> Any:
    weight_type = z.dtype if dtype == -1 else ir.DataType(dtype)
    rank = max(len(z.shape), 1)
    logits = op.Cast(z, to=weight_type)
    if len(z.shape) > 0:
        return form(_Rows(logits, mask, weight_type, alpha, k, rank, dim % rank))
    results = form(_Rows(op.Reshape(logits, [1]), mask, weight_type, alpha, k, rank, 0))
    if isinstance(results, tuple):
        return tuple(op.Reshape(result, op.Shape(z)) for result in results)
    return op.Reshape(results, op.Shape(z))


def _dense(rows: _Rows) -> Value:
    kept, indices, zero = rows.largest_weights()
    elsewhere = op.Expand(op.Cast(zero, to=rows.sorted_type), op.Shape(rows.logits))
    elsewhere = op.Cast(elsewhere, to=rows.weight_type)
    return op.ScatterElements(elsewhere, indices, kept, axis=rows.axis)


def _compact(rows: _Rows) -> Pair:
    kept, indices, _ = rows.largest_weights()
    # Comparing half precision is not in all opsets.
    is_zero = op.Equal(op.Cast(kept, to=ir.DataType.DOUBLE), _double(0.0))
    return kept, op.Where(is_zero, -1, indices)


@dataclass(frozen=True)
class _Rows:
    """The rows to map, along an axis."""

    logits: Value
    mask: Mask
    weight_type: ir.DataType
    alpha: Alpha
    k: Limit | None
    rank: int
    axis: int

    @property
    def sorted_type(self) -> ir.DataType:
        """TopK has no bfloat16."""
        is_double = self.weight_type == ir.DataType.DOUBLE
        return ir.DataType.DOUBLE if is_double else ir.DataType.FLOAT

    def largest_weights(self) -> tuple[Value, Value, Value]:
        """Return the weights of the min(k, n) largest entries in descending order, their indices,
        and a number for each row that is 0, or NaN if the row is."""
        logits = op.Cast(self.logits, to=self.sorted_type)
        if self.mask is not None:
            logits = op.Where(self.mask, logits, _constant(-torch.inf, self.sorted_type))
        largest, indices = _largest(logits, self.sorted_type, self.k, self.axis)
        largest = op.Cast(largest, to=ir.DataType.DOUBLE)
        differences = op.Sub(largest, _first(largest, self.axis))
        # This is NaN where the maximum is infinite. It is added, since Relu and TopK may lose NaNs.
        zero = _first(differences, self.axis)
        if isinstance(self.alpha, int | float):
            weights = self._weights(differences, self.alpha)
        else:
            alphas = op.Cast(self.alpha, to=ir.DataType.DOUBLE)
            weights = self._weights_of_alphas(differences, alphas)
            zero = op.Add(zero, _zero_in_family(alphas))
        kept = op.Add(weights, zero)
        if self.mask is not None:
            is_left_out = self._is_left_out()
            kept, zero = (op.Where(is_left_out, _double(0.0), number) for number in (kept, zero))
        return op.Cast(kept, to=self.weight_type), indices, zero

    def _is_left_out(self) -> Value:
        """Return whether the mask leaves out a row as a whole."""
        takes_part = op.Cast(self.mask, to=ir.DataType.INT64)
        of_entries = op.Expand(takes_part, op.Shape(self.logits))
        return op.Equal(self._sum(of_entries), 0)

    # These return the weights of entries in descending order, given less their maximum.

    def _weights(self, differences: Value, alpha: float) -> Value:
        if alpha == 1:
            return self._softmax(differences)
        if alpha == 2:
            return _projection(differences, self.rank, self.axis)
        return self._searched_weights(differences, _double(alpha - 1))

    def _weights_of_alphas(self, differences: Value, alphas: Value) -> Value:
        """For any alpha all three are computed, and one is taken."""
        is_softmax = op.Equal(alphas, _double(1.0))
        is_projection = op.Equal(alphas, _double(2.0))
        b = op.Where(is_softmax, _double(1.0), op.Sub(alphas, _double(1.0)))
        projection = _projection(differences, self.rank, self.axis)
        weights = op.Where(is_projection, projection, self._searched_weights(differences, b))
        return op.Where(is_softmax, self._softmax(differences), weights)

    def _softmax(self, differences: Value) -> Value:
        powers = op.Exp(differences)
        return op.Div(powers, self._sum(powers))

    def _searched_weights(self, differences: Value, b: Value) -> Value:
        """Find the τ at which the weights sum to 1 by Newton's method, which approaches it from
        below, since their sum is convex and falls. On up to 32768 entries 16 steps are enough. Of
        alpha it takes b, which is 1 less."""
        terms = op.Mul(differences, b)
        exponent = op.Div(_double(1.0), b)
        threshold = _double(-1.0)
        for _ in range(20):
            bases = op.Relu(op.Sub(terms, threshold))
            weights = op.Pow(bases, exponent)
            # The slopes are those of the weights, times b.
            slopes = op.Pow(bases, op.Sub(exponent, _double(1.0)))
            excess = op.Sub(self._sum(weights), _double(1.0))
            step = op.Mul(op.Div(excess, self._sum(slopes)), b)
            threshold = op.Add(threshold, step)
        return op.Pow(op.Relu(op.Sub(terms, threshold)), exponent)

    def _sum(self, rows: Value) -> Value:
        return op.ReduceSum(rows, [self.axis], keepdims=1)


def _largest(
    logits: Value, data_type: ir.DataType, k: Limit | None, axis: int
) -> tuple[Value, Value]:
    """Return the min(k, n) largest entries of each row in descending order, and their indices."""
    count = op.Shape(logits, start=axis, end=axis + 1)
    if k is not None:
        if not isinstance(k, int):
            k = op.Where(op.Less(k, 1), -1, k)  # TopK would take 0, and refuses -1
        count = op.Min(k, count)
    # ONNX does not say where TopK puts NaN. +inf, which replaces it, comes first and makes the row
    # NaN, too.
    infinity = _constant(torch.inf, data_type)
    ordered = op.Where(op.Less(logits, infinity), logits, infinity)
    largest, indices = op.TopK(ordered, op.Reshape(count, [1]), axis=axis)
    return largest, indices


def _projection(differences: Value, rank: int, axis: int) -> Value:
    """Return the weights of entries in descending order, given less their maximum."""
    excess = op.Sub(op.CumSum(differences, axis), _double(1.0))
    thresholds = op.Div(excess, _sizes(differences, rank, axis))
    # An entry belongs to the support if it raises the threshold, so τ is the largest threshold.
    # Entries of -inf come last, so the sums before them stay finite.
    # TopK finds it, since the conversion to opsets below 18 leaves a ReduceMax that they do not
    # know. Rows without entries have no threshold.
    one = op.Min(1, op.Shape(differences, start=axis, end=axis + 1))
    threshold, _ = op.TopK(thresholds, one, axis=axis)
    return op.Relu(op.Sub(differences, threshold))


def _zero_in_family(alphas: Value) -> Value:
    """Return 0 for each alpha that is one, and NaN for other numbers."""
    is_softmax = op.Equal(alphas, _double(1.0))
    least = float(torch.tensor(LEAST_ALPHA_ABOVE_1, dtype=torch.float32))
    is_above = op.GreaterOrEqual(alphas, _double(least))
    is_other = op.And(is_above, op.LessOrEqual(alphas, _double(2.0)))
    return op.Where(op.Or(is_softmax, is_other), _double(0.0), _double(torch.nan))


def _sizes(rows: Value, rank: int, axis: int) -> Value:
    """Return 1, 2, ... along the axis."""
    length = op.Squeeze(op.Shape(rows, start=axis, end=axis + 1))
    sizes = op.Cast(op.Range(1, op.Add(length, 1), 1), to=ir.DataType.DOUBLE)
    return op.Reshape(sizes, [-1] + [1] * (rank - 1 - axis))


def _first(rows: Value, axis: int) -> Value:
    return op.Slice(rows, [0], [1], [axis])


def _double(value: float) -> Value:
    return _constant(value, ir.DataType.DOUBLE)


def _constant(value: float, data_type: ir.DataType) -> Value:
    return op.Constant(value=ir.tensor(value, dtype=data_type))
