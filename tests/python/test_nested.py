"""Nested tensors have the bits of their components, one by one."""

import pytest
import torch
from bits import assert_same_bits
from torch.masked import masked_tensor
from torch.nested import nested_tensor, nested_tensor_from_jagged

LENGTHS = (3, 1, 0, 5)


def components(dtype):
    return [torch.randn(length, 48, 2, dtype=dtype) for length in LENGTHS]


def jagged(parts, **kwargs):
    return nested_tensor(parts, layout=torch.jagged, **kwargs)


@pytest.fixture(params=[2, 30])  # of which the backward reads the support, and the output
def k(request):
    return request.param


def expected(operator, parts, directions, k, dim):
    """Weights and gradients of each component."""
    for part, direction in zip(parts, directions, strict=True):
        leaf = part.clone().requires_grad_()
        weights = operator.function(leaf, k, dim - 1 if dim > 0 else dim)
        yield weights.detach(), torch.autograd.grad(weights, leaf, direction)[0]


@pytest.mark.parametrize("dim", [1, 2, 3, -1, -2])
def test_jagged(operator, dtype, k, dim):
    parts, directions = components(dtype), components(dtype)
    z = jagged(parts, requires_grad=True)
    weights = operator.function(z, k, dim)
    direction = nested_tensor_from_jagged(torch.cat(directions), z.offsets())
    [grad] = torch.autograd.grad(weights, z, direction)
    assert weights.layout is grad.layout is torch.jagged
    results = zip(weights.unbind(), grad.unbind(), strict=True)
    for result, of_part in zip(results, expected(operator, parts, directions, k, dim), strict=True):
        for actual, alone in zip(result, of_part, strict=True):
            assert_same_bits(actual, alone)


def test_jagged_in_a_later_dim(operator, k):
    z = jagged(components(torch.float32))
    weights = operator.function(z.transpose(1, 2), k, 1)
    assert torch.equal(weights.transpose(1, 2).values(), operator.function(z, k, 2).values())


@pytest.mark.parametrize("dim", [1, 2])
def test_compiled(operator, k, dim):
    z = jagged(components(torch.float32), requires_grad=True)
    compiled = torch.compile(operator.function, backend="aot_eager", fullgraph=True)
    results = []
    for function in (operator.function, compiled):
        weights = function(z, k, dim)
        direction = torch.linspace(-1, 1, weights.values().numel()).view_as(weights.values())
        [grad] = torch.autograd.grad((weights.values() * direction).sum(), z)
        results.append((weights.values(), grad.values()))
    for eager, of_graph in zip(*results, strict=True):
        assert torch.equal(eager, of_graph)


@pytest.mark.parametrize("dim", [1, 2, -1])
def test_masks(operator, k, dim):
    parts = components(torch.float32)
    masks = [torch.rand(part.shape) < 0.5 for part in parts]
    z = jagged(parts, requires_grad=True)
    mask = nested_tensor_from_jagged(torch.cat(masks), z.offsets())
    weights = operator.function(z, k, dim, mask=mask)
    [grad] = torch.autograd.grad(weights.values().square().sum(), z)
    for part, takes_part, of_part, of_grad in zip(
        parts, masks, weights.unbind(), grad.unbind(), strict=True
    ):
        leaf = part.clone().requires_grad_()
        alone = operator.function(leaf, k, dim - 1 if dim > 0 else dim, mask=takes_part)
        assert_same_bits(of_part, alone.detach())
        assert_same_bits(of_grad, torch.autograd.grad(alone.square().sum(), leaf)[0])


def test_masks_of_other_components_are_refused(operator):
    z = jagged(components(torch.float32))
    other = jagged([torch.ones(2, 48, 2, dtype=torch.bool) for _ in LENGTHS])
    for mask in (torch.ones(48, 2, dtype=torch.bool), other):
        with pytest.raises(RuntimeError, match=f"^{operator.name}: expected the mask of a nested"):
            operator.function(z, 3, mask=mask)


@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_has_no_rows_is_refused(operator, requires_grad):
    z = jagged(components(torch.float32), requires_grad=requires_grad)
    with pytest.raises(RuntimeError, match=f"^{operator.name}: .* dim 0 is the batch dim"):
        operator.function(z, 3, 0)
    with pytest.raises(IndexError, match=f"^{operator.name}: Dimension out of range"):
        operator.function(z, 3, 4)
    with pytest.raises(RuntimeError, match="ragged in dim 2"):
        operator.function(z.transpose(1, 2), 3, 2)
    strided = nested_tensor(components(torch.float32), requires_grad=requires_grad)
    with pytest.raises(NotImplementedError, match=f"^{operator.name}: .* to have layout torch.jag"):
        operator.function(strided, 3)
    masked = masked_tensor(torch.randn(2, 3), torch.ones(2, 3).bool(), requires_grad=requires_grad)
    with pytest.raises(TypeError, match=f"^{operator.name}: .* but got a MaskedTensor; pass z.get"):
        operator.function(masked, 3)
