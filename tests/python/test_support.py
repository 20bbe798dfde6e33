"""The backward that reads the support: the same bits as the one that reads the output."""

import math
import re

import pytest
import reference
import torch
from bits import assert_same_bits
from operator_table import SPARSE_SOFTMAX
from torch import Tensor
from torch._functorch.aot_autograd import aot_module_simplified
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.func import vmap
from torch.library import opcheck
from torch.utils._python_dispatch import TorchDispatchMode

forward = torch.ops.zeta.sparse_softmax.default
backward = SPARSE_SOFTMAX.backward
with_support = SPARSE_SOFTMAX.with_support
support_backward = SPARSE_SOFTMAX.support_backward


def saved_tensors(function) -> tuple[Tensor, list[Tensor]]:
    saved: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        result = function()
    return result, saved


def odd_rows(rows: int, length: int, dtype: torch.dtype) -> Tensor:
    """With a NaN row, a row of -inf, a masked row, ties, and weights that float16 rounds to 0."""
    z = torch.randn(rows, length, dtype=torch.float64)
    z[1 % rows, length // 2] = math.nan
    z[2 % rows] = -math.inf
    z[3 % rows, ::2] = -math.inf
    z[4 % rows] = 0.25
    z[5 % rows, 0] = z[5 % rows].max() + 1 - 2.0**-26
    return z.to(dtype)


LAYOUTS = {
    "contiguous": lambda z: z,
    "transposed": lambda z: z.transpose(0, 2).contiguous().transpose(0, 2),
    "transposed inside": lambda z: z.mT.contiguous().mT,
    "sliced": lambda z: z.repeat_interleave(2, 1).repeat_interleave(3, 2)[:, ::2, 1::3],
    "offset": lambda z: torch.cat([z.new_zeros(3), z.flatten()])[3:].view_as(z),
    "expanded": lambda z: z[:, :1].expand_as(z),
    "expanded along rows": lambda z: z[..., :1].expand_as(z),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dim", [-3, -2, -1, 0, 1, 2])
def test_layouts_and_dims(dtype, layout, dim):
    z = LAYOUTS[layout](torch.randn(33, 67, 35, dtype=dtype))
    output, support = with_support(z, 4, dim)
    assert_same_bits(output, forward(z, 4, dim))
    assert output.stride() == torch.empty_like(z).stride()
    assert torch.equal(support, reference.support(output, 4, dim))
    assert support.stride(dim) == 1 and support.movedim(dim, -1).is_contiguous()
    for other in LAYOUTS.values():
        grad = other(torch.randn(33, 67, 35, dtype=dtype))
        result = support_backward(grad, support, dim, dtype)
        assert_same_bits(result, backward(grad, output, dim, dtype))


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 63, 64, 65, 127, 129, 513, 1025, 5000, 70000])
def test_odd_rows(dtype, length):
    rows = 70 if length <= 513 else 9
    z = odd_rows(rows, length, dtype)
    grad = torch.randn_like(z)
    grad[3, length // 3] = math.inf
    for k in (1, 3, 40, length, length + 1):
        output, support = with_support(z, k, -1)
        assert_same_bits(output, forward(z, k))
        assert torch.equal(support, reference.support(output, k, -1))
        result = support_backward(grad, support, -1, dtype)
        assert_same_bits(result, backward(grad, output, -1, dtype))
        by_columns = with_support(z.mT, k, 0)
        assert torch.equal(by_columns[1].mT, support)
        result = support_backward(grad.mT, by_columns[1], 0, dtype)
        assert_same_bits(result.mT, backward(grad, output, -1, dtype))


def test_weights_that_round_to_zero_are_not_in_the_support():
    z = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64).repeat(1, 20)
    z[0, 1] = 2.0**-30  # its weight is below the smallest float16
    output, support = with_support(z, 2, -1, dtype=torch.float16)
    assert support[0].tolist() == [2, 0, 2]
    z = torch.full((1, 40), -5.0, dtype=torch.float64)
    z[0, 7], z[0, 9] = 1.0, 2.0**-30
    output, support = with_support(z, 2, -1, dtype=torch.float16)
    assert output.nonzero().tolist() == [[0, 7]] and support.tolist() == [[1, 7, -1]]


def test_row_without_support(dtype):
    support = torch.tensor([[0, -1, -1], [1, 4, -1]], dtype=torch.int32)
    grad = torch.randn(2, 40, dtype=dtype)
    assert (support_backward(grad, support, -1, dtype) == 0).all()


@pytest.mark.parametrize("result_bytes", [1, 2**26])
def test_streamed_results(dtype, result_bytes):
    """Results are written around the caches from some size on, at any alignment of the rows."""
    for length in (33, 1000, 4096):
        rows = max(3, result_bytes // length // dtype.itemsize)
        z = torch.randn(rows, length, dtype=dtype)
        grad = torch.randn_like(z)
        output, support = with_support(z, 2, -1)
        expected = backward(grad, output, -1, dtype)
        assert torch.equal(support_backward(grad, support, -1, dtype), expected)
        assert torch.equal(support_backward(grad.mT, support.mT, 0, dtype), expected.mT)


def test_empty_rows(dtype):
    for shape in [(0, 40), (40, 0), (2, 0, 3)]:
        for dim in range(len(shape)):
            z = torch.empty(shape, dtype=dtype)
            output, support = with_support(z, 3, dim)
            assert output.shape == z.shape and support.shape[dim] == 1 + min(3, z.shape[dim])
            assert (support == 0).all()
            assert support_backward(output, support, dim, dtype).shape == z.shape


BAD_SUPPORTS = {
    "columns beyond the row": [3, 1, 40, 2**31 - 1],
    "negative columns": [3, -1, -(2**31), 5],
    "columns out of order": [3, 9, 4, 8],
    "columns twice": [3, 4, 4, 4],
    "a count beyond the capacity": [2**31 - 1, 1, 2, 3],
    "a negative count": [-(2**31), 1, 2, 3],
}


@pytest.mark.parametrize("name", BAD_SUPPORTS)
@pytest.mark.parametrize("shape", [(2, 40), (300, 40), (3, 5000), (8000, 1100)])
def test_bad_supports_do_no_harm(dtype, name, shape):
    """Entries that are not columns in increasing order count for nothing."""
    saved = BAD_SUPPORTS[name]
    support = torch.tensor(saved, dtype=torch.int32).repeat(shape[0], 1)
    kept: list[int] = []
    for column in saved[1 : 1 + min(saved[0], 3)] if saved[0] >= 0 else []:
        if 0 <= column < shape[1] and column > max(kept, default=-1):
            kept.append(column)
    weights = torch.zeros(shape, dtype=dtype)
    weights[:, kept] = 1
    if saved[0] < 0:
        weights.fill_(math.nan)
    grad = torch.randn(shape, dtype=dtype)
    expected = backward(grad, weights, -1, dtype)
    assert_same_bits(support_backward(grad, support, -1, dtype), expected)
    assert_same_bits(support_backward(grad.mT, support.mT, 0, dtype).mT, expected)


def test_a_support_of_any_strides(dtype):
    z = torch.randn(5, 6, 40, dtype=dtype)
    grad = torch.randn_like(z)
    _, support = with_support(z, 2, -1)
    expected = support_backward(grad, support, -1, dtype)
    for other in (support.mT.contiguous().mT, support.repeat_interleave(2, 2)[..., ::2]):
        assert torch.equal(support_backward(grad, other, -1, dtype), expected)
    same = support[:1, :1].expand(5, 6, -1)
    alone = support[:1, :1].repeat(5, 6, 1)
    result = support_backward(grad, same, -1, dtype)
    assert torch.equal(result, support_backward(grad, alone, -1, dtype))


# Autograd chooses by the sizes.


@pytest.mark.parametrize(("length", "k", "dim"), [(64, 3, -1), (1000, 30, -1), (256, 4, 0)])
def test_node_keeps_the_support_alone(dtype, length, k, dim):
    z = torch.randn(7, length, dtype=dtype).movedim(-1, dim).requires_grad_()
    weights, saved = saved_tensors(lambda: forward(z, k, dim))
    assert sum(tensor.nbytes for tensor in saved) <= 7 * (8 * k + 4)
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in saved)
    assert all(tensor.data_ptr() != weights.data_ptr() for tensor in saved)


@pytest.mark.parametrize(("length", "k"), [(64, 64), (64, 65), (1000, 500), (1, 1)])
def test_node_keeps_the_output_where_supports_are_large(length, k):
    z = torch.randn(7, length, requires_grad=True)
    weights, [saved] = saved_tensors(lambda: forward(z, k))
    assert saved.data_ptr() == weights.data_ptr()


@pytest.mark.parametrize("dim", [0, -1])
@pytest.mark.parametrize("target", [None, torch.float32, torch.float64, torch.float16])
def test_gradients_are_those_of_the_output(dtype, dim, target):
    z = odd_rows(64, 64, dtype).requires_grad_()
    for grad in (torch.randn(64, 64), torch.randn(64, 1).expand(64, 64), torch.randn(64, 64).mT):
        weights, [saved] = saved_tensors(lambda: forward(z, 3, dim, dtype=target))
        assert saved.dtype == torch.int32
        grad = grad.to(weights.dtype)
        [result] = torch.autograd.grad(weights, z, grad)
        assert_same_bits(result, backward(grad, weights.detach(), dim, dtype))


def spaced(*shape: int, dim: int) -> Tensor:
    """Rows whose support does not change when their entries move a little."""
    order = torch.rand(shape, dtype=torch.float64).argsort(dim)
    return -0.15 * order.double()


CASES = [((48,), 3, 0), ((2, 33), 2, -1), ((34, 2), 2, 0), ((2, 32, 2), 2, 1)]


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradcheck(shape, k, dim):
    z = spaced(*shape, dim=dim).requires_grad_()
    _, [saved] = saved_tensors(lambda: forward(z, k, dim))
    assert saved.dtype == torch.int32
    for function in (forward, lambda *arguments: with_support(*arguments)[0]):
        assert gradcheck(
            lambda z, function=function: function(z, k, dim),
            z,
            check_forward_ad=True,
            check_batched_grad=True,
            check_batched_forward_grad=True,
            check_undefined_grad=True,
            check_grad_dtypes=True,
        )


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradgradcheck(shape, k, dim):
    z = spaced(*shape, dim=dim).requires_grad_()
    assert gradgradcheck(
        lambda z: forward(z, k, dim),
        z,
        gen_non_contig_grad_outputs=True,
        check_batched_grad=True,
        check_fwd_over_rev=True,
        check_rev_over_rev=True,
    )


@pytest.mark.parametrize(("shape", "k", "dim"), CASES)
def test_gradcheck_of_backward(shape, k, dim):
    output, support = with_support(spaced(*shape, dim=dim), k, dim)
    grad = torch.randn_like(output).requires_grad_()
    assert gradcheck(
        lambda grad: support_backward(grad, support, dim, torch.float64),
        grad,
        check_forward_ad=True,
        check_batched_grad=True,
        check_batched_forward_grad=True,
    )


def test_double_backward_is_that_of_the_output(dtype):
    z = odd_rows(12, 64, dtype).requires_grad_()
    grad = torch.randn(12, 64, dtype=dtype, requires_grad=True)
    direction = torch.randn(12, 64, dtype=dtype)
    weights = forward(z, 3)
    [first] = torch.autograd.grad(weights, z, grad, create_graph=True)
    [second] = torch.autograd.grad(first, grad, direction, create_graph=True)
    assert_same_bits(second.detach(), backward(direction, weights.detach(), -1, dtype))
    assert second.requires_grad is False or torch.autograd.grad(
        second.sum(), z, allow_unused=True
    ) == (None,)


def test_tangent_of_backward_in_nan_rows(dtype):
    output, support = with_support(odd_rows(8, 64, dtype), 3, -1)
    grad, tangent = torch.randn(2, 8, 64, dtype=dtype)
    with forward_ad.dual_level():
        dual = support_backward(forward_ad.make_dual(grad, tangent), support, -1, dtype)
        primal, result = forward_ad.unpack_dual(dual)
    assert_same_bits(primal, backward(grad, output, -1, dtype))
    expected = backward(tangent, output, -1, dtype)
    torch.testing.assert_close(result, expected, equal_nan=True)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
def test_opcheck(dtype, dim, requires_grad):
    z = torch.randn(40, 48, dtype=dtype, requires_grad=requires_grad)
    operator = torch.ops.zeta._entmax_with_support.default
    opcheck(operator, (z, 2.0, 2, dim))
    opcheck(operator, (z, 2.0, 2, dim), {"dtype": torch.float64})
    output, support = with_support(z.detach(), 2, dim)
    grad = torch.randn_like(output).requires_grad_(requires_grad)
    operator = torch.ops.zeta._entmax_support_backward.default
    opcheck(operator, (grad, support, None, 2.0, dim, torch.float32))
    opcheck(operator, (grad, support, output, 1.5, dim, torch.float32))


@pytest.mark.parametrize("in_dim", [0, 1, 2])
def test_vmap(dtype, in_dim):
    z, grad = torch.randn(2, 4, 40, 6, dtype=dtype)
    output, support = vmap(lambda z: with_support(z, 2, 0), in_dim)(z)
    for sample, samples_output, samples_support in zip(
        z.unbind(in_dim), output, support, strict=True
    ):
        expected = with_support(sample, 2, 0)
        assert torch.equal(samples_output, expected[0])
        assert torch.equal(samples_support, expected[1])
    grads = grad.movedim(in_dim, 0)
    result = vmap(lambda g, s: support_backward(g, s, 0, dtype))(grads, support)
    assert torch.equal(result, backward(grads, output, 1, dtype))
    shared = vmap(lambda g: support_backward(g, support[0], 0, dtype))(grads)
    assert torch.equal(shared, backward(grads, output[:1].expand_as(grads), 1, dtype))


def test_batched_gradients(dtype):
    z = torch.randn(6, 64, dtype=dtype, requires_grad=True)
    weights = forward(z, 3)
    grads = torch.randn(5, 6, 64, dtype=dtype)
    [result] = torch.autograd.grad(weights, z, grads, is_grads_batched=True, retain_graph=True)
    expected = [torch.autograd.grad(weights, z, grad, retain_graph=True)[0] for grad in grads]
    assert torch.equal(result, torch.stack(expected))


def test_compiled_autograd_reads_the_support():
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    for rows in (5, 7):
        z = torch.randn(rows, 64, requires_grad=True)
        grad = torch.randn(rows, 64)
        [expected] = torch.autograd.grad(forward(z, 3), z, grad)
        weights, [saved] = saved_tensors(lambda z=z: forward(z, 3))
        assert saved.dtype == torch.int32
        compiler = torch.compile(backend=counter, fullgraph=True, dynamic=True)
        with torch._dynamo.compiled_autograd._enable(compiler):
            [result] = torch.autograd.grad(weights, z, grad)
        assert torch.equal(result, expected)
    assert counter.frame_count == 1


@pytest.mark.parametrize(
    ("k", "expected"),
    [
        (
            3,
            {
                torch.ops.zeta._entmax_with_support.default,
                torch.ops.zeta._entmax_support_backward.default,
            },
        ),
        (5, {forward, torch.ops.zeta._entmax_backward.default}),
    ],
)
def test_graphs_and_modes_save_what_calls_save(k, expected):
    class Record(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            called.add(function)
            return function(*args, **(kwargs or {}))

    def backend(graph, inputs):
        def keep(graph, inputs):
            called.update(node.target for node in graph.graph.nodes)
            return graph.forward

        return aot_module_simplified(graph, inputs, fw_compiler=keep, bw_compiler=keep)

    operators = {
        forward,
        torch.ops.zeta._entmax_backward.default,
        torch.ops.zeta._entmax_with_support.default,
        torch.ops.zeta._entmax_support_backward.default,
    }
    z = torch.randn(4, 64, requires_grad=True)
    called: set[object] = set()
    with Record():
        forward(z, k).sum().backward()
    assert called & operators == expected
    called = set()
    torch.compile(lambda z: forward(z, k), backend=backend)(z).sum().backward()
    assert called & operators == expected


# Errors.


def test_errors_name_the_public_operator():
    z = torch.randn(4, 64, requires_grad=True)
    with pytest.raises(RuntimeError, match="^sparse_softmax: expected k"):
        forward(z, 0)
    for dtype in (torch.int32, torch.complex64, torch.float8_e5m2):
        with pytest.raises(RuntimeError, match="^sparse_softmax: expected dtype"):
            forward(z, 3, dtype=dtype)
    with pytest.raises(IndexError, match="^sparse_softmax: Dimension"):
        forward(z, 3, 2)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_errors_of_with_support(device):
    z = torch.empty(2, 3, device=device)
    with pytest.raises(RuntimeError, match="^_entmax_with_support: expected k"):
        with_support(z, 0, -1)
    with pytest.raises(RuntimeError, match="expected z to have a dimension"):
        with_support(torch.empty((), device=device), 1, -1)


def test_rows_beyond_int32():
    z = torch.empty(1, device="meta").expand(2**31)
    with pytest.raises(RuntimeError, match="expected rows of at most 2147483647 entries"):
        with_support(z, 1, -1)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_errors_of_support_backward(device):
    def empty(*shape, dtype):
        return torch.empty(*shape, dtype=dtype, device=device)

    grad = empty(4, 40, dtype=torch.float32)
    shape = "expected support to have the shape of grad_output, [4, 40], but for 1 or more along "
    for support, message in [
        (empty(4, 3, dtype=torch.int64), "expected support to have dtype Int, but got Long"),
        (empty(5, 3, dtype=torch.int32), shape + "dim 1, but got [5, 3]"),
        (empty(4, 0, dtype=torch.int32), shape + "dim 1, but got [4, 0]"),
        (empty(4, dtype=torch.int32), shape + "dim 1, but got [4]"),
    ]:
        with pytest.raises(RuntimeError, match=re.escape(message)):
            support_backward(grad, support, -1, torch.float32)
    support = empty(4, 3, dtype=torch.int32)
    with pytest.raises(RuntimeError, match="expected grad_output to have dtype .*but got Int"):
        support_backward(grad.int(), support, -1, torch.float32)
    with pytest.raises(RuntimeError, match="expected input_dtype to be .*but got Int"):
        support_backward(grad, support, -1, torch.int32)
    with pytest.raises(IndexError, match="Dimension out of range"):
        support_backward(grad, support, 2, torch.float32)
    varying = torch.ops.zeta._entmax_support_backward
    with pytest.raises(RuntimeError, match="expected output to be given for alpha 1.5.* got None"):
        varying(grad, support, None, 1.5, -1, torch.float32)
    with pytest.raises(RuntimeError, match="expected grad_output to have the shape of output"):
        varying(grad, support, empty(4, 9, dtype=torch.float32), 1.5, -1, torch.float32)


# Where slopes vary, the backward reads the weights at the support, too. Of these there are no
# kernels on GPUs.


@pytest.mark.parametrize("layout", ["contiguous", "transposed"])
def test_members_have_the_bits_of_the_backward_from_weights(operator, dtype, layout):
    for rows, length, k in ((5, 40, 2), (40, 1000, 30), (3, 30000, 1000)):
        z, grad = torch.randn(2, rows, length, dtype=torch.float64).to(dtype)
        dim = 1
        if layout == "transposed":
            z, grad, dim = z.mT.contiguous(), grad.mT.contiguous(), 0
        output, support = operator.with_support(z, k, dim)
        assert_same_bits(output, operator.function(z, k, dim))
        assert torch.equal(support, reference.support(output, k, dim))
        expected = operator.backward(grad, output, dim, dtype)
        result = operator.support_backward(grad, support, dim, dtype, output)
        assert_same_bits(result, expected)
        leaf = z.clone().requires_grad_()
        operator.function(leaf, k, dim).backward(grad)
        assert_same_bits(leaf.grad, expected)


def test_derivatives_of_members(operator):
    spaced = torch.linspace(-1, 1, 40, dtype=torch.float64)
    z = torch.stack([spaced[torch.randperm(40)] for _ in range(2)]).requires_grad_()

    def function(z):
        return operator.function(z, 2)

    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        function(z)
    assert [tensor.dtype for tensor in saved] == [torch.int32, torch.float64][: len(saved)]
    assert len(saved) == (1 if operator.alpha == 2 else 2)
    assert gradcheck(function, z, check_forward_ad=True, check_batched_grad=True)
    assert gradgradcheck(
        function, z, check_batched_grad=True, check_fwd_over_rev=True, check_rev_over_rev=True
    )


def test_vmap_of_members(operator):
    z, grad = torch.randn(2, 4, 40, 6)
    output, support = vmap(lambda z: operator.with_support(z, 2, 0))(z)
    results = vmap(lambda *tensors: _support_gradient(operator, *tensors))(grad, support, output)
    for i in range(4):
        assert torch.equal(results[i], operator.backward(grad[i], output[i], 0, torch.float32))
    alone = vmap(lambda g: _support_gradient(operator, g, support[0], output[0]))(grad)
    assert torch.equal(alone[1], operator.backward(grad[1], output[0], 0, torch.float32))


def _support_gradient(operator, grad, support, output):
    return operator.support_backward(grad, support, 0, torch.float32, output)
