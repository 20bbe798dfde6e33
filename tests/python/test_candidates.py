"""The operators of zeta.distributed: the largest entries of a part of a row, and the projection of
those of all parts."""

import math

import pytest
import reference
import torch
from bits import assert_same_bits
from torch.autograd import gradcheck, gradgradcheck
from torch.library import opcheck
from torch.nn.functional import pad

import zeta

largest = torch.ops.zeta._largest.default
of_candidates = torch.ops.zeta._entmax_of_candidates.default
of_candidates_of_alphas = torch.ops.zeta._entmax_of_candidates.tensor_alpha
backward = torch.ops.zeta._entmax_backward.default

# Of the members of the family.
MEMBERS = pytest.mark.parametrize("alpha", [1.0, 1.25, 1.5, 2.0])
ALPHA = 2.0

LAYOUTS = {
    "contiguous": lambda z: z,
    "transposed": lambda z: z.mT.contiguous().mT,
    "sliced": lambda z: z.repeat_interleave(2, 1)[:, ::2],
    "expanded": lambda z: z[:1].expand(len(z), -1),
}


def odd_rows(rows, length):
    """Among others with NaN of either sign, infinities, and zeros of either sign."""
    z = torch.randint(-4, 5, (rows, length)).double() / 4
    z[0, length // 2] = -math.nan
    z[1, length // 3] = math.nan
    z[2, -1] = math.inf
    z[3] = -math.inf
    z[4] = torch.where(torch.rand(length) < 0.5, -0.0, 0.0)
    return z


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 129, 1000, 70001])
def test_largest(device, dtype, layout, length):
    z = LAYOUTS[layout](odd_rows(7, length).to(device, dtype))
    for k in (1, 3, 100, length, length + 1):
        assert torch.equal(largest(z, k, -1), reference.largest(z, k, 1))
        assert torch.equal(largest(z.mT, k, 0), reference.largest(z.mT, k, 0))


@pytest.mark.parametrize("size", [(7, 129), (129,), (7, 1), ()])
def test_largest_of_what_a_mask_leaves(device, dtype, size):
    z = odd_rows(7, 129).to(device, dtype)
    mask = torch.rand(size, device=device) < 0.5
    filled = z.masked_fill(~mask, -math.inf)
    for k in (1, 3, 100, 130):
        assert torch.equal(largest(z, k, -1, mask), largest(filled, k, -1))
        transposed = mask.mT if mask.dim() == 2 else mask.reshape(-1, 1)
        assert torch.equal(largest(z.mT, k, 0, transposed), largest(filled.mT, k, 0))


def test_largest_of_nothing(device):
    assert largest(torch.empty(0, 4, device=device), 3, 1).shape == (0, 3)
    assert largest(torch.empty(4, 0, device=device), 3, 1).shape == (4, 0)


@MEMBERS
@pytest.mark.parametrize("scale", [0.01, 1])
@pytest.mark.parametrize("k", [3, 500, 40000])
def test_candidates_have_the_bits_of_the_row(device, dtype, alpha, scale, k):
    """Also where sums over long rows are made of fewer bits than sums over short ones."""
    z = torch.randn(4, 40000, device=device, dtype=torch.float64).mul(scale).to(dtype)
    columns = largest(z, k, 1)
    weights = zeta.ops.entmax(z, alpha, k)
    result = of_candidates(z.gather(1, columns), alpha, k, 1, z.shape[1])
    assert_same_bits(result, weights.gather(1, columns))
    of_alphas = of_candidates_of_alphas(
        z.gather(1, columns), torch.tensor([alpha], device=device), k, 1, z.shape[1]
    )
    assert_same_bits(of_alphas, result)
    grad = torch.randn_like(z)
    expected = backward(grad, weights, alpha, 1, dtype)
    grads = backward(grad.gather(1, columns), result, alpha, 1, dtype, length=z.shape[1])
    assert_same_bits(grads, expected.gather(1, columns))


@MEMBERS
def test_padding_changes_no_bit(device, dtype, alpha):
    z = torch.randn(5, 40, device=device, dtype=dtype)
    padded = pad(z, (0, 9), value=-math.inf)
    result = of_candidates(padded, alpha, 6, 1, 40)
    assert_same_bits(result[:, :40], zeta.ops.entmax(z, alpha, 6))
    assert (result[:, 40:] == 0).all()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [0, 1])
def test_opcheck(device, dtype, layout, dim):
    z = LAYOUTS[layout](torch.randn(5, 8, device=device, dtype=dtype))
    opcheck(largest, (z, 3, dim))
    opcheck(of_candidates, (z, ALPHA, 3, dim, 100))
    alphas = torch.full((5, 1) if dim == 1 else (8,), 1.25, device=device)
    opcheck(of_candidates_of_alphas, (z, alphas, 3, dim, 100))
    weights = of_candidates(z, ALPHA, 3, dim, 9)
    opcheck(backward, (torch.randn_like(z), weights, ALPHA, dim, dtype), {"length": 9})


@MEMBERS
def test_derivatives_have_the_bits_of_the_row(device, dtype, alpha):
    z = torch.randn(5, 4000, device=device, dtype=dtype, requires_grad=True)
    columns = largest(z, 6, 1)
    assert not columns.requires_grad
    grad = torch.randn_like(z)
    weights = of_candidates(z.gather(1, columns), alpha, 6, 1, z.shape[1])
    [result] = torch.autograd.grad(weights, z, grad.gather(1, columns))
    [expected] = torch.autograd.grad(zeta.ops.entmax(z, alpha, 6), z, grad)
    assert_same_bits(result, expected)


@MEMBERS
def test_derivatives_of_any_order(device, alpha):
    z = torch.linspace(-1, 1, 6, dtype=torch.float64, device=device)[torch.randperm(6)]
    z.requires_grad_()

    def weights(z):
        return of_candidates(pad(z, (0, 1), value=-math.inf), alpha, 4, 0, 50)

    assert gradcheck(weights, z, check_forward_ad=True)
    assert gradgradcheck(weights, z)


def test_derivatives_by_alphas_of_any_order(device):
    z = torch.linspace(-1, 1, 18, dtype=torch.float64, device=device)[torch.randperm(18)]
    z = z.view(3, 6).requires_grad_()
    alpha = torch.tensor([[1.1], [1.4], [1.75]], dtype=torch.float64, device=device)

    def weights(z, alpha):
        return of_candidates_of_alphas(pad(z, (0, 1), value=-math.inf), alpha, 4, 1, 50)

    inputs = (z, alpha.requires_grad_())
    assert gradcheck(weights, inputs, check_forward_ad=True)
    assert gradgradcheck(weights, inputs)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_errors(device):
    z = torch.randn(5, 8, device=device)
    with pytest.raises(RuntimeError, match="^_largest: expected k to be at least 1, but got 0"):
        largest(z, 0, 1)
    with pytest.raises(RuntimeError, match="^_largest: expected z to have a dimension"):
        largest(z[0, 0], 1, 0)
    with pytest.raises(IndexError, match="^_largest: Dimension out of range"):
        largest(z, 1, 2)
    with pytest.raises(RuntimeError, match="^_largest: expected mask to have dtype Bool"):
        largest(z, 1, 1, z)
    name = "_entmax_of_candidates"
    with pytest.raises(RuntimeError, match=f"^{name}: expected length to be at least 1, but got 0"):
        of_candidates(z, ALPHA, 3, 1, 0)
    with pytest.raises(RuntimeError, match=f"^{name}: expected k to be at least 1"):
        of_candidates(z, ALPHA, 0, 1, 8)
    alpha = torch.full((8,), 1.5, device=device)
    with pytest.raises(RuntimeError, match=f"^{name}: expected length to be at least 1, but got 0"):
        of_candidates_of_alphas(z, alpha[:1], 3, 1, 0)
    with pytest.raises(RuntimeError, match=f"^{name}: expected alpha to have size 1 along dim 1"):
        of_candidates_of_alphas(z, alpha, 3, 1, 8)
    with pytest.raises(RuntimeError, match="^_entmax_backward: expected length to be at least 1"):
        backward(z, z, ALPHA, 1, z.dtype, length=0)
