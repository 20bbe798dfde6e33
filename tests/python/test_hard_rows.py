"""Rows on which a shortcut in the selection, in the rounding or at a block's end would show."""

import math
from fractions import Fraction

import pytest
import reference
import torch
from bits import assert_same_bits
from operator_table import SPARSE_SOFTMAX, TOLERANCE

pytestmark = pytest.mark.engine


def check(z, k):
    """The weights of a projection, compared with the rationals in value and in support."""
    weights = SPARSE_SOFTMAX.function(z, k)
    exact = reference.exact_projection(z.tolist(), k)
    for weight, expected in zip(weights.tolist(), exact, strict=True):
        assert abs(Fraction(weight) - expected) <= TOLERANCE[z.dtype]
        assert (weight != 0) == (expected != 0)
    return weights


def test_values_that_differ_only_before_the_maximum_is_subtracted(device, dtype):
    step = torch.finfo(dtype).eps / 64
    z = torch.tensor([0.5, step, 3 * step, 2 * step], device=device, dtype=dtype)
    assert (z - z[0]).unique().numel() == 2
    assert check(z, 2).nonzero().flatten().tolist() == [0, 2]
    assert check(z, 3).nonzero().flatten().tolist() == [0, 2, 3]


def test_subnormal_values_are_told_apart(device, dtype):
    finfo = torch.finfo(dtype)
    smallest = finfo.smallest_normal * finfo.eps
    z = torch.arange(40, dtype=torch.float64).mul(smallest).to(device, dtype)
    assert check(z, 3).nonzero().flatten().tolist() == [37, 38, 39]


@pytest.mark.parametrize("spacing", [2.0, 1.0, 0.5, 0.25, 0.125])
def test_large_neighbouring_values(device, dtype, spacing):
    start = spacing / torch.finfo(dtype).eps
    steps = torch.randint(0, 6, (100,), dtype=torch.float64)
    z = (start + steps * spacing).to(device, dtype)
    for k in (1, 2, 3, 33, 100):
        check(z, k)


def test_entries_on_the_threshold_have_weight_zero(device, dtype):
    z = torch.tensor([1.0, 0.0, 0.0, 0.0], device=device, dtype=dtype)
    for k in range(1, 5):
        assert check(z, k).tolist() == [1, 0, 0, 0]


def row_with_an_entry_a_hair_above_the_threshold() -> list[int]:
    """In units of 2^-50, each of them a float32: the second entry is the smallest, and the sum such
    that the threshold is 14 / 3071 below it, which takes more bits than a double has."""
    length, entry = 3071, 605_553
    others = 2**49 + length * entry - 14 - entry  # of a largest entry of 2^49, a half
    equal = [2**36] * (length - 26)
    coarse, fine = divmod(others - sum(equal), 2**20)
    parts = [coarse // 23 * 2**20] * 22
    return [2**49, entry, *equal, *parts, coarse * 2**20 - sum(parts), fine]


def test_entry_a_hair_above_the_threshold_is_kept(device):
    units = row_with_an_entry_a_hair_above_the_threshold()
    z = torch.tensor(units, dtype=torch.float64, device=device).mul(2.0**-50).float()
    assert z.double().mul(2.0**50).tolist() == units and min(units) == units[1]
    check(z, len(units))


@pytest.mark.parametrize("length", [8192, 65536, 131072])
def test_lengths_that_fill_their_blocks(operator, device, dtype, length):
    z = (torch.randn(2, length, dtype=torch.float64) * 0.05).to(device, dtype)
    grad = torch.randn(2, length, dtype=torch.float64).to(device, dtype)
    for k in (3, 129, length):
        weights = operator.function(z, k)
        expected = operator.reference(z, k)
        torch.testing.assert_close(
            weights.cpu().double(), expected, rtol=0, atol=operator.tolerance(dtype)
        )
        torch.testing.assert_close(
            operator.backward(grad, weights, -1, dtype).cpu().double(),
            operator.gradient(grad, weights),
            rtol=0,
            atol=grad.abs().max().item() * operator.gradient_tolerance(dtype, length),
        )


def test_repeating_gives_the_same_bits(operator, device, dtype):
    z = torch.randint(0, 3, (40, 3000)).to(device, dtype) / 4
    grad = torch.randn(40, 3000, dtype=torch.float64).to(device, dtype)
    weights = operator.function(z, 50)
    grad_z = operator.backward(grad, weights, -1, dtype)
    for _ in range(20):
        assert_same_bits(operator.function(z, 50), weights)
        assert_same_bits(operator.backward(grad, weights, -1, dtype), grad_z)


def test_gradients_of_a_row_sum_to_zero(operator, device):
    z = torch.randn(30, 500, dtype=torch.float64, device=device) * 0.1
    weights = operator.function(z, 40)
    grad_z = operator.backward(torch.randn_like(z), weights, -1, z.dtype)
    bound = math.sqrt(40) * 40 * torch.finfo(z.dtype).eps
    assert grad_z.sum(-1).abs().max() <= bound
    assert torch.equal(grad_z != 0, weights != 0)
