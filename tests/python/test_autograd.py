"""Reverse and forward mode, of first and second order."""

import math

import pytest
import torch
from bits import assert_same_bits
from inputs import away_from_kinks
from operator_table import SPARSE_SOFTMAX, TOLERANCE
from torch.autograd import forward_ad, gradcheck, gradgradcheck

CASES = [((5,), 2, 0), ((3, 6), 3, -1), ((4, 3), 2, 0), ((2, 5, 3), 5, 1), ((3, 1), 1, 1)]


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradcheck(operator, device, shape, k, dim):
    z = away_from_kinks(*shape, k=k, dim=dim).to(device).requires_grad_()
    assert gradcheck(
        lambda z: operator.function(z, k, dim),
        z,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
        check_undefined_grad=True,
        check_grad_dtypes=True,
    )


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradgradcheck(operator, device, shape, k, dim):
    z = away_from_kinks(*shape, k=k, dim=dim).to(device).requires_grad_()
    assert gradgradcheck(
        lambda z: operator.function(z, k, dim),
        z,
        gen_non_contig_grad_outputs=True,
        check_batched_grad=True,
        check_undefined_grad=True,
        check_grad_dtypes=True,
        check_fwd_over_rev=True,
        check_rev_over_rev=True,
    )


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradcheck_of_backward(operator, device, shape, k, dim):
    weights = operator.function(away_from_kinks(*shape, k=k, dim=dim).to(device), k, dim)
    grad = torch.randn_like(weights).requires_grad_()
    assert gradcheck(
        lambda grad: operator.backward(grad, weights, dim, torch.float64),
        grad,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


def test_second_derivative_with_respect_to_z_is_zero(device):
    """Of a projection, whose gradient depends on nothing but the support."""
    operator = SPARSE_SOFTMAX
    z = away_from_kinks(3, 6, k=3).to(device).requires_grad_()
    grad = torch.randn(3, 6, device=device, dtype=torch.float64, requires_grad=True)
    [first] = torch.autograd.grad(operator.function(z, 3), z, grad, create_graph=True)
    second = torch.autograd.grad(first.square().sum(), z, allow_unused=True)
    assert second[0] is None or (second[0] == 0).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_rows_have_nan_tangents(operator, device, dtype, bad):
    z, direction = torch.randn(2, 3, 8, device=device, dtype=dtype)
    z[1, 2] = bad
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(z, direction)
        weights, tangent = forward_ad.unpack_dual(operator.function(dual))
    assert weights.isnan().all(1).tolist() == [False, True, False]
    expected = operator.gradient(direction, weights)
    tolerance = 4 * direction.abs().max().item() * TOLERANCE[dtype]
    torch.testing.assert_close(
        tangent.cpu().double(), expected, rtol=0, atol=tolerance, equal_nan=True
    )


def test_tangents_of_masked_rows(operator, device, dtype):
    z = torch.tensor([-math.inf, 1.0, 1.25, -math.inf], device=device, dtype=dtype)
    tangent = torch.tensor([7.0, 1.0, 3.0, math.nan], device=device, dtype=dtype)
    with forward_ad.dual_level():
        result = forward_ad.unpack_dual(operator.function(forward_ad.make_dual(z, tangent)))
    weights, tangent_of_weights = result
    expected = operator.gradient(tangent, weights)
    torch.testing.assert_close(
        tangent_of_weights.cpu().double(), expected, rtol=0, atol=12 * TOLERANCE[dtype]
    )
    assert tangent_of_weights[[0, 3]].tolist() == [0, 0]


def test_saves_the_output_alone(operator, device):
    saved = []
    z = torch.randn(4, 5, device=device, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        weights = operator.function(z)
    [kept] = saved
    assert kept.data_ptr() == weights.data_ptr()


def test_no_node_without_gradients(operator, device):
    z = torch.randn(4, 5, device=device, requires_grad=True)
    assert operator.function(z.detach()).grad_fn is None
    with torch.no_grad():
        assert not operator.function(z).requires_grad
    with torch.inference_mode():
        assert operator.function(z).is_inference()


# For the backward of a projection the output is saved where k > n / 16, and else the support, which is
# a tensor of its own: a change of the output in place is then no error, and the gradient is the same
# as without it.


@pytest.mark.parametrize("length", [5, 47])
def test_changing_an_output_that_is_saved_is_noticed(operator, device, dtype, length):
    z = torch.randn(4, length, device=device, dtype=dtype, requires_grad=True)
    weights = operator.function(z, 3)
    weights.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        weights.sum().backward()


@pytest.mark.parametrize("length", [48, 200])
def test_changing_an_output_of_which_the_support_is_saved_is_harmless(device, dtype, length):
    operator = SPARSE_SOFTMAX
    z, direction = torch.randn(2, 4, length, device=device, dtype=dtype)
    weights = operator.function(z.requires_grad_(), 3)
    expected = operator.backward(direction, weights.detach().clone(), -1, dtype)
    weights.add_(1)  # so that no entry is 0
    weights.backward(direction)
    assert_same_bits(z.grad, expected)


@pytest.mark.parametrize("length", [5, 200])
def test_changing_the_input_is_harmless(operator, device, dtype, length):
    z, direction = torch.randn(2, 4, length, device=device, dtype=dtype)
    given = z.requires_grad_() + 0
    weights = operator.function(given, 3)
    expected = operator.backward(direction, weights.detach(), -1, dtype)
    given.zero_()
    weights.backward(direction)
    assert_same_bits(z.grad, expected)
