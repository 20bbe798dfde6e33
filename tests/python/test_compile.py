"""opcheck, torch.compile, compiled autograd and torch.export."""

import os
import subprocess
import sys

import pytest
import torch
from attention import Attention
from bits import assert_same_bits
from torch._dynamo.testing import CompileCounterWithBackend
from torch.library import opcheck


@pytest.fixture(autouse=True)
def nothing_compiled() -> None:
    """Dynamo counts what it compiles of one function in all tests."""
    torch._dynamo.reset()


LAYOUTS = {
    "contiguous": lambda z: z,
    "transposed": lambda z: z.mT.contiguous().mT,
    "sliced": lambda z: z[:, ::2],
    "expanded": lambda z: z[:1].expand(4, -1),
}


def test_error_says_the_number_of_a_dynamic_k(operator):
    compiled = torch.compile(
        lambda z, x: operator.function(z, x.shape[0] - 3), backend="aot_eager", dynamic=True
    )
    with pytest.raises(RuntimeError, match=f"{operator.name}: expected k to be at .* but got 0"):
        compiled(torch.randn(4, 64), torch.randn(3))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_opcheck_of_forward(operator, device, dtype, layout, requires_grad):
    z = LAYOUTS[layout](torch.randn(4, 6, device=device, dtype=dtype)).requires_grad_(requires_grad)
    opcheck(operator.raw, (z, *operator.arguments(2, 0)))
    opcheck(operator.raw, (z, *operator.arguments()), {"dtype": torch.float32})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_opcheck_of_backward(operator, device, dtype, layout, requires_grad):
    weights = LAYOUTS[layout](operator.function(torch.randn(4, 6, device=device, dtype=dtype)))
    grad = torch.randn_like(weights).requires_grad_(requires_grad)
    opcheck(
        torch.ops.zeta._entmax_backward.default,
        (grad, weights, operator.alpha, -1, torch.float32),
    )


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (2, 1, 3)])
def test_opcheck_of_odd_shapes(operator, device, shape):
    opcheck(operator.raw, (torch.randn(shape, device=device, requires_grad=True),))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_opcheck_of_out(operator, device, dtype, layout):
    z = LAYOUTS[layout](torch.randn(4, 6, device=device, dtype=dtype))
    opcheck(operator.packet.out, (z, *operator.arguments(2, 0)), {"out": torch.empty_like(z)})


def gradients(function, x, parameters):
    return torch.autograd.grad(function(x).square().sum(), [x, *parameters])


def test_compiled_attention(operator, device):
    model = Attention(operator).to(device)
    counter = CompileCounterWithBackend("inductor")
    compiled = torch.compile(model, backend=counter, fullgraph=True, dynamic=True)
    compiled(torch.randn(3, 4, 8, device=device, requires_grad=True))
    # Dynamo counts twice what it begins again on meeting a number of a module.
    compiled_at_first = counter.frame_count
    for rows in (5, 9, 33):
        x = torch.randn(3, rows, 8, device=device, requires_grad=True)
        torch.testing.assert_close(compiled(x), model(x))
        expected = gradients(model, x, model.parameters())
        torch.testing.assert_close(gradients(compiled, x, model.parameters()), expected)
    assert counter.frame_count == compiled_at_first


def test_k_from_a_shape(operator):
    counter = CompileCounterWithBackend("aot_eager")

    @torch.compile(backend=counter, fullgraph=True, dynamic=True)
    def quarter(z):
        return operator.function(z, z.size(-1) // 4)

    for length in (8, 20, 100):
        z = torch.randn(3, length, requires_grad=True)
        weights, expected = quarter(z), operator.function(z, length // 4)
        assert_same_bits(weights, expected)
        direction = torch.randn_like(z)
        [result] = torch.autograd.grad(weights, z, direction)
        assert_same_bits(result, torch.autograd.grad(expected, z, direction)[0])
    assert counter.frame_count == 1


def test_k_as_an_argument(operator):
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(operator.function, backend=counter, fullgraph=True, dynamic=True)
    z = torch.randn(3, 40, requires_grad=True)
    for k in (2, 5, 40, 41):
        assert torch.equal(compiled(z, k), operator.function(z, k))
    assert counter.frame_count == 1


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_inductor_gives_the_same_bits(operator, device, dtype, dim):
    counter = CompileCounterWithBackend("inductor")
    compiled = torch.compile(operator.function, backend=counter, fullgraph=True, dynamic=True)
    for rows, length in ((3, 8), (5, 70), (9, 1030)):
        z = torch.randn(rows, length, 2, device=device, dtype=dtype, requires_grad=True)
        weights, expected = compiled(z, 3, dim), operator.function(z, 3, dim)
        assert_same_bits(weights, expected)
        direction = torch.randn_like(z)
        result = torch.autograd.grad(weights, z, direction)[0]
        assert_same_bits(result, torch.autograd.grad(expected, z, direction)[0])
    assert counter.frame_count == 1


def test_inductor_makes_no_copy_of_a_transposed_input(operator):
    from torch._inductor import metrics

    metrics.reset()
    z = torch.randn(40, 50)
    compiled = torch.compile(lambda z: operator.function(z.mT, 2), fullgraph=True)
    assert torch.equal(compiled(z), operator.function(z.mT, 2))
    assert metrics.generated_kernel_count == 0  # the operator is called, and nothing else
    torch.compile(lambda z: operator.function(z.mT + 1, 2), fullgraph=True)(z)
    assert metrics.generated_kernel_count == 1


def test_transposed_input_is_not_copied(operator):
    graphs = []

    def backend(graph, inputs):
        from torch._functorch.aot_autograd import aot_module_simplified

        def keep(graph, inputs):
            graphs.append(graph)
            return graph.forward

        return aot_module_simplified(graph, inputs, fw_compiler=keep)

    torch.compile(lambda z: operator.function(z.mT, 2), backend=backend)(torch.randn(4, 5))
    called = {node.target for node in graphs[0].graph.nodes if node.op == "call_function"}
    assert operator.raw in called
    assert not called & {torch.ops.aten.clone.default, torch.ops.aten.contiguous.default}


def test_compiled_autograd(operator):
    model = Attention(operator)
    counter = CompileCounterWithBackend("aot_eager")
    for rows in (5, 7):
        x = torch.randn(2, rows, 8, requires_grad=True)
        expected = gradients(model, x, model.parameters())
        compiler = torch.compile(backend=counter, fullgraph=True, dynamic=True)
        with torch._dynamo.compiled_autograd._enable(compiler):
            result = gradients(model, x, model.parameters())
        torch.testing.assert_close(result, expected)
    assert counter.frame_count == 1


@pytest.mark.parametrize("length", [6, 64])  # of rows whose output or support is saved
def test_compiled_autograd_of_the_gradient(operator, length):
    z = torch.randn(5, length, requires_grad=True)
    direction = torch.randn(5, length, dtype=torch.float64, requires_grad=True)
    weights = operator.function(z, 2, dtype=torch.float64)
    [first] = torch.autograd.grad(weights, z, direction, create_graph=True)
    other = torch.randn(5, length)
    [expected] = torch.autograd.grad(first, direction, other, retain_graph=True)
    compiler = torch.compile(backend="aot_eager", fullgraph=True)
    with torch._dynamo.compiled_autograd._enable(compiler):
        [result] = torch.autograd.grad(first, direction, other)
    assert result.dtype == torch.float64
    assert torch.equal(result, expected)


CACHED_STEP = """
import sys, torch, zeta
from torch._dynamo.utils import counters
tag = torch.compiler.config.cache_key_tag
assert zeta._library.build.build_id in tag
if len(sys.argv) > 1:  # as another build of the library would tag it
    torch.compiler.config.cache_key_tag = tag.replace(zeta._library.build.build_id, sys.argv[1])
z = torch.linspace(0, 1, 60).view(6, 10).requires_grad_()
torch.compile(zeta.ops.sparse_softmax, fullgraph=True)(z).square().sum().backward()
found = counters["aot_autograd"]
print(found["autograd_cache_hit"], found["autograd_cache_miss"])
"""


def test_cache_holds_for_one_build_alone(tmp_path):
    """The formula of the gradient is compiled into the library, which the cache does not look at."""
    variables = {k: v for k, v in os.environ.items() if k != "TORCHINDUCTOR_FORCE_DISABLE_CACHES"}
    variables |= {"TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}

    def step(*arguments):
        command = [sys.executable, "-c", CACHED_STEP, *arguments]
        return subprocess.run(
            command, check=True, env=variables, capture_output=True, text=True, timeout=300
        ).stdout

    assert step() == "0 1\n"
    assert step() == "1 0\n"
    assert step("another") == "0 1\n"


def test_export(operator):
    model = Attention(operator)
    x = torch.randn(3, 10, 8)
    rows = torch.export.Dim("rows", min=2)
    program = torch.export.export(model, (x,), dynamic_shapes={"x": {1: rows}}, strict=False)
    for count in (10, 17):
        x = torch.randn(3, count, 8)
        torch.testing.assert_close(program.module()(x), model(x))
