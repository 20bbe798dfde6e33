"""Properties that hold for every input."""

import math
from fractions import Fraction

import reference
import torch
from bits import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from operator_table import DTYPES, TOLERANCE

import zeta

finite_logit = st.one_of(
    st.floats(-2, 2, width=32),
    st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, 2.0**-30, 2.0**-140, 1e30, -1e30, 3e38, -3e38]),
)
small_logits = st.lists(finite_logit, min_size=1, max_size=8)
any_logits = st.lists(
    st.one_of(finite_logit, st.sampled_from([-math.inf, math.inf, math.nan])),
    min_size=1,
    max_size=8,
)
limits = st.integers(1, 9)
dtypes = st.sampled_from(DTYPES)


@st.composite
def tensors(draw):
    """A tensor of any shape, dtype and strides, and one of its dims."""
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    scale = draw(st.sampled_from([0.01, 0.3, 1.0, 20.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    z = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    z = z.to(draw(st.sampled_from(DTYPES))).permute(draw(st.permutations(range(len(shape)))))
    dim = draw(st.integers(0, len(shape) - 1))
    masked = torch.rand(z.shape, generator=generator) < draw(st.sampled_from([0, 0.4]))
    masked.select(dim, 0).fill_(False)  # no row is masked throughout
    z[masked] = draw(st.sampled_from([-torch.inf, torch.finfo(z.dtype).min]))
    step = draw(st.integers(1, 2))
    return z[::step], dim


@st.composite
def many_rows(draw):
    """Rows of which a few have entries, or nothing but entries, of an odd kind."""
    shape = draw(st.sampled_from([2, 17, 70])), draw(st.sampled_from([3, 8, 20, 30, 100, 600]))
    scale = draw(st.sampled_from([0.01, 0.3, 1.0, 20.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    z = torch.randn(shape, generator=generator) * scale
    odd = draw(st.sampled_from([-math.inf, math.inf, math.nan, 0.0]))
    for row in draw(st.sets(st.integers(0, shape[0] - 1), max_size=3)):
        first = draw(st.sampled_from([0, draw(st.integers(0, shape[1] - 1))]))
        z[row, first:] = odd
    return z.to(draw(dtypes))


def to_finite(row: list[float], dtype: torch.dtype) -> torch.Tensor:
    limit = torch.finfo(dtype).max
    return torch.tensor(row, dtype=torch.float64).clamp(-limit, limit).to(dtype)


@given(tensors(), limits)
def test_lies_on_the_simplex(case, k):
    z, dim = case
    weights = zeta.ops.sparse_softmax(z, k, dim)
    assert (weights >= 0).all()
    assert ((weights != 0).sum(dim) <= k).all()
    error = (weights.double().sum(dim) - 1).abs().max()
    assert error <= z.shape[dim] * TOLERANCE[z.dtype]


@given(small_logits, limits, dtypes)
def test_equals_the_exact_projection(row, k, dtype):
    z = to_finite(row, dtype)
    exact = reference.exact_projection(z.tolist(), k)
    for p, q in zip(zeta.ops.sparse_softmax(z, k).tolist(), exact, strict=True):
        assert abs(Fraction(p) - q) <= TOLERANCE[dtype]


@given(small_logits, limits, dtypes)
def test_satisfies_the_optimality_conditions(row, k, dtype):
    """p = max(z - tau, 0) on the k largest, for one tau: Karush, Kuhn, Tucker, in rationals."""
    z = to_finite(row, dtype)
    weights = zeta.ops.sparse_softmax(z, k).tolist()
    logits, tolerance = [Fraction(x) for x in z.tolist()], Fraction(TOLERANCE[dtype])
    kept = [column for column, weight in enumerate(weights) if weight]
    threshold = sum(logits[c] - Fraction(weights[c]) for c in kept) / len(kept)
    assert all(abs(logits[c] - threshold - Fraction(weights[c])) <= 2 * tolerance for c in kept)
    others = [logits[c] for c in range(len(row)) if c not in kept]
    if len(kept) < k:
        assert all(logit <= threshold + 2 * tolerance for logit in others)
    else:
        assert not others or max(others) <= min(logits[c] for c in kept)


@given(small_logits, limits, dtypes)
def test_is_the_nearest_point(row, k, dtype):
    """No support has a nearer point. Rows are shifted to a maximum of 0, which moves no nearest
    point of the simplex, so that what rounding does to a distance is bounded."""
    z = to_finite(row, dtype)
    weights = [Fraction(weight) for weight in zeta.ops.sparse_softmax(z, k).tolist()]
    logits = [Fraction(logit) for logit in z.tolist()]
    below = [logit - max(logits) for logit in logits]
    distance = reference.squared_distance(below, weights)
    slack = 3 * len(row) * Fraction(TOLERANCE[dtype])
    assert abs(distance - reference.nearest_point(below, k)) <= slack


@given(tensors(), limits)
def test_equals_the_classical_formula_where_that_lands_on_the_simplex(case, k):
    z, dim = case
    k = min(k, z.shape[dim])
    wide = z.double()
    threshold = (wide.topk(k, dim).values.sum(dim, keepdim=True) - 1) / k
    classical = (wide - threshold).clamp(min=0)
    lands = ((classical.sum(dim) - 1).abs() < 1e-9) & ((classical > 0).sum(dim) <= k)
    error = (zeta.ops.sparse_softmax(z, k, dim).double() - classical).abs().amax(dim)
    assert (error[lands] <= TOLERANCE[z.dtype] + 1e-9).all()


@given(tensors())
def test_one_non_zero_is_the_largest(case):
    z, dim = case
    weights = zeta.ops.sparse_softmax(z, 1, dim)
    assert torch.equal(weights.argmax(dim), z.argmax(dim))
    assert (weights.amax(dim) == 1).all()


@given(tensors(), limits)
def test_permutes_with_its_input(case, k):
    z, dim = case
    n = z.shape[dim]
    distinct = z.sort(dim).values.diff(dim=dim).ne(0).all()
    order = torch.randperm(n, generator=torch.Generator().manual_seed(n))
    permuted = zeta.ops.sparse_softmax(z.index_select(dim, order), k, dim)
    weights = zeta.ops.sparse_softmax(z, k, dim)
    assert torch.equal(permuted.sort(dim).values, weights.sort(dim).values)
    if distinct:  # else the lowest index of equal entries is another one
        assert torch.equal(permuted, weights.index_select(dim, order))


@given(tensors(), limits, st.integers(-8, 8))
def test_is_invariant_to_exact_shifts(case, k, shift):
    z, dim = case
    # Multiples of the last place of the largest shifted number, so that shifting rounds none.
    unit = 8 * torch.finfo(z.dtype).eps
    z = torch.where(z.isinf(), z, z.clamp(-4, 4).div(unit).round().mul(unit))
    shifted = z + shift
    assert torch.equal(shifted - shift, z) and torch.equal(shifted.double(), z.double() + shift)
    weights = zeta.ops.sparse_softmax(z, k, dim)
    assert_same_bits(zeta.ops.sparse_softmax(shifted, k, dim), weights)


@given(tensors(), st.integers(1, 8))
def test_a_kept_weight_never_rises_with_k(case, k):
    z, dim = case
    fewer = zeta.ops.sparse_softmax(z, k, dim)
    more = zeta.ops.sparse_softmax(z, k + 1, dim)
    assert (more[fewer != 0] <= fewer[fewer != 0]).all()
    assert ((more != 0).sum(dim) >= (fewer != 0).sum(dim)).all()


@given(tensors(), limits)
def test_the_threshold_never_falls_as_k_grows(case, k):
    z, dim = case
    fewer, more = (
        threshold(z, zeta.ops.sparse_softmax(z, limit, dim), dim) for limit in (k, k + 1)
    )
    slack = 2 * TOLERANCE[z.dtype]
    assert (more >= fewer - slack).all()


def threshold(z: torch.Tensor, weights: torch.Tensor, dim: int) -> torch.Tensor:
    wide = z.double()
    kept = weights == weights.amax(dim, keepdim=True)
    return torch.where(kept, wide - weights.double(), -torch.inf).amax(dim)


@given(tensors(), limits)
def test_projecting_twice_is_projecting_once(case, k):
    z, dim = case
    once = zeta.ops.sparse_softmax(z, k, dim)
    twice = zeta.ops.sparse_softmax(once, k, dim)
    error = (twice.double() - once.double()).abs()
    assert (error <= 2 * TOLERANCE[z.dtype]).all()


@given(small_logits, limits, dtypes)
def test_differences_of_kept_weights_lie_between_zero_and_those_of_logits(row, k, dtype):
    z = to_finite(row, dtype)
    weights = [Fraction(weight) for weight in zeta.ops.sparse_softmax(z, k).tolist()]
    logits = [Fraction(logit) for logit in z.tolist()]
    unlimited = sum(weight > 0 for weight in weights) < k
    pairs = [
        (higher, lower)
        for higher in range(len(row))
        for lower in range(len(row))
        if logits[higher] >= logits[lower] and (unlimited or weights[higher] * weights[lower] > 0)
    ]
    slack = 2 * Fraction(TOLERANCE[dtype])
    for higher, lower in pairs:
        difference = weights[higher] - weights[lower]
        assert 0 <= difference <= logits[higher] - logits[lower] + slack


@given(tensors(), limits)
def test_without_a_limit_it_is_sparsemax(case, more):
    z, dim = case
    n = z.shape[dim]
    weights = zeta.ops.sparse_softmax(z, n, dim)
    expected = reference.entmax(z, 2, n, dim)
    torch.testing.assert_close(weights.double(), expected, rtol=0, atol=TOLERANCE[z.dtype])
    assert torch.equal(zeta.ops.sparse_softmax(z, n + more, dim), weights)


@given(any_logits, limits, dtypes)
def test_rows_are_nan_throughout_or_nowhere(row, k, dtype):
    z = torch.tensor(row, dtype=torch.float64).to(dtype)
    weights = zeta.ops.sparse_softmax(torch.stack([torch.zeros_like(z), z]), k)
    undefined = bool((z.isnan() | (z == torch.inf)).any() or (z == -torch.inf).all())
    assert weights.isnan().any(1).tolist() == weights.isnan().all(1).tolist() == [False, undefined]


@given(many_rows(), limits)
def test_a_row_has_the_weights_that_it_has_alone(z, k):
    """Many rows are taken together, by other code than one."""
    together = zeta.ops.sparse_softmax(z, k)
    alone = torch.cat([zeta.ops.sparse_softmax(row, k) for row in z.split(1)])
    assert_same_bits(together, alone)
