"""Under autocast the operators do what torch.softmax does on that device."""

import contextlib

import pytest
import torch
from bits import assert_same_bits
from operator_table import DEVICES
from torch._subclasses.fake_tensor import FakeTensorMode

LOWER = {"cpu": torch.bfloat16, "cuda": torch.float16}


@pytest.fixture(params=[*DEVICES, "fake cuda"])
def device(request):
    """A GPU that is not there has dtypes but no values."""
    with FakeTensorMode() if request.param == "fake cuda" else contextlib.nullcontext():
        yield request.param.removeprefix("fake ")


@contextlib.contextmanager
def autocast(device):
    """As torch.autocast, which turns itself off where there is no GPU."""
    enabled, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    torch.set_autocast_enabled(device, True)
    torch.set_autocast_dtype(device, LOWER[device])
    try:
        yield
    finally:
        torch.set_autocast_enabled(device, enabled)
        torch.set_autocast_dtype(device, dtype)


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("target", [None, torch.float64, torch.float16])
def test_has_the_dtype_of_softmax(operator, device, dtype, target, requires_grad):
    z = torch.randn(4, 6, device=device, dtype=dtype, requires_grad=requires_grad)
    with autocast(device):
        weights = operator.function(z, dtype=target)
        assert weights.dtype == torch.softmax(z, -1, dtype=target).dtype
    assert weights.requires_grad == requires_grad
    assert operator.function(z, dtype=target).dtype == (target or dtype)


def test_of_integers_without_dtype_is_refused(operator, device):
    with autocast(device), pytest.raises(RuntimeError, match="expected z to have dtype"):
        operator.function(torch.ones(3, device=device, dtype=torch.int64))


def test_out_keeps_its_dtype(operator, device):
    z = torch.randn(4, 6, device=device).to(LOWER[device])
    with autocast(device):
        assert operator.out(z, out=torch.empty_like(z)).dtype == z.dtype


def test_values_and_gradients_on_a_gpu(operator):
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    z = torch.randn(4, 6, device="cuda", dtype=torch.float16, requires_grad=True)
    with torch.autocast("cuda"):
        weights = operator.function(z)
    assert torch.equal(weights, operator.function(z.float()))
    weights.square().sum().backward()
    expected = operator.backward(2 * weights.detach(), weights, -1, torch.float16)
    assert_same_bits(z.grad, expected)


def test_in_a_module(operator):
    """Lower precision from the layer goes through the operator, as through softmax."""
    layer = torch.nn.Linear(6, 8)
    x = torch.randn(4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = layer(x)
        weights = operator.module(k=2)(logits)
    assert logits.dtype == weights.dtype == torch.bfloat16
    direction = torch.randn_like(weights)
    [grad] = torch.autograd.grad(weights, logits, direction)
    assert_same_bits(grad, operator.backward(direction, weights, -1, torch.bfloat16))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(operator, backend):
    layer = torch.nn.Linear(6, 8)

    def forward(x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return operator.function(layer(x), 2)

    x = torch.randn(4, 6)
    compiled = torch.compile(forward, backend=backend, fullgraph=True)
    assert torch.equal(compiled(x), forward(x))
