"""What only a GPU can show: that its kernels agree with the CPU's, and how they behave as guests of a
stream."""

import pytest
import torch
from bits import assert_same_bits
from operator_table import OPERATORS, SPARSE_SOFTMAX
from torch import Tensor

import zeta

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.skipif(zeta._library.build.cuda_version is None, reason="needs a build with CUDA"),
]

forward = torch.ops.zeta.sparse_softmax
backward = SPARSE_SOFTMAX.backward
with_support = SPARSE_SOFTMAX.with_support
support_backward = SPARSE_SOFTMAX.support_backward
of_alphas = torch.ops.zeta.entmax.tensor_alpha
compact_of_alphas = torch.ops.zeta.entmax.tensor_alpha_compact

# For each way in which kernels treat rows, shapes that an H100 gives it to, for some k and type.
REGIMES = {
    "few": [(3000, 8), (20000, 64), (700, 104), (300, 1024), (300, 4096)],
    "many": [(3000, 13), (20000, 33), (700, 200), (300, 1000), (600, 2504), (20, 5000), (60, 8192)],
    "held": [(700, 100), (600, 2501), (20, 5003), (300, 8191)],
    "segments": [(900, 20000), (1, 50257), (3, 200000)],
    "columns": [(60, 5000), (700, 4300), (9000, 33), (3000, 1000)],
    "passes": [(40, 60), (2000, 9)],
}


def with_gaps(z: Tensor) -> Tensor:
    """The same, every other entry of a larger tensor."""
    return torch.stack([z, z], dim=-1)[..., 0]


def rows_of(regime: str, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """On the CPU, of ordinary rows, and of those that are not where there are enough."""
    z = torch.randn(shape, dtype=torch.float64)
    dim = 0 if regime == "columns" else 1
    rows = z.movedim(dim, -1)
    for number, scale in enumerate((1, 5, 0.1, 0.01)):
        rows[number::4] *= scale
    if len(rows) > 20:
        rows[5] = 0.25
        rows[6] = torch.linspace(-1, 1, rows.shape[1], dtype=torch.float64)
        rows[7, ::3] = -torch.inf
        rows[8] = -torch.inf
        rows[9, rows.shape[1] // 2] = torch.nan
        rows[10, 0] = torch.inf
        rows[11] = (rows[11] * 4).round() / 4
    return z.to(dtype)


def assert_same_as_cpu(actual: Tensor, expected: Tensor) -> None:
    assert actual.is_cuda and actual.stride() == expected.stride()
    assert_same_bits(actual, expected)


@pytest.mark.parametrize(
    ("regime", "shape"),
    [(regime, shape) for regime, shapes in REGIMES.items() for shape in shapes],
    ids=lambda value: value if isinstance(value, str) else "x".join(map(str, value)),
)
def test_every_regime_gives_the_bits_of_the_cpu(regime, shape, dtype):
    z = rows_of(regime, shape, dtype)
    dim = 0 if regime == "columns" else 1
    grad = torch.randn_like(z)
    on_gpu, grad_on_gpu = z.cuda(), grad.cuda()
    if regime == "passes":
        z, grad, on_gpu, grad_on_gpu = map(with_gaps, (z, grad, on_gpu, grad_on_gpu))
    for k in (1, 3, 4, 7, 32, 300, 3000):
        weights = forward(z, k, dim)
        assert_same_as_cpu(forward(on_gpu, k, dim), weights)
        expected = backward(grad, weights, dim, dtype)
        assert_same_as_cpu(backward(grad_on_gpu, weights.cuda(), dim, dtype), expected)
        found, support = with_support(on_gpu, k, dim)
        assert_same_as_cpu(found, weights)
        assert_same_bits(support, with_support(z, k, dim)[1])
        assert_same_as_cpu(support_backward(grad_on_gpu, support, dim, dtype), expected)


@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.label)
def test_every_member_has_the_bits_of_the_cpu(operator, regime, dtype):
    for shape in REGIMES[regime]:
        z = rows_of(regime, shape, dtype)
        dim = 0 if regime == "columns" else 1
        on_gpu = with_gaps(z.cuda()) if regime == "passes" else z.cuda()
        for k in (1, 3, 4, 8, 32, 300):
            weights, support = operator.with_support(z, k, dim)
            found, found_support = operator.with_support(on_gpu, k, dim)
            assert_same_bits(found, weights)
            assert_same_bits(found_support, support)


@pytest.mark.parametrize("shape", [(3000, 8), (700, 200), (600, 2501), (60, 8192), (3, 20000)])
@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.label)
def test_masked_rows_have_the_bits_of_the_cpu(operator, shape, dtype):
    z = rows_of("held", shape, dtype)
    rows, length = shape
    for size in (shape, (length,), (rows, 1)):
        mask = torch.rand(size) < 0.5
        mask_on_gpu = mask.cuda()
        for k in (1, 3, 32, 300):
            weights = operator.function(z, k, mask=mask)
            assert_same_bits(operator.function(z.cuda(), k, mask=mask_on_gpu), weights)
            assert_same_bits(operator.function(with_gaps(z.cuda()), k, mask=mask_on_gpu), weights)
            values, indices = operator.compact(z.cuda(), k, mask=mask_on_gpu)
            expected_values, expected_indices = operator.compact(z, k, mask=mask)
            assert_same_bits(values, expected_values)
            assert torch.equal(indices.cpu(), expected_indices)


def alphas_of_rows(rows: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """A column that has all members of the family in turn."""
    return torch.tensor([1.0, 1.01, 1.25, 1.5, 1.75, 2.0], dtype=dtype).repeat(rows)[:rows, None]


@pytest.mark.parametrize("shape", [(3000, 8), (300, 1000), (40, 20000), (1, 200000)])
def test_rows_with_alphas_have_the_bits_of_the_cpu(shape, dtype):
    z = rows_of("passes", shape, dtype)
    alpha = alphas_of_rows(shape[0], torch.float32)
    out = torch.empty(shape, dtype=dtype, device="cuda")
    for k in (None, 1, 7, 300):
        expected = of_alphas(z, alpha, k)
        assert_same_as_cpu(of_alphas(z.cuda(), alpha.cuda(), k), expected)
        assert_same_as_cpu(of_alphas(with_gaps(z.cuda()), alpha.cuda(), k), expected)
        torch.ops.zeta.entmax.tensor_alpha_out(z.cuda(), alpha.cuda(), k, out=out)
        assert_same_as_cpu(out, expected)
        assert_same_bits(of_alphas(z.T.cuda(), alpha.T.cuda(), k, 0), expected.T)
        values, indices = compact_of_alphas(z.cuda(), alpha.cuda(), k)
        expected_values, expected_indices = compact_of_alphas(z, alpha, k)
        assert_same_bits(values, expected_values)
        assert torch.equal(indices.cpu(), expected_indices)


def test_rows_whose_alpha_is_refused_on_the_cpu_are_nan():
    alpha = alphas_of_rows(20)
    others = [0.5, 1.005, 2.1, torch.nan, torch.inf]
    alpha[3:8, 0] = torch.tensor(others)
    z = torch.randn(20, 30, requires_grad=True, device="cuda")
    alpha = alpha.cuda().requires_grad_()
    weights = of_alphas(z, alpha)
    grads = torch.autograd.grad(weights[:, 0].sum(), (z, alpha))
    values, indices = compact_of_alphas(z, alpha, 4)
    assert (indices[3:8] == z[3:8].topk(4).indices).all()
    for tensor in (weights, values, *grads):
        assert tensor[3:8].isnan().all()
        assert not torch.cat([tensor[:3], tensor[8:]]).isnan().any()


def test_gradients_of_alphas_are_those_of_the_cpu(dtype):
    z = torch.randn(24, 300, dtype=torch.float64).to(dtype)
    grad = torch.randn_like(z)
    results = []
    for device in ("cpu", "cuda"):
        inputs = [
            tensor.to(device).requires_grad_()
            for tensor in (z, alphas_of_rows(24), torch.tensor(1.5))
        ]
        rows, alpha, shared = inputs
        weights = of_alphas(rows, alpha, 40), of_alphas(rows, shared)
        values, _ = compact_of_alphas(rows, alpha, 40)
        directions = [tensor.to(device) for tensor in (grad, grad, grad[:, :40])]
        grads = torch.autograd.grad((*weights, values), inputs, directions)
        results.append([tensor.cpu() for tensor in grads])
    torch.testing.assert_close(results[1], results[0])


def test_alphas_are_read_as_a_graph_is_replayed():
    z = torch.randn(12, 300, device="cuda", requires_grad=True)
    alpha = alphas_of_rows(12).cuda().requires_grad_()

    def train() -> tuple[Tensor, ...]:
        weights = of_alphas(z, alpha)
        return weights.detach(), *torch.autograd.grad(weights[:, 0].sum(), (z, alpha))

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        train()  # A first call may load code, which a capture does not allow.
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = train()
    for shift in (1, 2, 3):
        with torch.no_grad():
            alpha.copy_(alpha.roll(shift, 0))
        graph.replay()
        for found, expected in zip(captured, train(), strict=True):
            assert torch.equal(found, expected)


def test_alpha_is_learned_without_waiting_for_the_gpu():
    module = zeta.nn.Entmax(learnable=True).cuda()
    z = torch.randn(20, 10, device="cuda")
    target = zeta.ops.entmax(z, 1.9)
    optimizer = torch.optim.Adam(module.parameters(), 0.1, capturable=True)
    module(z).sum().backward()  # A first call may load code.
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(200):
            optimizer.zero_grad()
            (module(z) - target).square().sum().backward()
            optimizer.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert float(module.alpha.detach()) == pytest.approx(1.9, abs=0.02)


@pytest.mark.parametrize("offset", [1, 2, 3])
@pytest.mark.parametrize("length", [5, 64, 1000, 1023, 5000, 70001])
def test_rows_may_begin_anywhere(length, offset, dtype):
    z = torch.randn(7 * length + offset, dtype=dtype)[offset:].view(7, length)
    on_gpu = z.cuda()
    shifted = torch.cat([on_gpu.new_zeros(offset), on_gpu.flatten()])[offset:].view(7, length)
    out = torch.full((7 * length + 1,), torch.nan, dtype=dtype, device="cuda")
    for k in (3, 100):
        expected = forward(z, k)
        assert_same_as_cpu(forward(shifted, k), expected)
        forward.out(shifted, k, out=out[1:].view(7, length))
        assert_same_as_cpu(out[1:].view(7, length), expected)
        assert out[0].isnan()


@pytest.mark.parametrize("shape", [(4000, 64), (20, 5000), (1, 300000)])
def test_repeats_bit_by_bit(shape, dtype):
    z = torch.randn(shape, dtype=dtype, device="cuda").mul_(0.1)
    first, support = with_support(z, 40, -1)
    for _ in range(20):
        again = with_support(z, 40, -1)
        assert torch.equal(again[0], first) and torch.equal(again[1], support)


@pytest.mark.parametrize("shape", [(4000, 64), (20, 5000), (1, 300000)])
def test_is_captured_and_replayed(shape, dtype):
    z = torch.randn(shape, dtype=dtype, device="cuda", requires_grad=True)
    grad = torch.randn_like(z)

    def train() -> tuple[Tensor, Tensor]:
        weights = forward(z, 3)
        return weights.detach(), torch.autograd.grad(weights, z, grad)[0]

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        train()  # A first call may load code, which a capture does not allow.
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = train()
    for _ in range(3):
        with torch.no_grad():
            z.normal_()
        graph.replay()
        for found, expected in zip(captured, train(), strict=True):
            assert torch.equal(found, expected)


@pytest.mark.parametrize("shape", [(4000, 64), (20, 5000), (1, 300000)])
def test_does_not_wait_for_the_gpu(shape):
    z = torch.randn(shape, device="cuda", requires_grad=True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        torch.autograd.grad(forward(z, 3).sum(), z)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("shape", [(4000, 64), (1, 300000)])
def test_works_on_the_current_stream(shape):
    z = torch.empty(shape, device="cuda")
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        z.normal_()
        weights = forward(z, 3)
    stream.synchronize()
    assert torch.equal(weights.cpu(), forward(z.cpu(), 3))


def test_takes_memory_for_the_result_alone():
    z = torch.randn(1 << 20, device="cuda")
    for shape in ((1 << 14, 64), (1 << 8, 1 << 12)):
        rows = z.view(shape)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        weights = forward(rows, 3)
        assert torch.cuda.max_memory_allocated() - before == weights.nbytes


def test_takes_more_than_2_to_31_entries():
    free, _ = torch.cuda.mem_get_info()
    if free < 24 << 30:
        pytest.skip("needs 24 GiB of a GPU's memory")
    z = torch.randn((1 << 16) + 40, 1 << 15, dtype=torch.bfloat16, device="cuda")
    weights = forward(z, 3)
    for rows in (slice(0, 8), slice(-8, None)):
        assert torch.equal(weights[rows].cpu(), forward(z[rows].cpu(), 3))
    grad = backward(z, weights, -1, z.dtype)
    expected = backward(z[-8:].cpu(), weights[-8:].cpu(), -1, z.dtype)
    assert torch.equal(grad[-8:].cpu(), expected)
    short = z.view(-1, 8)
    assert torch.equal(forward(short, 3)[-8:].cpu(), forward(short[-8:].cpu(), 3))
