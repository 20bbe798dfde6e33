"""Entmax with an alpha for each row, given as a tensor, and the gradient of alpha."""

import re

import pytest
import torch
from bits import assert_same_bits
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import vmap
from torch.library import opcheck

import zeta

ALPHAS = (1.0, 1.01, 1.25, 1.5, 1.75, 2.0)
of_alphas = torch.ops.zeta.entmax.tensor_alpha
of_alphas_out = torch.ops.zeta.entmax.tensor_alpha_out
compact_of_alphas = torch.ops.zeta.entmax.tensor_alpha_compact


def spaced_rows(*shape):
    """Logits whose support does not change when each moves a little."""
    n = shape[-1]
    spaced = torch.linspace(-1, 1, n, dtype=torch.float64)
    rows = [spaced[torch.randperm(n)] for _ in range(torch.Size(shape[:-1]).numel())]
    return torch.stack(rows).view(shape)


@pytest.mark.parametrize("k", [None, 1, 3, 50])
@pytest.mark.parametrize("length", [1, 5, 40, 3000])
def test_rows_have_the_bits_of_their_alpha(dtype, length, k):
    z = torch.randn(len(ALPHAS), 4, length, dtype=torch.float64).to(dtype)
    alphas = torch.tensor(ALPHAS, dtype=torch.float64).view(-1, 1, 1)
    weights = of_alphas(z, alphas, k)
    values, indices = compact_of_alphas(z, alphas, k)
    for i, alpha in enumerate(ALPHAS):
        assert_same_bits(weights[i], zeta.ops.entmax(z[i], alpha, k))
        expected_values, expected_indices = zeta.ops.entmax_compact(z[i], alpha, k)
        assert_same_bits(values[i], expected_values)
        assert torch.equal(indices[i], expected_indices)


def test_any_dim_and_strides(dtype):
    z = torch.randn(5, 7, 6, dtype=dtype)
    for dim in range(3):
        sizes = [1 if i == dim else size for i, size in enumerate(z.shape)]
        alpha = 1.01 + 0.99 * torch.rand(sizes, dtype=torch.float64)
        side_by_side = z.transpose(0, 2).contiguous().transpose(0, 2)
        for view in (z, side_by_side, z.repeat_interleave(2, 1)[:, ::2]):
            weights = of_alphas(view, alpha, 3, dim)
            rows = view.movedim(dim, -1).reshape(-1, view.shape[dim])
            expected = torch.stack(
                [
                    zeta.ops.entmax(row, number, 3)
                    for row, number in zip(
                        rows, alpha.movedim(dim, -1).flatten().tolist(), strict=True
                    )
                ]
            )
            assert torch.equal(weights.movedim(dim, -1).reshape(rows.shape), expected)
            values, indices = compact_of_alphas(view, alpha, 3, dim)
            spread = torch.zeros_like(weights).scatter_add(dim, indices.clamp_min(0), values)
            assert torch.equal(spread, weights)
            assert (values == values.sort(dim, descending=True).values).all()


def test_a_tensor_reaches_its_gradient():
    """Read as a number, it would lose the gradient in silence."""
    z = torch.randn(3, 8)
    for shape in ((), (1,), (3, 1)):
        alpha = torch.full(shape, 1.5, requires_grad=True)
        for function in (zeta.ops.entmax, torch.ops.zeta.entmax):
            [grad] = torch.autograd.grad(function(z, alpha)[:, 0].sum(), alpha)
            assert grad.shape == shape and (grad != 0).any()
        values, indices = zeta.ops.entmax_compact(z, alpha)
        dense = torch.zeros(3, 8).scatter_add(1, indices.clamp_min(0), values)
        [of_compact] = torch.autograd.grad(dense[:, 0].sum(), alpha)
        torch.testing.assert_close(of_compact, grad)


def test_values_of_shapes():
    z = torch.randn(3, 8)
    expected = zeta.ops.entmax(z, 1.25)
    for alpha in (torch.tensor(1.25), torch.tensor([1.25]), torch.full((3, 1), 1.25)):
        assert torch.equal(of_alphas(z, alpha), expected)
    assert of_alphas(torch.tensor(3.0), torch.tensor(1.5)) == 1
    assert of_alphas(torch.empty(0, 4), torch.tensor(1.5)).shape == (0, 4)
    assert of_alphas(torch.tensor([1, 2]), torch.tensor(1.5), dtype=torch.float64).sum() == 1


def test_out_takes_any_alphas_and_dim(dtype):
    z = torch.randn(5, 7, 6, dtype=dtype)
    for dim in range(3):
        sizes = [1 if i == dim else size for i, size in enumerate(z.shape)]
        for alpha in (1.01 + 0.99 * torch.rand(sizes), torch.tensor(1.75)):
            memory = torch.full((6, 9, 7), 7.0, dtype=dtype)
            out = memory.permute(2, 1, 0)[:5, :7]
            for function in (of_alphas_out, torch.ops.zeta.entmax):
                assert function(z, alpha, 3, dim, out=out) is out
            assert_same_bits(out, of_alphas(z, alpha, 3, dim))
            assert (memory[:, 7:] == 7).all()


@pytest.mark.parametrize("dtype_of_alpha", [torch.float64, torch.float32])
def test_out_may_lie_over_the_alphas(dtype, dtype_of_alpha):
    z = torch.randn(4, 8, dtype=dtype)
    numbers = torch.tensor([1.25, 2.0, 1.5, 1.0], dtype=dtype_of_alpha)
    expected = of_alphas(z, numbers.view(4, 1))
    memory = torch.zeros(32 * 8, dtype=torch.uint8)
    alpha = memory.view(dtype_of_alpha)[:4].view(4, 1)
    alpha.copy_(numbers.view(4, 1))
    out = memory.view(dtype)[:32].view(4, 8)
    assert_same_bits(of_alphas_out(z, alpha, out=out), expected)


def test_out_refuses_derivatives_of_alpha():
    z, alpha, out = torch.randn(3, 8), torch.full((3, 1), 1.5), torch.empty(3, 8)
    with pytest.raises(RuntimeError, match=r"^entmax\(\): functions with out=... arguments don't"):
        of_alphas_out(z, alpha.clone().requires_grad_(), out=out)
    with forward_ad.dual_level(), pytest.raises(RuntimeError, match="forward-mode"):
        of_alphas_out(z, forward_ad.make_dual(alpha, alpha), out=out)


@pytest.mark.parametrize("k", [None, 3])
def test_gradients(k):
    z = spaced_rows(5, 2, 7).requires_grad_()
    alpha = torch.tensor([1.0, 1.1, 1.3, 1.5, 1.75], dtype=torch.float64).view(5, 1, 1)

    def of_z(z):
        return of_alphas(z, alpha, k)

    assert gradcheck(of_z, z, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(of_z, z, check_batched_grad=True, check_fwd_over_rev=True)

    # At 1 there is no alpha below to compare with.
    inner = alpha[1:].clone().requires_grad_()
    tensors = (z.detach()[1:].clone().requires_grad_(), inner)

    def of_both(z, alpha):
        return of_alphas(z, alpha, k)

    def values_of_both(z, alpha):
        return compact_of_alphas(z, alpha, k)[0]

    tolerances = {"atol": 1e-4, "rtol": 1e-3}
    for function in (of_both, values_of_both):
        assert gradcheck(function, tensors, check_forward_ad=True, **tolerances)
        assert gradgradcheck(function, tensors, check_fwd_over_rev=True, **tolerances)


def test_gradient_of_alpha_at_one():
    z = spaced_rows(2, 6)
    direction = torch.randn(2, 6, dtype=torch.float64)
    alpha = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    [grad] = torch.autograd.grad((of_alphas(z, alpha) * direction).sum(), alpha)
    above = [((zeta.ops.entmax(z, 1 + step) * direction).sum(1)) for step in (0, 0.01, 0.02)]
    slope = (-3 * above[0] + 4 * above[1] - above[2]) / 0.02  # of second order
    torch.testing.assert_close(grad.squeeze(1), slope, atol=1e-3, rtol=1e-2)


def test_gradients_of_z_are_those_of_a_number(dtype):
    z = torch.randn(4, 30, dtype=torch.float64).to(dtype).requires_grad_()
    grad = torch.randn_like(z)
    for alpha in ALPHAS:
        [expected] = torch.autograd.grad(zeta.ops.entmax(z, alpha, 8), z, grad)
        tensor = torch.tensor(alpha, dtype=torch.float64)
        [result] = torch.autograd.grad(of_alphas(z, tensor, 8), z, grad)
        torch.testing.assert_close(result, expected)


def test_nan_rows():
    z = torch.randn(3, 6)
    z[1, 2] = torch.nan
    z.requires_grad_()
    alpha = torch.full((3, 1), 1.5, requires_grad=True)
    weights = of_alphas(z, alpha)
    assert weights.isnan().all(1).tolist() == [False, True, False]
    weights[:, 0].sum().backward()
    assert z.grad.isnan().all(1).tolist() == alpha.grad.isnan().all(1).tolist()
    assert not z.grad[[0, 2]].isnan().any()


def test_tangents():
    z, tangent = spaced_rows(3, 6), torch.randn(3, 6, dtype=torch.float64)
    alpha = torch.full((3, 1), 1.4, dtype=torch.float64)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(alpha, torch.ones_like(alpha))
        of_alpha = forward_ad.unpack_dual(of_alphas(z, dual)).tangent
        both = forward_ad.unpack_dual(of_alphas(forward_ad.make_dual(z, tangent), dual)).tangent
        alone = forward_ad.unpack_dual(of_alphas(forward_ad.make_dual(z, tangent), alpha)).tangent
    step = 1e-6
    expected = (of_alphas(z, alpha + step) - of_alphas(z, alpha - step)) / (2 * step)
    torch.testing.assert_close(of_alpha, expected, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(both, of_alpha + alone)


@pytest.mark.parametrize(
    ("shape", "alpha_shape", "in_dims"),
    [
        ((4, 3, 6), (4, 3, 1), (0, 0)),
        ((3, 4, 6), (3, 1), (1, None)),
        ((3, 6), (4, 1, 1), (None, 0)),
        ((4, 3, 6), (4,), (0, 0)),
        ((4,), (4,), (0, 0)),
    ],
)
def test_vmap(shape, alpha_shape, in_dims):
    z, alpha = torch.randn(shape), 1.01 + 0.9 * torch.rand(alpha_shape)
    result = vmap(of_alphas, in_dims)(z, alpha)
    values, indices = vmap(compact_of_alphas, in_dims)(z, alpha)
    for i in range(4):
        of_sample = z if in_dims[0] is None else z.select(in_dims[0], i)
        alpha_of_sample = alpha if in_dims[1] is None else alpha.select(in_dims[1], i)
        assert torch.equal(result[i], of_alphas(of_sample, alpha_of_sample))
        expected_values, expected_indices = compact_of_alphas(of_sample, alpha_of_sample)
        assert torch.equal(values[i], expected_values)
        assert torch.equal(indices[i], expected_indices)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_opcheck(dtype, requires_grad):
    z = torch.randn(4, 6, dtype=dtype, requires_grad=requires_grad)
    alpha = torch.full((4, 1), 1.5, requires_grad=requires_grad)
    for form in (of_alphas, compact_of_alphas):
        opcheck(form, (z, alpha, 3, 1))
        opcheck(form, (z, alpha.view(1, 4)[:, :1], None, -1), {"dtype": torch.float32})
    opcheck(
        of_alphas_out, (z.detach(), alpha.detach(), 3, 1), {"out": torch.empty_like(z.detach())}
    )


def test_compiles_and_learns():
    torch._dynamo.reset()
    module = zeta.nn.Entmax(learnable=True)
    assert float(module.alpha) == pytest.approx(1.5)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    z = torch.randn(20, 10)
    target = zeta.ops.entmax(z, 1.9)
    optimizer = torch.optim.Adam(module.parameters(), 0.1)
    for _ in range(200):
        optimizer.zero_grad()
        (compiled(z) - target).square().sum().backward()
        optimizer.step()
    assert float(module.alpha) == pytest.approx(1.9, abs=0.02)
    assert "alpha=learnable" in repr(module)
    with pytest.raises(ValueError, match=r"^Entmax: expected alpha to be between 1.01 and 2"):
        zeta.nn.Entmax(alpha=2, learnable=True)


def test_autocast_on_a_gpu_that_is_not_there():
    with FakeTensorMode():
        z = torch.randn(4, 6, device="cuda", dtype=torch.float16)
        alpha = torch.full((4, 1), 1.5, device="cuda")
        enabled = torch.is_autocast_enabled("cuda")
        torch.set_autocast_enabled("cuda", True)
        try:
            assert of_alphas(z, alpha).dtype == torch.float32
            values, indices = compact_of_alphas(z, alpha, 3)
        finally:
            torch.set_autocast_enabled("cuda", enabled)
    assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)
    assert values.shape == indices.shape == (4, 3)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_errors(device):
    z = torch.empty(3, 8, device=device)

    def alpha(*shape, dtype=torch.float32):
        return torch.full(shape, 1.5, dtype=dtype, device=device)

    shape = "entmax: expected alpha to have size 1 along dim 1 and be broadcast to z of size [3, 8]"
    for tensor, message in [
        (alpha(8), shape),
        (alpha(2, 1), shape),
        (alpha(1, 3, 1), shape),
        (alpha(3, 1, dtype=torch.int64), "entmax: expected alpha to have dtype float32"),
    ]:
        with pytest.raises(RuntimeError, match=re.escape(message)):
            of_alphas(z, tensor)
        with pytest.raises(RuntimeError, match=re.escape(message)):
            of_alphas_out(z, tensor, out=torch.empty_like(z))
        with pytest.raises(RuntimeError, match=re.escape(message)):
            compact_of_alphas(z, tensor)
    with pytest.raises(RuntimeError, match="^entmax: expected k to be at least 1"):
        of_alphas(z, alpha(1), 0)


@pytest.mark.parametrize("number", [0.9, 1.005, 2.1, torch.nan])
def test_other_alphas(number):
    alpha = torch.full((3, 1), 1.5)
    alpha[2] = number
    with pytest.raises(
        RuntimeError, match="^entmax: expected alpha to be 1 or from 1.01 to 2, but"
    ):
        of_alphas(torch.randn(3, 8), alpha)
    with pytest.raises(
        RuntimeError, match="^entmax: expected alpha to be 1 or from 1.01 to 2, but"
    ):
        compact_of_alphas(torch.randn(3, 8), alpha)
    with pytest.raises(
        RuntimeError, match="^entmax: expected alpha to be 1 or from 1.01 to 2, but"
    ):
        zeta.ops.entmax(torch.randn(3, 8), number)
