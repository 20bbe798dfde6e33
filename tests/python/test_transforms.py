"""torch.func and vmap, alone and together."""

import functools

import pytest
import torch
from inputs import away_from_kinks
from operator_table import SPARSE_SOFTMAX
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

pytestmark = pytest.mark.filterwarnings("error:.*performance drop.*")


@pytest.fixture
def z():
    return away_from_kinks(6, k=3)


@pytest.fixture
def loss(operator):
    direction = torch.linspace(-1, 2, 6, dtype=torch.float64)
    return lambda z: (operator.function(z, 3) * direction).square().sum()


def jacobian(operator, weights):
    support = weights != 0
    slopes = torch.where(support, weights ** (2 - operator.alpha), 0)
    return slopes.diag() - slopes.outer(slopes) / slopes.sum()


def test_jacobians(operator, z):
    function = functools.partial(operator.function, k=3)
    expected = jacobian(operator, function(z))
    for transform in (jacrev, jacfwd):
        torch.testing.assert_close(transform(function)(z), expected)


def test_vjp_and_jvp(operator, z):
    function = functools.partial(operator.function, k=3)
    direction = torch.randn_like(z)
    weights, pull_back = vjp(function, z)
    expected = jacobian(operator, weights) @ direction
    torch.testing.assert_close(pull_back(direction)[0], expected)
    primal, tangent = jvp(function, (z,), (direction,))
    assert torch.equal(primal, function(z)) and torch.equal(weights, primal)
    torch.testing.assert_close(tangent, expected)


def test_grad_is_that_of_autograd(loss, z):
    leaf = z.clone().requires_grad_()
    loss(leaf).backward()
    torch.testing.assert_close(grad(loss)(z), leaf.grad)


class Memory(TorchDispatchMode):
    """The bytes of all tensors that operators make."""

    bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        results = function(*args, **(kwargs or {}))
        given = set(map(storage, filter(has_storage, tree_leaves(args))))
        made = set(map(storage, filter(has_storage, tree_leaves(results)))) - given
        self.bytes += sum(size for _, size in made)
        return results


def has_storage(leaf):
    return isinstance(leaf, torch.Tensor) and not leaf._is_zerotensor()


def storage(tensor):
    return tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()


TRANSFORMS = {
    "grad": lambda f, z: grad(lambda z: f(z).sum())(z),
    "vjp": lambda f, z: vjp(f, z)[1](z),
    "jvp": lambda f, z: jvp(f, (z,), (z,)),
    "vmap of grad": lambda f, z: vmap(grad(lambda z: f(z).sum()))(z),
}
SECOND_DERIVATIVES = {
    "jvp of grad": lambda f, z: jvp(grad(lambda z: f(z).square().sum()), (z,), (z,)),
    "grad of grad": lambda f, z: grad(lambda z: grad(lambda z: f(z).square().sum())(z).sum())(z),
}


def assert_memory_is_no_more_than_softmax_takes(operator, dtype, transform, k):
    z = torch.randn(30, 64, dtype=dtype)
    with Memory() as ours:
        transform(lambda z: operator.function(z, k), z)
    with Memory() as others:
        transform(lambda z: z.softmax(-1), z)
    assert ours.bytes <= others.bytes + z.shape[0] * 4 * (k + 1)


@pytest.mark.parametrize("k", [3, 60])  # of which the backward reads the support, and the output
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_memory_of_first_derivatives(operator, dtype, transform, k):
    assert_memory_is_no_more_than_softmax_takes(operator, dtype, TRANSFORMS[transform], k)


@pytest.mark.parametrize("k", [3, 60])
@pytest.mark.parametrize("transform", SECOND_DERIVATIVES)
def test_memory_of_second_derivatives(dtype, transform, k):
    """Of a projection: those of other members take more, since slopes vary."""
    assert_memory_is_no_more_than_softmax_takes(
        SPARSE_SOFTMAX, dtype, SECOND_DERIVATIVES[transform], k
    )


def test_hessian(operator, loss, z):
    direction = torch.linspace(-1, 2, 6, dtype=torch.float64)
    weights = operator.function(z, 3)
    inner = jacobian(operator, weights)
    outer = (2 * direction.square()).diag()
    # What the change of the slopes adds: the derivative of inner @ grad, with grad held.
    grad = outer @ weights
    slopes = (weights ** (2 - operator.alpha)).where(weights != 0, 0)
    centered = grad - slopes @ grad / slopes.sum()
    curvature = (2 - operator.alpha) * (weights ** (1 - operator.alpha)).where(weights != 0, 0)
    project = torch.eye(6, dtype=torch.float64) - slopes.unsqueeze(1) / slopes.sum()
    expected = inner @ outer @ inner + project @ (curvature * centered).diag() @ inner
    for compute in (hessian, lambda f: jacrev(jacrev(f)), lambda f: jacfwd(jacfwd(f))):
        torch.testing.assert_close(compute(loss)(z), expected)


@pytest.mark.parametrize("in_dim", [0, 1, 2, -1])
@pytest.mark.parametrize("dim", [0, 1, -1, -2])
def test_vmap(operator, dtype, in_dim, dim):
    z = torch.randn(4, 5, 6, dtype=dtype)
    function = functools.partial(operator.function, k=2, dim=dim)
    expected = torch.stack([function(sample) for sample in z.unbind(in_dim)])
    assert torch.equal(vmap(function, in_dim)(z), expected)
    assert torch.equal(vmap(function, in_dim, out_dims=2)(z), expected.movedim(0, 2))


def test_vmap_of_vmap(operator):
    z = torch.randn(3, 4, 5, 6)
    function = functools.partial(operator.function, k=2, dim=0)
    expected = operator.function(z, 2, 0).permute(2, 1, 0, 3)
    assert torch.equal(vmap(vmap(function, in_dims=1), in_dims=2)(z), expected)


def test_vmap_of_scalars_and_errors(operator):
    assert torch.equal(vmap(operator.function)(torch.randn(3)), torch.ones(3))
    with pytest.raises(IndexError, match="Dimension out of range"):
        vmap(lambda row: operator.function(row, dim=1))(torch.randn(3, 4))
    assert (
        vmap(lambda row: operator.function(row, dtype=torch.float64))(torch.randn(3, 4)).dtype
        == torch.float64
    )


@pytest.mark.parametrize("in_dims", [(0, 0), (0, None), (None, 0), (1, 0)])
def test_vmap_of_backward(operator, in_dims):
    shapes = [(4,) if in_dim is None else (4, 4) for in_dim in in_dims]
    grads, weights = torch.randn(shapes[0]), operator.function(torch.randn(shapes[1]))

    def backward(grad, weights):
        return operator.backward(grad, weights, -1, torch.float32)

    samples = [
        [tensor] * 4 if in_dim is None else tensor.unbind(in_dim)
        for tensor, in_dim in zip((grads, weights), in_dims, strict=True)
    ]
    expected = torch.stack([backward(*sample) for sample in zip(*samples, strict=True)])
    assert torch.equal(vmap(backward, in_dims)(grads, weights), expected)


def test_vmap_of_grad_and_grad_of_vmap(loss):
    batch = torch.stack([away_from_kinks(6, k=3) for _ in range(5)])
    one_by_one = torch.stack([grad(loss)(z) for z in batch])
    torch.testing.assert_close(vmap(grad(loss))(batch), one_by_one)
    torch.testing.assert_close(grad(lambda z: vmap(loss)(z).sum())(batch), one_by_one)
    leaf = batch.clone().requires_grad_()
    vmap(loss)(leaf).sum().backward()
    torch.testing.assert_close(leaf.grad, one_by_one)


HESSIANS_OF_SAMPLES = {
    "vmap of hessian": lambda loss: vmap(hessian(loss)),
    "vmap, forward over reverse": lambda loss: vmap(jacfwd(jacrev(loss))),
    "vmap, reverse over forward": lambda loss: vmap(jacrev(jacfwd(loss))),
    "vmap, forward over forward": lambda loss: vmap(jacfwd(jacfwd(loss))),
    "jvp of vmap of grad": lambda loss: (
        lambda z: torch.stack(
            [jvp(vmap(grad(loss)), (z,), (unit.expand_as(z),))[1] for unit in units(z)], -1
        )
    ),
    "vjp of vmap of grad": lambda loss: (
        lambda z: torch.stack(
            [vjp(vmap(grad(loss)), z)[1](unit.expand_as(z))[0] for unit in units(z)], -2
        )
    ),
    "jvp of grad of vmap": lambda loss: (
        lambda z: torch.stack(
            [
                jvp(grad(lambda z: vmap(loss)(z).sum()), (z,), (unit.expand_as(z),))[1]
                for unit in units(z)
            ],
            -1,
        )
    ),
}


def units(z):
    return torch.eye(z.shape[-1], dtype=z.dtype)


@pytest.mark.parametrize("name", HESSIANS_OF_SAMPLES)
def test_transforms_in_every_order(loss, name):
    batch = torch.stack([away_from_kinks(6, k=3) for _ in range(5)])
    expected = torch.stack([torch.autograd.functional.hessian(loss, z) for z in batch])
    torch.testing.assert_close(HESSIANS_OF_SAMPLES[name](loss)(batch), expected)


def test_vmap_over_two_dims_with_grad_between(loss):
    batch = torch.stack([away_from_kinks(6, k=3) for _ in range(6)]).view(2, 3, 6)
    one_by_one = torch.stack([grad(loss)(z) for z in batch.view(6, 6)]).view(2, 3, 6)
    torch.testing.assert_close(vmap(vmap(grad(loss)))(batch), one_by_one)
    torch.testing.assert_close(vmap(grad(lambda z: vmap(loss)(z).sum()))(batch), one_by_one)
    outer = grad(lambda z: vmap(vmap(loss), in_dims=1)(z).sum())
    torch.testing.assert_close(outer(batch), one_by_one)


def test_compiled_transforms(loss):
    batch = torch.stack([away_from_kinks(6, k=3) for _ in range(5)])
    # Of softmax, too, Dynamo compiles no vmap of forward mode.
    functions = (vmap(grad(loss)), vmap(jacrev(jacrev(loss))), lambda z: hessian(loss)(z[0]))
    for function in functions:
        compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
        torch.testing.assert_close(compiled(batch), function(batch))


def test_autograd_over_vmap_of_grad(loss):
    batch = torch.stack([away_from_kinks(6, k=3) for _ in range(5)])
    leaf = batch.clone().requires_grad_()
    vmap(grad(loss))(leaf).square().sum().backward()
    expected = torch.stack([2 * hessian(loss)(z) @ grad(loss)(z) for z in batch])
    torch.testing.assert_close(leaf.grad, expected)


def test_per_sample_gradients_of_a_module(operator):
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), operator.module(k=2)).double()
    parameters = dict(model.named_parameters())
    samples = torch.randn(5, 6, dtype=torch.float64)

    def sample_loss(parameters, sample):
        return functional_call(model, parameters, (sample,)).square().sum()

    together = vmap(grad(sample_loss), in_dims=(None, 0))(parameters, samples)
    for i, sample in enumerate(samples):
        alone = grad(sample_loss)(parameters, sample)
        for name in parameters:
            torch.testing.assert_close(together[name][i], alone[name])
