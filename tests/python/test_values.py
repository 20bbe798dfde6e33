"""Weights and gradients against the reference, over lengths, k, dtypes and families of rows."""

import pytest
import reference
import torch
from inputs import FAMILIES, LENGTHS, LONG_LENGTHS, limits
from operator_table import SPARSE_SOFTMAX

import zeta


def assert_weights(operator, z, k):
    weights = operator.function(z, k)
    expected = operator.reference(z, k)
    torch.testing.assert_close(
        weights.cpu().double(), expected, rtol=0, atol=operator.tolerance(z.dtype), equal_nan=True
    )
    assert ((weights != 0).sum(-1) <= k).all()
    assert (weights >= 0).all()
    assert not torch.signbit(weights).any()
    return weights


def assert_gradients(operator, weights):
    grad = torch.randn(weights.shape, dtype=torch.float64).to(weights)
    result = operator.backward(grad, weights, -1, weights.dtype)
    expected = operator.gradient(grad, weights)
    scale = grad.abs().max().item()
    torch.testing.assert_close(
        result.cpu().double(),
        expected,
        rtol=0,
        atol=scale * operator.gradient_tolerance(weights.dtype, weights.shape[-1]),
    )
    assert (result[weights == 0] == 0).all()


@pytest.mark.engine
@pytest.mark.parametrize("family", FAMILIES)
def test_short_and_middle_rows(operator, device, dtype, family):
    for length in LENGTHS if operator.alpha == 2 else LENGTHS[::5]:  # the reference takes long
        rows = 18 if length <= 513 else 2  # short rows are taken several at a time
        z = FAMILIES[family](rows, length).to(device, dtype)
        for k in limits(length):
            assert_gradients(operator, assert_weights(operator, z, k))


@pytest.mark.engine
@pytest.mark.parametrize("length", LONG_LENGTHS)
@pytest.mark.parametrize("family", FAMILIES)
def test_long_rows(operator, device, family, length):
    z = FAMILIES[family](1, length).to(device, torch.float32)
    for k in (1, 3, 32, 129, 5000, length) if operator.alpha == 2 else (3, 129, length):
        assert_gradients(operator, assert_weights(operator, z, k))


@pytest.mark.engine
@pytest.mark.parametrize("k", [3, 131073])
def test_long_rows_of_other_dtypes(operator, device, dtype, k):
    for family in ("normal", "very narrow", "ties at the limit"):
        z = FAMILIES[family](2, 131073).to(device, dtype)
        assert_gradients(operator, assert_weights(operator, z, k))


@pytest.mark.engine
def test_many_rows(operator, device, dtype):
    z = torch.randn(70000, 9, dtype=torch.float64).to(device, dtype)
    assert_gradients(operator, assert_weights(operator, z, 3))


@pytest.mark.engine
def test_references_agree():
    for length in range(1, 9):
        for k in range(1, length + 1):
            row = torch.randn(length, dtype=torch.float64).mul(0.7)
            exact = reference.exact_projection(row.tolist(), k)
            by_sorting = reference.entmax(row, 2, k)
            assert by_sorting.tolist() == pytest.approx([float(p) for p in exact], abs=1e-15)
            distance = reference.squared_distance(row.tolist(), exact)
            assert distance == reference.nearest_point(row.tolist(), k)


def test_the_example_of_the_definition(device):
    operator = SPARSE_SOFTMAX
    z = torch.tensor([2.0, 1.5, 0.1, -1.0, 3.2, 0.7], device=device)
    assert operator.function(z, 3).tolist() == [0, 0, 0, 0, 1, 0]


def test_k_above_the_length_is_the_length(operator, device, dtype):
    z = torch.randn(5, 20, device=device, dtype=dtype)
    assert torch.equal(operator.function(z, 20), operator.function(z, 2**62))


def test_defaults(operator, device):
    z = torch.randn(5, 20, device=device)
    expected = operator.raw(z, *operator.arguments(3, -1))
    assert torch.equal(operator.function(z), expected)
    assert torch.equal(operator.module()(z), expected)


def test_defaults_of_the_operators(device):
    z = torch.randn(5, 20, device=device)
    for packet in (torch.ops.zeta.sparse_softmax, torch.ops.zeta.topk_softmax):
        assert torch.equal(packet(z), packet(z, 3, -1))
    assert torch.equal(torch.ops.zeta.entmax(z), torch.ops.zeta.entmax(z, 1.5, None, -1))
    assert torch.equal(zeta.nn.Entmax()(z), zeta.ops.entmax(z, 1.5, 20))
    assert torch.equal(zeta.nn.Entmax15()(z), zeta.ops.entmax15(z))


@pytest.mark.engine
def test_half_rows_whose_weights_all_round_to_zero(operator, device):
    z = torch.zeros(1, 2**25 + 2**24, device=device, dtype=torch.float16)
    weights = operator.function(z, z.shape[-1])
    assert (weights == 0).all()
    grad = operator.backward(torch.ones_like(z), weights, -1, z.dtype)
    assert (grad == 0).all()
