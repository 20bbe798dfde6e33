"""Properties that hold for every input."""

from fractions import Fraction

import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from operator_table import DTYPES, TOLERANCE

import zeta

small_logits = st.lists(
    st.one_of(
        st.floats(-2, 2, width=32),
        st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, 2.0**-30, 1e30, -1e30]),
    ),
    min_size=1,
    max_size=8,
)
limits = st.integers(1, 9)


@st.composite
def tensors(draw):
    """A tensor of any shape, dtype and strides, and one of its dims."""
    shape = draw(st.lists(st.integers(1, 7), min_size=1, max_size=4))
    scale = draw(st.sampled_from([0.01, 0.3, 1.0, 20.0]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    z = torch.randn(shape, generator=generator, dtype=torch.float64) * scale
    z = z.to(draw(st.sampled_from(DTYPES))).permute(draw(st.permutations(range(len(shape)))))
    dim = draw(st.integers(0, len(shape) - 1))
    step = draw(st.integers(1, 2))
    return z[::step], dim


@given(tensors(), limits)
def test_lies_on_the_simplex(case, k):
    z, dim = case
    weights = zeta.ops.sparse_softmax(z, k, dim)
    assert (weights >= 0).all()
    assert ((weights != 0).sum(dim) <= k).all()
    error = (weights.double().sum(dim) - 1).abs().max()
    assert error <= z.shape[dim] * TOLERANCE[z.dtype]


@given(small_logits, limits)
def test_equals_the_exact_projection(row, k):
    for dtype in (torch.float32, torch.float64):
        z = torch.tensor(row, dtype=dtype)
        exact = reference.exact_projection(z.tolist(), k)
        for p, q in zip(zeta.ops.sparse_softmax(z, k).tolist(), exact, strict=True):
            assert abs(Fraction(p) - q) <= TOLERANCE[dtype]


@given(small_logits, limits)
def test_is_the_nearest_point(row, k):
    exact = reference.exact_projection(row, k)
    assert sum(exact) == 1
    assert reference.squared_distance(row, exact) == reference.nearest_point(row, k)


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
    if distinct:
        expected = zeta.ops.sparse_softmax(z, k, dim).index_select(dim, order)
        assert torch.equal(permuted, expected)


@given(tensors(), limits, st.integers(-8, 8))
def test_is_invariant_to_exact_shifts(case, k, shift):
    z, dim = case
    shifted = z + shift
    if torch.equal(shifted - shift, z) and torch.equal(shifted.double(), z.double() + shift):
        weights = zeta.ops.sparse_softmax(z, k, dim)
        assert torch.equal(zeta.ops.sparse_softmax(shifted, k, dim), weights)


@given(tensors(), st.integers(1, 8))
def test_a_kept_weight_never_rises_with_k(case, k):
    z, dim = case
    fewer = zeta.ops.sparse_softmax(z, k, dim)
    more = zeta.ops.sparse_softmax(z, k + 1, dim)
    assert (more[fewer != 0] <= fewer[fewer != 0]).all()
    assert ((more != 0).sum(dim) >= (fewer != 0).sum(dim)).all()
