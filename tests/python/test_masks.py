"""Masks: which entries of a row take part, and that the others show nowhere."""

import math
import re

import pytest
import torch
from bits import assert_same_bits
from hypothesis import given
from hypothesis import strategies as st
from inputs import away_from_kinks
from operator_table import DTYPES, SPARSE_SOFTMAX
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import hessian, jacfwd, jacrev, vmap
from torch.library import opcheck

import zeta

GARBAGE = (math.nan, math.inf, -math.inf, math.copysign(math.nan, -1), 6e4, -6e4)


def with_garbage(z, mask):
    """Return z with anything where the mask leaves out."""
    garbage = torch.tensor(GARBAGE, dtype=z.dtype, device=z.device)
    chosen = garbage[torch.randint(len(GARBAGE), z.shape, device=z.device)]
    return torch.where(mask, z, chosen)


def filled(operator, z, mask, k, dim=-1):
    """Return what a mask is defined to give, by a copy of z."""
    weights = operator.function(z.masked_fill(~mask, -math.inf), k, dim)
    return weights.masked_fill(~mask.expand_as(z).any(dim, keepdim=True), 0)


def random_mask(*shape, device="cpu"):
    """Return a mask of which one row takes part as a whole and one not at all."""
    mask = torch.rand(shape, device=device) < 0.5
    mask[0], mask[-1] = True, False
    return mask


@pytest.mark.parametrize("shape", [(40, 3), (40, 16), (37, 100), (5, 700), (3, 70000)])
def test_bits_are_those_of_a_filled_copy(operator, device, dtype, shape):
    z = torch.randn(shape, device=device, dtype=dtype)
    mask = random_mask(*shape, device=device)
    for k in (1, 3, 40, shape[1]):
        weights = operator.function(with_garbage(z, mask), k, mask=mask)
        assert_same_bits(weights, filled(operator, z, mask, k))


def test_entries_left_out_are_as_if_they_were_not_there(operator):
    @given(data=st.data(), dtype=st.sampled_from(DTYPES))
    def check(data, dtype):
        length = data.draw(st.integers(1, 40))
        mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=length, max_size=length)))
        k = data.draw(st.integers(1, length + 1))
        z = torch.randn(length, dtype=dtype)
        weights = operator.function(with_garbage(z, mask), k, mask=mask)
        assert not weights[~mask].any()
        # In a row of another length sums have other units: the last bits may differ.
        torch.testing.assert_close(
            weights[mask],
            operator.function(z[mask], k),
            rtol=0,
            atol=2 * operator.tolerance(dtype),
        )

    check()


@pytest.mark.parametrize("dim", [0, 1, 2, 3])
def test_broadcast_in_any_dimension(operator, device, dtype, dim):
    z = torch.randn(2, 3, 17, 20, device=device, dtype=dtype)
    for shape in (
        (2, 1, 1, 20),
        (17, 20),
        (20,),
        (2, 3, 17, 1),
        (1, 3, 1, 1),
        (2, 3, 17, 20),
        (1,),
        (),
    ):
        mask = torch.rand(shape, device=device) < 0.6
        weights = operator.function(with_garbage(z, mask), 4, dim, mask=mask)
        assert_same_bits(weights, filled(operator, z, mask, 4, dim))


def test_any_strides(operator, device, dtype):
    z = torch.randn(12, 33, 10, device=device, dtype=dtype)
    mask = random_mask(12, 33, 10, device=device)
    expected = filled(operator, z, mask, 5, 1)
    given = with_garbage(z, mask)
    for view in (given, given.transpose(0, 2).contiguous().transpose(0, 2)):
        for way in (
            mask,
            mask.transpose(0, 1).contiguous().transpose(0, 1),
            mask.repeat_interleave(2, 2)[..., ::2],
        ):
            assert_same_bits(operator.function(view, 5, 1, mask=way), expected)


def test_rows_left_out_as_a_whole(operator, device, dtype):
    z = torch.full((35, 40), math.nan, device=device, dtype=dtype)
    z[::2] = torch.randn(18, 40, device=device, dtype=dtype)
    mask = (torch.arange(35, device=device) % 2 == 0)[:, None]
    z.requires_grad_()
    weights = operator.function(z, 3, mask=mask)
    assert not weights[1::2].any()
    assert_same_bits(weights[::2], operator.function(z[::2], 3))
    (grad,) = torch.autograd.grad(weights.square().sum(), z)
    assert not grad[1::2].any()
    assert not grad[::2].isnan().any()


def test_row_of_which_some_take_part_is_ordinary_again(operator, device, dtype):
    """What takes part may make a row NaN, as without a mask."""
    z = torch.tensor([[math.nan, 1.0], [-math.inf, 1.0]], device=device, dtype=dtype)
    mask = torch.tensor([[True, False]], device=device)
    assert operator.function(z, mask=mask).isnan().all()


@pytest.mark.parametrize("n", [2, 40, 5000])
def test_a_mask_of_all_changes_nothing(operator, device, dtype, n):
    z = torch.randn(33, n, device=device, dtype=dtype)
    z[3], z[5, 1] = -math.inf, math.nan
    mask = torch.ones(n, device=device, dtype=torch.bool)
    assert_same_bits(operator.function(z, 3, mask=mask), operator.function(z, 3))


def test_compact_agrees_with_dense(operator, device, dtype):
    for length in (2, 40, 3000):
        z = torch.randn(21, length, device=device, dtype=dtype)
        mask = random_mask(21, length, device=device)
        given = with_garbage(z, mask)
        values, indices = operator.compact(given, 4, mask=mask)
        weights = operator.function(given, 4, mask=mask)
        assert (indices[-1] == -1).all()
        assert not values[-1].any()
        assert ((values == 0) == (indices == -1)).all()
        places = indices.clamp_min(0)
        assert_same_bits(torch.where(indices >= 0, weights.gather(1, places), 0), values)
        assert ((weights != 0).sum(1) == (indices >= 0).sum(1)).all()


def test_out(operator, device, dtype):
    z = torch.randn(9, 33, device=device, dtype=dtype)
    mask = random_mask(9, 33, device=device)
    out = torch.empty(9, 33, device=device, dtype=dtype)
    assert operator.out(with_garbage(z, mask), 4, mask=mask, out=out) is out
    assert_same_bits(out, filled(operator, z, mask, 4))


def test_out_over_the_memory_of_the_mask(operator):
    z = torch.randn(4, 33)
    out = torch.zeros(4, 33)
    mask = out.view(torch.bool)[:, :33]
    mask.copy_(random_mask(4, 33))
    expected = filled(operator, z, mask.clone(), 4)
    assert_same_bits(operator.out(z, 4, mask=mask, out=out), expected)


def test_dtype_converts_first(operator):
    z = torch.randint(-3, 3, (5, 20))
    mask = random_mask(5, 20)
    weights = operator.function(z, 3, -1, torch.float32, mask=mask)
    assert_same_bits(weights, filled(operator, z.float(), mask, 3))


@pytest.mark.parametrize("shape", [(3, 64), (3, 6)], ids=["by support", "by output"])
def test_gradients_of_any_order(operator, device, shape):
    k = 4
    spaced = torch.linspace(-1, 1, shape[1], dtype=torch.float64)
    z = torch.stack([spaced[torch.randperm(shape[1])] for _ in range(shape[0])])
    mask = random_mask(*shape)
    z, mask = with_garbage(z, mask).to(device), mask.to(device)

    def function(free):
        """Take the entries that take part from `free`, the others from z, which is no number."""
        return operator.function(torch.where(mask, free, z), k, mask=mask)

    free = torch.where(mask, z, 0).requires_grad_()
    assert gradcheck(function, free, check_forward_ad=True)
    assert gradgradcheck(function, free, check_fwd_over_rev=True)
    z.requires_grad_()
    weights = operator.function(z, k, mask=mask)
    (grad,) = torch.autograd.grad(weights.pow(2).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(grad.pow(2).sum(), z)
    assert not grad[~mask].any()
    assert not second[~mask].any()
    assert grad.isfinite().all()
    assert second.isfinite().all()


def test_gradients_and_tangents_behind_the_mask_are_ignored(operator, dtype):
    z = torch.randn(6, 64, dtype=dtype)
    mask = random_mask(6, 64)
    z = with_garbage(z, mask)
    tangent = torch.where(mask, 1, math.nan).to(dtype)
    with forward_ad.dual_level():
        weights = operator.function(forward_ad.make_dual(z, tangent), 3, mask=mask)
        assert forward_ad.unpack_dual(weights).tangent.isfinite().all()
        values, _ = operator.compact(forward_ad.make_dual(z, tangent), 3, mask=mask)
        assert forward_ad.unpack_dual(values).tangent.isfinite().all()
    z.requires_grad_()
    grad = torch.where(mask, torch.randn(6, 64), math.nan).to(dtype)
    operator.function(z, 3, mask=mask).backward(grad)
    assert z.grad.isfinite().all()
    assert not z.grad[~mask].any()


def test_gradients_of_compact(operator):
    z = away_from_kinks(5, 8, k=3)
    mask = random_mask(5, 8)
    z = with_garbage(z, mask).requires_grad_()
    coefficients = torch.randn(5, 8, dtype=torch.float64)
    values, indices = operator.compact(z, 3, mask=mask)
    chosen = coefficients.gather(1, indices.clamp_min(0))
    (grad,) = torch.autograd.grad((values.square() * chosen).sum(), z)
    weights = operator.function(z, 3, mask=mask)
    (expected,) = torch.autograd.grad((weights.square() * coefficients).sum(), z)
    torch.testing.assert_close(grad, expected)


def test_function_transforms(operator):
    z = away_from_kinks(6, k=3)
    mask = torch.tensor([True, False, True, True, False, True])
    z = with_garbage(z, mask)
    function = lambda z: operator.function(z, 3, mask=mask)
    jacobian = jacrev(function)(z)
    torch.testing.assert_close(jacfwd(function)(z), jacobian)
    assert not jacobian[~mask].any()
    assert not jacobian[:, ~mask].any()
    second = hessian(lambda z: (function(z) * torch.arange(6)).square().sum())(z)
    assert second.isfinite().all()
    assert not second[~mask].any()


@pytest.mark.filterwarnings("error:.*performance drop.*")
@pytest.mark.parametrize("in_dims", [(0, None), (None, 0), (0, 0), (1, 2)])
def test_vmap(operator, in_dims):
    z_dim, mask_dim = in_dims
    z = torch.randn(5, 5, 5) if z_dim is not None else torch.randn(5, 5)
    mask = random_mask(5, 5, 5) if mask_dim is not None else random_mask(5, 5)
    rows = lambda z, mask: operator.function(z, 2, mask=mask)
    compact = lambda z, mask: operator.compact(z, 2, mask=mask)
    samples = [
        (
            z if z_dim is None else z.select(z_dim, i),
            mask if mask_dim is None else mask.select(mask_dim, i),
        )
        for i in range(5)
    ]
    expected = torch.stack([rows(*sample) for sample in samples])
    assert_same_bits(vmap(rows, in_dims)(z, mask), expected)
    for found, wanted in zip(
        vmap(compact, in_dims)(z, mask),
        zip(*[compact(*sample) for sample in samples], strict=True),
        strict=True,
    ):
        assert torch.equal(found, torch.stack(wanted))


@pytest.mark.filterwarnings("error:.*performance drop.*")
def test_vmap_over_samples_of_other_dimensions(operator):
    """A sample of the mask has fewer dimensions than one of z, or z none at all."""
    z, mask = torch.randn(4, 3, 7), torch.rand(4, 7) < 0.5
    rows = lambda z, mask: operator.function(z, 2, mask=mask)
    expected = torch.stack([rows(*sample) for sample in zip(z, mask, strict=True)])
    assert_same_bits(vmap(rows)(z, mask), expected)
    numbers, takes_part = torch.randn(4), torch.tensor([True, False, True, False])
    assert vmap(rows)(numbers, takes_part).tolist() == [1, 0, 1, 0]
    nested = vmap(vmap(rows, (0, None)), (None, 0))(z, mask)
    assert nested.shape == (4, 4, 3, 7)
    assert_same_bits(nested[1, 2], rows(z[2], mask[1]))


def test_vmap_of_gradients(operator):
    z, mask = away_from_kinks(5, 6, k=2), random_mask(5, 6)
    z = with_garbage(z, mask)
    loss = lambda z, mask: (operator.function(z, 2, mask=mask) * torch.arange(6)).square().sum()
    grads = vmap(torch.func.grad(loss))(z, mask)
    for sample, takes_part, grad in zip(z, mask, grads, strict=True):
        torch.testing.assert_close(torch.func.grad(loss)(sample, takes_part), grad)


def test_operators_are_registered_rightly(operator):
    for z in (torch.randn(4, 64), torch.randn(4, 64, requires_grad=True)):
        mask = random_mask(4, 64)
        opcheck(operator.raw, (z, *operator.arguments()), {"mask": mask})
        opcheck(operator.packet.compact, (z, *operator.arguments()), {"mask": mask})
    out = torch.empty(4, 64)
    opcheck(
        operator.packet.out, (torch.randn(4, 64), *operator.arguments()), {"mask": mask, "out": out}
    )
    with_support = torch.ops.zeta._entmax_with_support.default
    opcheck(with_support, (z, operator.alpha, 3, -1), {"mask": mask})


def test_compiled_with_dynamic_sizes(operator):
    check_compiled(operator, "aot_eager")


def test_compiled_by_inductor():
    check_compiled(SPARSE_SOFTMAX, "inductor")


def check_compiled(operator, backend):
    torch._dynamo.reset()

    def model(z, mask):
        return operator.function(z * 2, 3, mask=mask).square(), operator.compact(z, 3, mask=mask)

    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    for shape in ((4, 64), (5, 90), (7, 33)):
        z = torch.randn(shape, requires_grad=True)
        mask = random_mask(*shape)
        weights, (values, indices) = compiled(z, mask)
        expected, (expected_values, expected_indices) = model(z, mask)
        torch.testing.assert_close(weights, expected)
        assert_same_bits(values, expected_values)
        assert torch.equal(indices, expected_indices)
        (grad,) = torch.autograd.grad(weights.sum(), z)
        (expected_grad,) = torch.autograd.grad(expected.sum(), z)
        torch.testing.assert_close(grad, expected_grad)


def test_compiled_out(operator):
    torch._dynamo.reset()

    def model(z, mask):
        out = torch.empty_like(z)
        operator.out(z, 3, mask=mask, out=out)
        return out + 1

    z, mask = torch.randn(4, 20), random_mask(4, 20)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same_bits(compiled(z, mask), model(z, mask))


class Masked(torch.nn.Module):
    def __init__(self, operator):
        super().__init__()
        self.module = operator.module(k=3)

    def forward(self, z, mask):
        return self.module(z, mask)


def test_exported(operator):
    module = Masked(operator)
    batch = torch.export.Dim("batch")
    shapes = ({0: batch}, {0: batch})
    arguments = (torch.randn(4, 20), random_mask(4, 20))
    program = torch.export.export(module, arguments, dynamic_shapes=shapes)
    z, mask = torch.randn(9, 20), random_mask(9, 20)
    assert_same_bits(program.module()(z, mask), filled(operator, z, mask, 3))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_torchscript(operator):
    z, mask = torch.randn(4, 20), random_mask(4, 20)
    traced = torch.jit.trace(Masked(operator), (z, mask))
    z, mask = torch.randn(4, 20), random_mask(4, 20)
    assert_same_bits(traced(z, mask), filled(operator, z, mask, 3))


def test_modules(operator):
    z, mask = torch.randn(4, 20), random_mask(4, 20)
    module = operator.module(k=3)
    assert_same_bits(module(z, mask), filled(operator, z, mask, 3))
    assert_same_bits(module(z, mask=mask), filled(operator, z, mask, 3))


def test_autocast_leaves_the_mask(operator, device):
    z = torch.randn(4, 20, device=device, dtype=torch.bfloat16)
    mask = random_mask(4, 20, device=device)
    with torch.autocast(device, torch.bfloat16):
        weights = operator.function(z, 3, mask=mask)
    expected = torch.float32 if device == "cuda" else torch.bfloat16
    assert weights.dtype == expected


def test_an_alpha_for_each_row(device):
    z = torch.randn(6, 40, device=device, dtype=torch.float64)
    mask = random_mask(6, 40, device=device)
    numbers = [1.0, 1.01, 1.25, 1.5, 2.0, 1.5]
    alpha = torch.tensor(numbers, device=device, dtype=torch.float64)[:, None]
    given = with_garbage(z, mask)
    weights = zeta.ops.entmax(given, alpha, 5, mask=mask)
    for row, number in enumerate(numbers):
        expected = zeta.ops.entmax(given[row], number, 5, mask=mask[row])
        assert_same_bits(weights[row], expected)


def test_gradient_of_alphas():
    spaced = torch.linspace(-1, 1, 8, dtype=torch.float64)
    z = torch.stack([spaced[torch.randperm(8)] for _ in range(5)])
    mask = random_mask(5, 8)
    alpha = torch.tensor([[1.25], [1.5], [1.3], [1.7], [1.5]], dtype=torch.float64)

    def function(free, alpha):
        return zeta.ops.entmax(torch.where(mask, free, math.nan), alpha, 3, mask=mask)

    free = torch.where(mask, z, 0).requires_grad_()
    alpha.requires_grad_()
    assert gradcheck(function, (free, alpha), check_forward_ad=True)
    assert gradgradcheck(function, (free, alpha))
    (grad,) = torch.autograd.grad(function(free, alpha).square().sum(), alpha)
    assert grad[-1] == 0


WRONG = [
    (
        torch.ones(3, 4),
        "have dtype Bool, True where an entry takes part, but got Float; add a mask",
    ),
    (torch.ones(3, 4, dtype=torch.long), "have dtype Bool, True where .*, but got Long$"),
    (
        torch.ones(3, 5, dtype=torch.bool),
        r"be broadcast to z of size \[3, 4\], but got size \[3, 5\]",
    ),
    (
        torch.ones(2, 3, 4, dtype=torch.bool),
        r"be broadcast to z of size \[3, 4\], but got size \[2, 3, 4\]",
    ),
    (torch.ones(3, 4, dtype=torch.bool, device="meta"), "be on device cpu, but got meta"),
]


@pytest.mark.parametrize(("mask", "message"), WRONG)
def test_wrong_masks(operator, mask, message):
    z = torch.randn(3, 4)
    pattern = f"{operator.name}: expected mask to {message}"
    out = torch.full((3, 4), 7.0)
    for call in (
        lambda: operator.function(z, 3, mask=mask),
        lambda: operator.function(z.clone().requires_grad_(), 3, mask=mask),
        lambda: operator.compact(z, 3, mask=mask),
        lambda: operator.out(z, 3, mask=mask, out=out),
    ):
        with pytest.raises(RuntimeError, match=pattern):
            call()
    assert (out == 7).all()
    if mask.device.type == "cpu":
        with pytest.raises(RuntimeError, match=pattern):
            operator.function(z.to("meta"), 3, mask=mask.to("meta"))


def test_wrong_mask_of_alphas():
    message = re.escape("entmax: expected mask to have dtype Bool")
    with pytest.raises(RuntimeError, match=message):
        zeta.ops.entmax(torch.randn(3, 4), torch.tensor(1.5), mask=torch.ones(3, 4))


def test_empty_and_without_dimensions(operator):
    empty = torch.empty(0, 4)
    assert operator.function(empty, mask=torch.ones(0, 4, dtype=torch.bool)).shape == (0, 4)
    assert (
        operator.function(torch.empty(3, 0), mask=torch.ones(3, 0, dtype=torch.bool)).numel() == 0
    )
    number = torch.tensor(math.nan)
    assert operator.function(number, mask=torch.tensor(False)) == 0
    values, index = operator.compact(number, mask=torch.tensor(False))
    assert (values, index) == (0, -1)
    assert operator.function(torch.tensor(2.0), mask=torch.tensor(True)) == 1
