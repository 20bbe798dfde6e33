"""What each rank does in the tests of sharded tensors. Every rank has the whole tensors, too, and
compares its part with what one rank computes from them."""

import functools
import math

import torch
import torch.distributed
from bits import assert_same_bits
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.utils._python_dispatch import TorchDispatchMode

import zeta
import zeta.distributed

MESHES = {
    "rows split": lambda size, dim: ((size,), [Shard(dim)]),
    "whole rows": lambda size, dim: ((size,), [Shard(1 - dim)]),
    "replicated": lambda size, dim: ((size,), [Replicate()]),
    "both": lambda size, dim: ((2, size // 2), [Shard(1 - dim), Shard(dim)]),
    "rows split twice": lambda size, dim: ((2, size // 2), [Shard(dim), Shard(dim)]),
    "rows split, replicated": lambda size, dim: ((size // 2, 2), [Shard(dim), Replicate()]),
}


class Sent(TorchDispatchMode):
    """Counts what is given to collectives."""

    def __init__(self):
        super().__init__()
        self.bytes = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if any(issubclass(kind, DTensor) for kind in types):
            return NotImplemented  # until DTensor has taken the call apart
        if any(argument.name == "group_name" for argument in function._schema.arguments):
            self.bytes.append(args[0].nbytes)
        return function(*args, **(kwargs or {}))


@functools.cache
def mesh_of_shape(*shape):
    """One mesh of each shape: torch.compile fails on the second one that is like another."""
    return init_device_mesh("cpu", shape)


def mesh_of(name, dim):
    shape, placements = MESHES[name](torch.distributed.get_world_size(), dim)
    return mesh_of_shape(*shape), placements


def distribute(tensor, mesh, placements):
    return distribute_tensor(tensor, mesh, placements, src_data_rank=None)


def assert_same_sharded(actual, expected):
    """Compares this rank's part, and all parts together."""
    assert actual.placements == expected.placements, (actual.placements, expected.placements)
    assert_same_bits(actual.to_local(), expected.to_local())
    assert_same_bits(actual.full_tensor(), expected.full_tensor())


def logits(shape, dim, dtype, kind):
    torch.manual_seed(0)
    z = torch.randn(shape, dtype=torch.float64) * {"wide": 1, "narrow": 0.01}.get(kind, 0.3)
    z = z.movedim(dim, -1)
    if kind == "ties":
        z = (z * 4).round() / 4
    if kind == "odd":
        z[0, -1] = math.nan
        z[1, 0] = -math.nan
        z[2, z.shape[1] // 2] = math.inf
        z[3] = -math.inf
        z[4, 3:] = -math.inf
        z[5, ::2] = torch.finfo(torch.float32).min
    return z.movedim(-1, dim).to(dtype)


def no_dimension():
    mesh, placements = mesh_of("replicated", 0)
    z = distribute(torch.tensor(2.0, requires_grad=True), mesh, placements)
    functions = [torch.ops.zeta.sparse_softmax]
    functions += [getattr(zeta.distributed, name) for name in zeta.distributed.__all__]
    for function in functions:
        weights = function(z)
        assert weights.full_tensor().item() == 1
        [grad] = torch.autograd.grad(weights, z, torch.ones_like(weights))
        assert grad.full_tensor().item() == 0


# Those of the whole rows, and those of rows that may be split.
FUNCTIONS = {
    "sparse_softmax": (zeta.ops.sparse_softmax, zeta.distributed.sparse_softmax),
    "topk_softmax": (zeta.ops.topk_softmax, zeta.distributed.topk_softmax),
    "entmax": (
        lambda z, *args, **options: zeta.ops.entmax(z, 1.5, *args, **options),
        lambda z, *args, **options: zeta.distributed.entmax(z, 1.5, *args, **options),
    ),
}


def mapping(name, mesh_name, shape, dim, k, dtype, kind):
    on_one_rank, on_all = FUNCTIONS[name]
    mesh, placements = mesh_of(mesh_name, dim)
    whole = logits(shape, dim, dtype, kind).requires_grad_()
    weights = on_one_rank(whole, k, dim)
    grad = torch.randn_like(weights)
    [whole_grad] = torch.autograd.grad(weights, whole, grad)

    z = distribute(whole.detach(), mesh, placements).requires_grad_()
    result = on_all(z, k, dim)
    assert_same_sharded(result.detach(), distribute(weights.detach(), mesh, placements))
    [result_grad] = torch.autograd.grad(result, z, distribute(grad, mesh, placements))
    assert_same_sharded(result_grad, distribute(whole_grad, mesh, placements))


def sent(mesh_name, shape, dim, k, dtype):
    """The bytes of each collective of the forward, and of the backward."""
    mesh, placements = mesh_of(mesh_name, dim)
    z = distribute(logits(shape, dim, dtype, "wide"), mesh, placements).requires_grad_()
    with Sent() as forward:
        weights = zeta.distributed.sparse_softmax(z, k, dim)
    grad = distribute(torch.ones(shape, dtype=dtype), mesh, placements)
    with Sent() as backward:
        torch.autograd.grad(weights, z, grad)
    return forward.bytes, backward.bytes


def sent_by_operator(shape, dim, shard):
    """Of torch.ops.zeta.sparse_softmax, and whether its result and gradient are right."""
    mesh = mesh_of_shape(torch.distributed.get_world_size())
    whole = logits(shape, dim, torch.float32, "wide").requires_grad_()
    weights = torch.ops.zeta.sparse_softmax(whole, 3, dim)
    [whole_grad] = torch.autograd.grad(weights.square().sum(), whole)
    z = distribute(whole.detach(), mesh, [Shard(shard)]).requires_grad_()
    with Sent() as all_sent:
        result = torch.ops.zeta.sparse_softmax(z, 3, dim)
        [result_grad] = torch.autograd.grad(result, z, 2 * result.detach())
    assert torch.equal(result.full_tensor(), weights)
    assert torch.equal(result_grad.full_tensor(), whole_grad)
    return all_sent.bytes, result.placements


def second_derivative(shape, dim, k):
    mesh, placements = mesh_of("rows split", dim)
    whole = logits(shape, dim, torch.float64, "wide").requires_grad_()
    grad = torch.randn(shape, dtype=torch.float64).requires_grad_()
    direction = torch.randn(shape, dtype=torch.float64)

    def derivative(function, z, grad, direction):
        [first] = torch.autograd.grad(function(z, k, dim), z, grad, create_graph=True)
        return torch.autograd.grad(first, grad, direction)[0]

    expected = derivative(zeta.ops.sparse_softmax, whole, grad, direction)
    parts = [distribute(x.detach(), mesh, placements) for x in (whole, grad, direction)]
    result = derivative(
        zeta.distributed.sparse_softmax, *(x.requires_grad_() for x in parts[:2]), parts[2]
    )
    assert_same_sharded(result, distribute(expected, mesh, placements))


def second_derivative_where_slopes_vary(alpha):
    mesh, placements = mesh_of("rows split", 1)
    whole = logits((8, 96), 1, torch.float64, "wide")
    directions = torch.randn(2, *whole.shape, dtype=torch.float64)

    def second(function, z, directions):
        z.requires_grad_()
        weights = function(z, alpha, 5)
        [first] = torch.autograd.grad(weights, z, directions[0], create_graph=True)
        return torch.autograd.grad(first, z, directions[1])[0]

    expected = second(zeta.ops.entmax, whole.clone(), directions)
    for place in (Shard(0), *placements):
        z, *parts = (distribute(tensor, mesh, [place]) for tensor in (whole, *directions))
        result = second(zeta.distributed.entmax, z, parts)
        torch.testing.assert_close(result.full_tensor(), expected)
    share = whole / torch.distributed.get_world_size()  # the ranks are a power of two
    partial = DTensor.from_local(share, mesh, [Partial()])
    parts = [distribute(direction, mesh, [Replicate()]) for direction in directions]
    result = second(zeta.distributed.entmax, partial, parts)
    torch.testing.assert_close(result.full_tensor(), expected)


ALPHAS = {
    "each": lambda shape, dim: [1 if i == dim else size for i, size in enumerate(shape)],
    "fewer dimensions": lambda shape, dim: [shape[1]] if dim == 0 else [shape[0], 1],
    "shared": lambda shape, dim: [1],
    "no dimension": lambda shape, dim: [],
}


def alphas(mesh_name, shape, dim, k, dtype, kind, shard):
    """Entmax with alphas that are sharded or replicated, and derivatives of both orders."""
    mesh, placements = mesh_of(mesh_name, dim)
    sizes = ALPHAS[kind](shape, dim)
    whole = logits(shape, dim, dtype, "wide")
    members = torch.tensor([1.25, 1.5, 2.0, 1.0, 1.01], dtype=torch.float64)
    numbers = members.repeat(math.prod(shape))[: math.prod(sizes)].view(sizes)
    place = Shard(len(sizes) - 1 - dim) if shard else Replicate()
    placements_of_alpha = [place] * mesh.ndim
    directions = torch.randn(3, *shape, dtype=torch.float64)
    grad, grad_of_z = directions[:2].to(dtype)
    grad_of_alpha = directions[2].sum_to_size(sizes)

    def derivatives(function, z, alpha, grad, grad_of_z, grad_of_alpha):
        inputs = z.requires_grad_(), alpha.requires_grad_()
        weights = function(*inputs, k, dim)
        first = torch.autograd.grad(weights, inputs, grad, create_graph=True)
        second = torch.autograd.grad(first, inputs, (grad_of_z, grad_of_alpha))
        return weights.detach(), *first, *second

    one_rank = (whole, numbers, grad, grad_of_z, grad_of_alpha)
    expected, *wholes = derivatives(zeta.ops.entmax, *(x.clone() for x in one_rank))
    for function in (zeta.distributed.entmax, torch.ops.zeta.entmax):
        parts = [
            distribute(x, mesh, placements_of_alpha if x.shape == numbers.shape else placements)
            for x in one_rank
        ]
        weights, *results = derivatives(function, *parts)
        assert_same_bits(weights.full_tensor(), expected)
        if function is zeta.distributed.entmax:
            assert weights.placements == tuple(placements)
        for result, other in zip(results, wholes, strict=True):
            torch.testing.assert_close(result.full_tensor(), other)


MASKS = {
    "full": lambda shape, dim: shape,
    "of columns": lambda shape, dim: [n if i == dim else 1 for i, n in enumerate(shape)],
    "of rows": lambda shape, dim: [1 if i == dim else n for i, n in enumerate(shape)],
}


def whole_and_mask(shape, dim, kind, dtype=torch.float32):
    """Logits that are NaN where the mask leaves them out, which it does with whole rows."""
    whole = logits(shape, dim, dtype, "wide")
    mask = torch.rand(MASKS[kind](shape, dim)) < 0.6
    if kind == "full":
        mask.select(1 - dim, 2).fill_(False)
    return torch.where(mask, whole, math.nan), mask


def masked(name, mesh_name, shape, dim, kind, shard):
    """Rows with a mask, which is sharded as they are or replicated."""
    on_one_rank, on_all = FUNCTIONS[name]
    mesh, placements = mesh_of(mesh_name, dim)
    whole, mask = whole_and_mask(shape, dim, kind)
    weights = on_one_rank(whole.requires_grad_(), 4, dim, mask=mask)
    grad = torch.randn_like(weights)
    [whole_grad] = torch.autograd.grad(weights, whole, grad)

    places = [
        Replicate()
        if isinstance(place, Shard) and not (shard and mask.shape[place.dim] > 1)
        else place
        for place in placements
    ]
    z = distribute(whole.detach(), mesh, placements).requires_grad_()
    for function in (on_all, on_one_rank):
        result = function(z, 4, dim, mask=distribute(mask, mesh, places))
        assert_same_bits(result.detach().full_tensor(), weights.detach())
        [result_grad] = torch.autograd.grad(result, z, distribute(grad, mesh, placements))
        assert_same_bits(result_grad.full_tensor(), whole_grad)
        if function is on_all:
            assert result.placements == tuple(placements), result.placements


def masked_derivatives(mesh_name, shape, dim):
    """Derivatives of both orders of entmax with a mask, to alphas too, which rows share."""
    mesh, placements = mesh_of(mesh_name, dim)
    whole, mask = whole_and_mask(shape, dim, "full", torch.float64)
    numbers = torch.full((1,), 1.25, dtype=torch.float64)
    directions = torch.randn(2, *shape, dtype=torch.float64)

    def derivatives(function, z, alpha, mask, grad, grad_of_z):
        inputs = z.requires_grad_(), alpha.requires_grad_()
        weights = function(*inputs, 4, dim, mask=mask)
        first = torch.autograd.grad(weights, inputs, grad, create_graph=True)
        return *first, *torch.autograd.grad(first[0], inputs, grad_of_z)

    expected = derivatives(zeta.ops.entmax, whole.clone(), numbers.clone(), mask, *directions)
    for function in (zeta.distributed.entmax, zeta.ops.entmax):
        alpha = distribute(numbers, mesh, [Replicate()] * mesh.ndim)
        z, *parts = (distribute(x, mesh, placements) for x in (whole, mask, *directions))
        results = derivatives(function, z, alpha, *parts)
        for result, other in zip(results, expected, strict=True):
            torch.testing.assert_close(result.full_tensor(), other)


def masked_compact(shape, dim, k):
    mesh, placements = mesh_of("whole rows", dim)
    whole, mask = whole_and_mask(shape, dim, "full")
    expected = zeta.ops.sparse_softmax_compact(whole, k, dim, mask=mask)
    z = distribute(whole, mesh, placements)
    sharded_mask = distribute(mask, mesh, [Replicate()])
    results = zeta.ops.sparse_softmax_compact(z, k, dim, mask=sharded_mask)
    for result, other in zip(results, expected, strict=True):
        assert_same_sharded(result, distribute(other, mesh, placements))


def compiled_masked(mesh_name, shape):
    mesh, placements = mesh_of(mesh_name, 1)
    z, mask = (distribute(x, mesh, placements) for x in whole_and_mask(shape, 1, "full"))
    z.requires_grad_()
    direction = distribute(torch.randn(shape), mesh, placements)

    def function(z, mask):
        return zeta.distributed.sparse_softmax(z, 4, mask=mask)

    expected = function(z, mask)
    weights = torch.compile(function, backend="aot_eager", fullgraph=True)(z, mask)
    assert_same_sharded(weights.detach(), expected.detach())
    results = (torch.autograd.grad(y, z, direction)[0] for y in (weights, expected))
    assert_same_sharded(*results)


def errors_of_mask():
    mesh, placements = mesh_of("rows split", 1)
    z = distribute(torch.randn(4, 8), mesh, placements)
    messages = []
    for mask in (torch.ones(8).bool(), distribute(torch.ones(8), mesh, [Replicate()])):
        try:
            zeta.distributed.sparse_softmax(z, mask=mask)
        except (TypeError, RuntimeError) as error:
            messages.append(str(error))
    return messages


def compact_of_alphas(shape, dim, k, shard):
    mesh, placements = mesh_of("whole rows", dim)
    whole = logits(shape, dim, torch.float32, "wide")
    numbers = torch.linspace(1.02, 2, shape[1 - dim]).unsqueeze(dim)
    alpha = distribute(numbers, mesh, placements if shard else [Replicate()])
    results = []
    for inputs in ((whole, numbers), (distribute(whole, mesh, placements), alpha)):
        leaves = [tensor.clone().requires_grad_() for tensor in inputs]
        values, indices = zeta.ops.entmax_compact(*leaves, k, dim)
        grads = torch.autograd.grad(values.square().sum(), leaves)
        results.append([values.detach(), indices, *grads])
    expected, (values, indices, *grads) = results
    assert_same_sharded(values, distribute(expected[0], mesh, placements))
    assert_same_sharded(indices, distribute(expected[1], mesh, placements))
    for grad, other in zip(grads, expected[2:], strict=True):
        torch.testing.assert_close(grad.full_tensor(), other)


def sent_for_alphas(shape, dim, k):
    """The bytes of each collective of the forward."""
    mesh, placements = mesh_of("rows split", dim)
    z = distribute(logits(shape, dim, torch.float32, "wide"), mesh, placements)
    alpha = distribute(torch.full((), 1.25), mesh, [Replicate()])
    with Sent() as forward:
        zeta.distributed.entmax(z, alpha, k, dim)
    return forward.bytes


def compiled_of_alphas(shape, k):
    mesh, placements = mesh_of("rows split", 1)
    whole = logits(shape, 1, torch.float32, "wide")
    z = distribute(whole, mesh, placements).requires_grad_()
    alpha = distribute(torch.full((shape[0], 1), 1.25), mesh, [Replicate()]).requires_grad_()
    function = torch.compile(
        lambda z, alpha: zeta.distributed.entmax(z, alpha, k), backend="aot_eager", fullgraph=True
    )
    expected = zeta.distributed.entmax(z, alpha, k)
    weights = function(z, alpha)
    assert_same_sharded(weights.detach(), expected.detach())
    direction = distribute(torch.randn(shape), mesh, placements)
    results, others = (torch.autograd.grad(y, (z, alpha), direction) for y in (weights, expected))
    for result, other in zip(results, others, strict=True):
        torch.testing.assert_close(result.full_tensor(), other.full_tensor())


def errors_of_alpha():
    """What bad alphas get, before any rank waits for another."""
    mesh, placements = mesh_of("rows split", 1)
    z = distribute(torch.randn(4, 8), mesh, placements)
    other_mesh = mesh_of_shape(1, mesh.size())
    messages = []
    for alpha in (
        torch.tensor(1.5),
        distribute(torch.full((8,), 1.5), mesh, [Replicate()]),
        distribute(torch.tensor(1.5), other_mesh, [Replicate()] * 2),
    ):
        with Sent() as all_sent:
            try:
                zeta.distributed.entmax(z, alpha)
            except (RuntimeError, TypeError) as raised:
                messages.append(str(raised))
        assert not all_sent.bytes
    return messages


def compact(shape, dim, k):
    """The compact form of whole rows, and its gradient."""
    mesh, placements = mesh_of("whole rows", dim)
    whole = logits(shape, dim, torch.float32, "wide").requires_grad_()
    values, indices = zeta.ops.topk_softmax_compact(whole, k, dim)
    grad = torch.randn_like(values)
    z = distribute(whole.detach(), mesh, placements).requires_grad_()
    result, result_indices = zeta.ops.topk_softmax_compact(z, k, dim)
    assert_same_sharded(result.detach(), distribute(values.detach(), mesh, placements))
    assert_same_sharded(result_indices, distribute(indices, mesh, placements))
    [result_grad] = torch.autograd.grad(result, z, distribute(grad, mesh, placements))
    expected = torch.autograd.grad(values, whole, grad)[0]
    assert_same_bits(result_grad.full_tensor(), expected)


def partial_sums(shape, k):
    mesh = mesh_of_shape(torch.distributed.get_world_size())
    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    share = logits(shape, 1, torch.float64, "wide") * (rank + 1)
    z = DTensor.from_local(share, mesh, [Partial()])
    expected = zeta.ops.sparse_softmax(
        logits(shape, 1, torch.float64, "wide") * (size * (size + 1) // 2), k
    )
    torch.testing.assert_close(zeta.distributed.sparse_softmax(z, k).full_tensor(), expected)


def conversion(shape, k):
    mesh, placements = mesh_of("rows split", 1)
    z = distribute(logits(shape, 1, torch.float16, "wide"), mesh, placements).requires_grad_()
    weights = zeta.distributed.sparse_softmax(z, k, dtype=torch.float32)
    whole = z.full_tensor().detach().requires_grad_()
    expected = zeta.ops.sparse_softmax(whole, k, dtype=torch.float32)
    assert_same_bits(weights.full_tensor(), expected)
    direction = torch.randn_like(expected)
    [result] = torch.autograd.grad(weights, z, distribute(direction, mesh, placements))
    expected_grad = torch.autograd.grad(expected, whole, direction)[0]
    assert_same_sharded(result, distribute(expected_grad, mesh, placements))


def compiled(shape, k):
    mesh, placements = mesh_of("rows split", 1)
    whole = logits(shape, 1, torch.float32, "wide").requires_grad_()
    z = distribute(whole.detach(), mesh, placements).requires_grad_()
    function = torch.compile(
        lambda z: zeta.distributed.sparse_softmax(z, k), backend="aot_eager", fullgraph=True
    )
    weights, expected = function(z), zeta.ops.sparse_softmax(whole, k)
    assert_same_sharded(weights.detach(), distribute(expected.detach(), mesh, placements))
    direction = torch.randn_like(expected)
    [result] = torch.autograd.grad(weights, z, distribute(direction, mesh, placements))
    expected_grad = torch.autograd.grad(expected, whole, direction)[0]
    assert_same_sharded(result, distribute(expected_grad, mesh, placements))


def error(*args):
    """What a bad call says, before any rank waits for another."""
    mesh, placements = mesh_of("rows split", 1)
    z = distribute(torch.randn(4, 8), mesh, placements)
    with Sent() as all_sent:
        try:
            zeta.distributed.sparse_softmax(z, *args)
        except (RuntimeError, IndexError) as raised:
            assert not all_sent.bytes
            return str(raised)
