"""What every operator promises beside its values: unusual rows, layouts, dtypes, determinism."""

import math

import pytest
import torch
from bits import assert_same_bits
from operator_table import TOLERANCE


def assert_gradient(operator, result, grad, weights):
    expected = operator.gradient(grad, weights)
    support = weights.detach().cpu() != 0
    scale = grad.cpu()[support].abs().max().item()
    torch.testing.assert_close(
        result.cpu().double(), expected, rtol=0, atol=4 * scale * TOLERANCE[result.dtype]
    )


ODD_ROWS = {
    "nan": [math.nan],
    "negative nan": [math.copysign(math.nan, -1)],
    "inf": [math.inf],
    "two infs": [math.inf, math.inf],
    "nan and -inf": [math.nan, -math.inf],
}


@pytest.mark.parametrize("name", ODD_ROWS)
@pytest.mark.parametrize("length", [2, 17, 300, 5000])
@pytest.mark.parametrize("rows", [4, 33])
def test_rows_with_nan_or_inf_are_nan(operator, device, dtype, name, length, rows):
    z = torch.randn(rows, length, device=device, dtype=dtype)
    expected = operator.function(z)
    odd = torch.tensor(ODD_ROWS[name], dtype=dtype)
    z[2, -len(odd) :] = odd.to(device)
    weights = operator.function(z)
    assert weights[2].isnan().all()
    others = [row for row in range(rows) if row != 2]
    assert_same_bits(weights[others], expected[others])


def test_nan_that_is_not_among_the_largest(operator, device, dtype):
    z = torch.tensor([5.0, 4.9, 4.8, math.copysign(math.nan, -1), -9.0], device=device, dtype=dtype)
    assert operator.function(z, 1).isnan().all()


@pytest.mark.parametrize("n", [7, 40, 3000])
def test_row_of_minus_inf_is_nan(operator, device, dtype, n):
    z = torch.randn(35, n, device=device, dtype=dtype)
    z[1] = -math.inf
    for k in (1, 4, 5, n):
        weights = operator.function(z, k)
        assert weights.isnan().all(1).tolist() == [False, True] + [False] * 33


def test_gradient_of_nan_rows_is_nan(operator, device, dtype):
    z = torch.randn(3, 40, device=device, dtype=dtype)
    z[1, 3] = math.nan
    z.requires_grad_()
    operator.function(z).sum().backward()
    assert z.grad.isnan().all(1).tolist() == [False, True, False]
    assert not z.grad[[0, 2]].isnan().any()


def test_gradient_off_the_support_is_ignored(operator, device, dtype):
    z = torch.tensor([1.0, 0.9, -5.0, -6.0], device=device, dtype=dtype)
    weights = operator.function(z, 2)
    grad = torch.tensor([1.0, 3.0, math.nan, math.inf], device=device, dtype=dtype)
    result = operator.backward(grad, weights, -1, dtype)
    assert_gradient(operator, result, grad, weights)
    assert result[2:].tolist() == [0, 0]


def test_minus_inf_has_weight_and_gradient_zero(operator, device, dtype):
    z = torch.full((2, 50), -math.inf, device=device, dtype=dtype)
    z[:, 7] = 1.0
    z[:, 33] = 1.5
    z.requires_grad_()
    weights = operator.function(z, 5)
    expected = operator.reference(z[:, [7, 33]], 5)
    torch.testing.assert_close(
        weights[:, [7, 33]].cpu().double(), expected, rtol=0, atol=TOLERANCE[dtype]
    )
    grad = torch.arange(50, device=device).to(dtype).expand(2, -1)
    weights.backward(grad)
    assert_gradient(operator, z.grad, grad, weights)
    assert weights.count_nonzero() == z.grad.count_nonzero() == 4


def test_huge_values_are_exact(operator, device, dtype):
    huge = torch.finfo(dtype).max
    rows = [[huge, -huge, huge, 0], [-huge, -huge, -math.inf, -huge]]
    z = torch.tensor(rows, device=device, dtype=dtype)
    expected = torch.tensor([[0.5, 0, 0.5, 0], [1 / 3, 1 / 3, 0, 1 / 3]], dtype=torch.float64)
    exact = operator.alpha in (1, 2) or dtype != torch.float64
    torch.testing.assert_close(
        operator.function(z).cpu(),
        expected.to(dtype),
        rtol=0,
        atol=0 if exact else TOLERANCE[dtype],
    )


@pytest.mark.parametrize("length", [4, 40, 400, 4000, 40000])
def test_ties_go_to_the_lowest_index(operator, device, dtype, length):
    for rows in (1, 33):
        z = torch.zeros(rows, length, device=device, dtype=dtype)
        z[:, ::2] = -0.0
        weights = operator.function(z, 3)
        assert (weights[:, :3] != 0).all() and (weights[:, 3:] == 0).all()
        z[:, length // 2 :] = 0.25
        weights = operator.function(z, 1)
        assert (weights.nonzero()[:, 1] == length // 2).all()


def test_empty_and_scalar(operator, device, dtype):
    for shape in [(0,), (0, 4), (4, 0), (2, 0, 3)]:
        z = torch.empty(shape, device=device, dtype=dtype, requires_grad=True)
        for dim in range(-len(shape), len(shape)):
            weights = operator.function(z, dim=dim)
            assert weights.shape == shape and weights.dtype == dtype
            weights.sum().backward()  # raises nothing
    z = torch.tensor(-7.0, device=device, dtype=dtype, requires_grad=True)
    for dim in (0, -1):
        weights = operator.function(z, dim=dim)
        assert weights.shape == () and weights.item() == 1
    weights.backward()
    assert z.grad.item() == 0


LAYOUTS = {
    "contiguous": lambda z: z,
    "transposed": lambda z: z.transpose(0, 2).contiguous().transpose(0, 2),
    "transposed inside": lambda z: z.mT.contiguous().mT,
    "channels last": lambda z: z.contiguous(memory_format=torch.channels_last),
    "sliced": lambda z: z.repeat_interleave(2, 1).repeat_interleave(3, 3)[:, ::2, :, 1::3],
    "offset": lambda z: torch.cat([z.new_zeros(3), z.flatten()])[3:].view_as(z),
    "expanded": lambda z: z[:, :, :1].expand_as(z),
    "expanded along rows": lambda z: z[..., :1].expand_as(z),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [-4, -3, -2, -1, 0, 1, 2, 3])
def test_layouts_and_dims(operator, device, dtype, layout, dim):
    z = LAYOUTS[layout](torch.randn(4, 5, 6, 7, device=device, dtype=dtype))
    weights = operator.function(z, 3, dim)
    assert weights.stride() == torch.empty_like(z).stride()
    rows_last = z.movedim(dim, -1).contiguous()
    expected = operator.function(rows_last, 3).movedim(-1, dim)
    assert_same_bits(weights, expected)

    grad = LAYOUTS[layout](torch.randn(4, 5, 6, 7, device=device, dtype=dtype))
    result = operator.backward(grad, weights, dim, dtype)
    grad_last = grad.movedim(dim, -1).contiguous()
    expected = operator.backward(grad_last, expected.movedim(dim, -1).contiguous(), -1, dtype)
    assert_same_bits(result, expected.movedim(-1, dim))


def test_many_dims(operator, device):
    z = torch.randn(*[1, 2] * 8, device=device)
    rows_last = z.movedim(5, -1).contiguous()
    expected = operator.function(rows_last, 1).movedim(-1, 5)
    assert torch.equal(operator.function(z, 1, 5), expected)


@pytest.mark.parametrize("shape", [(64, 7), (9, 1000), (3, 40000)])
def test_a_row_depends_on_nothing_else(operator, device, dtype, shape):
    z = torch.randn(shape, device=device, dtype=dtype) * 0.2
    grad = torch.randn(shape, device=device, dtype=dtype)
    weights = operator.function(z, 50)
    grad_z = operator.backward(grad, weights, -1, dtype)
    for row in range(shape[0]):
        alone = operator.function(z[row], 50)
        assert_same_bits(weights[row], alone)
        assert_same_bits(grad_z[row], operator.backward(grad[row], alone, -1, dtype))


@pytest.mark.parametrize("target", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_dtype_converts_first(operator, device, dtype, target):
    z = torch.randn(6, 30, device=device, dtype=dtype, requires_grad=True)
    weights = operator.function(z, 4, dtype=target)
    assert weights.dtype == target
    assert_same_bits(weights, operator.function(z.detach().to(target), 4))
    direction = torch.randn_like(weights)
    weights.backward(direction)
    assert_same_bits(z.grad, operator.backward(direction, weights, -1, dtype))


@pytest.mark.parametrize("source", [torch.int64, torch.int32, torch.uint8, torch.bool])
def test_dtype_takes_integers(operator, device, source):
    z = torch.arange(6, device=device).to(source)
    weights = operator.function(z, 2, dtype=torch.float32)
    assert_same_bits(weights, operator.function(z.float(), 2))


@pytest.mark.parametrize("length", [30, 90])  # of rows whose output or support is saved
@pytest.mark.parametrize("shape", [(), (1, None)])
def test_gradient_into_expanded_grad(operator, device, dtype, length, shape):
    """As that of a sum, which is one number, and that of a mean over a batch."""
    z = torch.randn(6, length, device=device, dtype=dtype, requires_grad=True)
    grad = torch.randn([size or length for size in shape], device=device, dtype=dtype)
    grad = grad.expand(6, length)
    weights = operator.function(z)
    expected = operator.backward(grad.contiguous(), weights.detach(), -1, dtype)
    weights.backward(grad)
    assert_same_bits(z.grad, expected)
