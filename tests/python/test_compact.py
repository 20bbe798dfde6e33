"""The compact form: the non-zero weights of each row and their indices."""

import math
import re

import pytest
import reference
import torch
from bits import assert_same_bits
from inputs import FAMILIES, away_from_kinks
from operator_table import OF_ALPHAS, OPERATORS
from torch._dynamo.testing import CompileCounterWithBackend
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.library import opcheck

import zeta


@pytest.fixture(params=[*OPERATORS, OF_ALPHAS], ids=lambda operator: operator.label)
def operator(request):
    return request.param


OF_A_NUMBER = pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.label)


def expected(operator, z, k, dim):
    """From the dense form, by sorting."""
    weights = operator.function(z, k, dim)
    if z.dim() == 0:
        return weights, torch.zeros((), dtype=torch.int64)
    keys = torch.where(weights.isnan(), z, weights)
    order = keys.sort(dim=dim, descending=True, stable=True).indices.narrow(
        dim, 0, min(k, z.shape[dim])
    )
    values = weights.gather(dim, order)
    return values, torch.where(values == 0, -1, order)


def assert_compact(operator, z, k, dim=-1):
    values, indices = operator.compact(z, k, dim)
    expected_values, expected_indices = expected(operator, z, k, dim)
    assert_same_bits(values, expected_values)
    assert torch.equal(indices, expected_indices)
    return values, indices


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("length", [1, 2, 9, 64, 130, 1000, 5000])
def test_is_the_dense_form_sorted(operator, device, dtype, family, length):
    z = FAMILIES[family](19 if length < 200 else 3, length).to(device, dtype)
    for k in {1, 3, 8, 32, 33, length, length + 5}:
        assert_compact(operator, z, k)


def test_odd_rows(operator, device, dtype):
    z = torch.randn(9, 40, device=device).to(dtype)
    z[0, 5] = math.nan
    z[1, [3, 30]] = math.nan
    z[2, [7, 9]] = math.inf
    z[3] = -math.inf
    z[4, ::2] = -math.inf
    z[5] = 0.25
    z[6, ::3] = -0.0
    z[7] = -math.inf
    z[7, 20] = 2
    for k in (1, 3, 40, 50):
        values, indices = assert_compact(operator, z, k)
        assert values[:4].isnan().all()
        assert (indices[:4] >= 0).all()
        largest = reference.largest(z[:4].cpu(), k, 1)
        assert torch.equal(indices[:4].cpu().sort(1).values, largest)


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_any_strides(operator, device, dtype, dim):
    z = torch.randn(9, 12, 10, device=device, dtype=dtype)
    for view in (z, z.permute(2, 0, 1), z[:, ::2], z[:1].expand(5, -1, -1)):
        for k in (1, 3, 20):
            assert_compact(operator, view, k, dim)


def test_odd_shapes(operator, device):
    values, indices = operator.compact(torch.tensor(3.0, device=device))
    assert (values.item(), indices.item(), values.shape) == (1, 0, ())
    for shape in ((0, 4), (4, 0), (0,)):
        values, indices = operator.compact(torch.empty(shape, device=device), 3)
        assert values.shape == indices.shape == (*shape[:-1], min(3, shape[-1]))
        assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)


def test_gradient_of_nothing(operator, device):
    z = torch.empty(2, 0, device=device, requires_grad=True)
    operator.compact(z)[0].sum().backward()
    assert z.grad.shape == (2, 0)


def test_converts(operator, device):
    z = torch.arange(6, device=device)
    with pytest.raises(RuntimeError, match=f"^{operator.name}: expected z to have dtype"):
        operator.compact(z)
    values, indices = operator.compact(z, 2, dtype=torch.float64)
    assert_same_bits(values, operator.compact(z.double(), 2)[0])
    assert indices[0] == 5


def test_errors(operator):
    for device in ("cpu", "meta"):
        z = torch.empty(2, 6, device=device)
        message = f"{operator.name}: expected k to be at least 1, but got 0"
        with pytest.raises(RuntimeError, match=re.escape(message)):
            operator.compact(z, 0)
        with pytest.raises(IndexError, match=f"^{operator.name}: Dimension out of range"):
            operator.compact(z, dim=2)
    nested = torch.nested.nested_tensor([z[0], z[1, :3]], layout=torch.jagged)
    with pytest.raises(TypeError, match=f"^{operator.name}: .* but got a nested tensor"):
        operator.compact(nested)


@pytest.mark.parametrize(
    ("shape", "k", "dim"), [((5,), 2, 0), ((3, 6), 4, -1), ((4, 3), 2, 0), ((2, 5, 3), 9, 1)]
)
def test_gradients_of_any_order(operator, device, shape, k, dim):
    z = away_from_kinks(*shape, k=k, dim=dim).to(device).requires_grad_()

    def values(z):
        return operator.compact(z, k, dim)[0]

    assert gradcheck(
        values,
        z,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
        check_grad_dtypes=True,
    )
    assert gradgradcheck(
        values, z, check_batched_grad=True, check_fwd_over_rev=True, check_rev_over_rev=True
    )


@OF_A_NUMBER
@pytest.mark.parametrize("length", [7, 64, 5000])
def test_gradients_have_the_bits_of_the_dense_form(operator, device, dtype, length):
    z = torch.randn(3, length, device=device).to(dtype).requires_grad_()
    weights = operator.function(z, 5)
    values, indices = operator.compact(z, 5)
    grad = torch.randn_like(values)
    dense_grad = torch.zeros_like(z).scatter_add(
        1, indices.clamp_min(0), grad.masked_fill(indices < 0, 0)
    )
    [expected_grad] = torch.autograd.grad(weights, z, dense_grad)
    assert_same_bits(torch.autograd.grad(values, z, grad)[0], expected_grad)

    tangent = torch.randn_like(z)
    with forward_ad.dual_level():
        dual = forward_ad.make_dual(z.detach(), tangent)
        of_dense = forward_ad.unpack_dual(operator.function(dual, 5)).tangent
        of_values = forward_ad.unpack_dual(operator.compact(dual, 5)[0]).tangent
    gathered = of_dense.gather(1, indices.clamp_min(0)).masked_fill(indices < 0, 0)
    assert_same_bits(of_values, gathered)


def test_gradient_of_nan_rows(operator, device):
    z = torch.randn(3, 20, device=device)
    z[1, 3] = math.nan
    z.requires_grad_()
    operator.compact(z, 4)[0].sum().backward()
    chosen = operator.compact(z, 4)[1]
    is_nan = z.grad.isnan()
    assert not is_nan[[0, 2]].any()
    assert is_nan[1].sum() == 4 and is_nan[1, chosen[1]].all()


@pytest.mark.parametrize("in_dim", [0, 1, -1])
@pytest.mark.parametrize("dim", [0, -1])
def test_vmap(operator, in_dim, dim):
    z = torch.randn(4, 5, 6)

    def function(z):
        return operator.compact(z, 2, dim)

    samples = [function(sample) for sample in z.unbind(in_dim)]
    for result, parts in zip(
        torch.vmap(function, in_dim)(z), zip(*samples, strict=True), strict=True
    ):
        assert torch.equal(result, torch.stack(parts))
    values, indices = torch.vmap(lambda x: operator.compact(x))(z[0, 0])
    assert torch.equal(values, torch.ones(6)) and torch.equal(indices, torch.zeros(6).long())


@OF_A_NUMBER
@pytest.mark.parametrize("requires_grad", [False, True])
def test_opcheck(operator, device, dtype, requires_grad):
    z = torch.randn(4, 6, device=device, dtype=dtype).requires_grad_(requires_grad)
    opcheck(operator.packet.compact, (z, *operator.arguments(2, 0)))
    opcheck(operator.packet.compact, (z.mT, *operator.arguments(9, 1)), {"dtype": torch.float32})


def test_compiles_to_one_graph(operator, device):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("inductor")

    def function(z, k):
        values, indices = operator.compact(z, k)
        return values.square(), indices

    compiled = torch.compile(function, backend=counter, fullgraph=True, dynamic=True)
    for length, k in ((40, 3), (70, 5), (100, 50)):
        z = torch.randn(3, length, device=device, requires_grad=True)
        for actual, wanted in zip(compiled(z, k), function(z, k), strict=True):
            torch.testing.assert_close(actual, wanted)
        gradients = [torch.autograd.grad(f(z, k)[0].sum(), z)[0] for f in (compiled, function)]
        torch.testing.assert_close(*gradients)
    assert counter.frame_count == 1


def test_exports(operator):
    class Router(torch.nn.Module):
        def forward(self, z):
            return operator.compact(z, 3)

    z = torch.randn(5, 12)
    rows = torch.export.Dim("rows")
    program = torch.export.export(Router(), (z,), dynamic_shapes=({0: rows},))
    z = torch.randn(9, 12)
    for actual, wanted in zip(program.module()(z), operator.compact(z, 3), strict=True):
        assert torch.equal(actual, wanted)


def test_exports_without_a_limit():
    class Sum(torch.nn.Module):
        def forward(self, z):
            values, indices = zeta.ops.entmax_compact(z)
            return values + z, indices

    shapes = ({0: torch.export.Dim("rows"), 1: torch.export.Dim("length")},)
    program = torch.export.export(Sum(), (torch.randn(5, 12),), dynamic_shapes=shapes)
    z = torch.randn(9, 20)
    assert torch.equal(program.module()(z)[1], zeta.ops.entmax_compact(z)[1])
    assert str(2**63 - 1) not in str(program.graph)


def test_has_no_place_in_torchscript(operator):
    with pytest.raises(
        NotImplementedError, match=f"^{operator.name}: the compact form has no place"
    ):
        torch.jit.trace(lambda z: operator.compact(z, 3), (torch.randn(5, 12),))


def test_is_another_overload():
    z = torch.randn(4, 6)
    assert torch.is_tensor(torch.ops.zeta.sparse_softmax(z))
    assert torch.is_tensor(torch.ops.zeta.entmax(z))
    values, indices = zeta.ops.entmax15_compact(z, 4)
    assert torch.equal(values, zeta.ops.entmax_compact(z, 1.5, 4)[0])
    assert values.shape == indices.shape == (4, 4)
