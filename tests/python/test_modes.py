"""What surrounds a call in a training program: checkpoints, copies, modes, profilers, threads."""

import contextlib
import copy
import io
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.autograd import grad
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

LENGTHS = [8, 200]  # of rows whose output is saved for the backward, and whose support is


@pytest.fixture(params=LENGTHS)
def z(request, device):
    return torch.randn(6, request.param, device=device, requires_grad=True)


@pytest.fixture
def model(operator):
    return torch.nn.Sequential(torch.nn.Linear(6, 40), operator.module(k=2), torch.nn.Linear(40, 3))


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_checkpointing(operator, z, use_reentrant):
    weights = checkpoint(operator.function, z, use_reentrant=use_reentrant)
    expected = operator.function(z)
    assert torch.equal(weights, expected)
    direction = torch.randn_like(z)
    weights.backward(direction)
    assert torch.equal(z.grad, grad(expected, z, direction)[0])


@pytest.mark.parametrize("is_counted", [(True, False), (False, True)])
def test_checkpoint_computes_again_under_other_modes(operator, z, is_counted):
    modes = [
        FlopCounterMode(display=False) if on else contextlib.nullcontext() for on in is_counted
    ]
    expected = operator.function(z)
    direction = torch.randn_like(z)
    with modes[0]:
        weights = checkpoint(operator.function, z, use_reentrant=False)
    with modes[1]:
        weights.backward(direction)
    assert torch.equal(z.grad, grad(expected, z, direction)[0])


def test_checkpoint_keeps_nothing_of_the_operator(operator, z):
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        checkpoint(operator.function, z, use_reentrant=False)
    assert [tensor.data_ptr() for tensor in saved if tensor.numel()] == [z.data_ptr()]


def saved_and_loaded(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), saved_and_loaded]
)
def test_copies_of_a_module(model, copied):
    x = torch.randn(5, 6)
    other = copied(model)
    assert torch.equal(other(x), model(x))
    assert repr(other) == repr(model) and "k=2, dim=-1" in repr(other)


def test_inference_mode(operator, z):
    with torch.inference_mode():
        weights = operator.function(z)
        assert weights.is_inference() and weights.grad_fn is None
        other = torch.randn_like(z)
    assert torch.equal(weights, operator.function(z))
    # A tensor that was made there can be read elsewhere.
    assert torch.equal(operator.function(other), operator.function(other.clone()))


def test_deterministic_mode(operator, z):
    direction = torch.randn_like(z)
    torch.use_deterministic_algorithms(True)
    try:
        weights = operator.function(z)
        first = grad(weights, z, direction)[0]
        for _ in range(5):
            assert torch.equal(operator.function(z), weights)
            assert torch.equal(grad(operator.function(z), z, direction)[0], first)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore:Anomaly Detection", "ignore:Error detected")
def test_anomaly_mode(operator, z):
    node = f"{operator.class_name}Backward"
    with torch.autograd.detect_anomaly(check_nan=True), pytest.raises(RuntimeError, match=node):
        weights = operator.function(z)
        grad(weights, z, torch.full_like(z, torch.nan))


def test_profiler_shows_the_operators_and_the_node(operator, z):
    with torch.profiler.profile() as profile:
        grad(operator.function(z, 3).sum(), z)
    names = {event.name for event in profile.events()}
    assert f"zeta::{operator.name}" in names
    assert any(name.startswith("zeta::_entmax") for name in names)
    node = operator.function(z, 3).grad_fn.name()
    assert node in names
    assert node == f"{operator.class_name}Backward"


@pytest.mark.skipif(
    not hasattr(torch.autograd.graph, "node_creation_hook"), reason="this torch calls none"
)
def test_node_creation_hook(operator, z):
    names = []
    with torch.autograd.graph.node_creation_hook(lambda node: names.append(node.name())):
        weights = operator.function(z)
    assert names.count(weights.grad_fn.name()) == 1


def test_backward_from_several_threads(operator, z):
    """Of one graph: the node's tensors are read side by side."""
    weights = operator.function(z)
    directions = [torch.randn_like(z) for _ in range(16)]
    expected = [grad(weights, z, direction, retain_graph=True)[0] for direction in directions]
    with ThreadPoolExecutor(4) as threads:
        results = threads.map(
            lambda direction: grad(weights, z, direction, retain_graph=True)[0], directions
        )
    for result, other in zip(results, expected, strict=True):
        assert torch.equal(result, other)


def test_graphs_of_several_threads(operator, z):
    def step(seed):
        leaf = (z.detach() + seed).requires_grad_()
        operator.function(leaf).square().sum().backward()
        return leaf.grad

    expected = [step(seed) for seed in range(16)]
    with ThreadPoolExecutor(4) as threads:
        for result, other in zip(threads.map(step, range(16)), expected, strict=True):
            assert torch.equal(result, other)


def test_gradients_of_a_shared_leaf_from_several_threads(operator, z):
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: operator.function(z).square().sum().backward(), range(16)))
    [one] = grad(operator.function(z).square().sum(), z)
    torch.testing.assert_close(z.grad, 16 * one)
