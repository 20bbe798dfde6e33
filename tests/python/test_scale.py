"""Long rows, many rows, and the memory that a call takes beside its result."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from operator_table import SPARSE_SOFTMAX, TOLERANCE

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="needs Linux's account of memory"
)

BEYOND_FLOAT = 2**24 + 1  # The first whole number that float32 has not.


def test_count_beyond_float():
    operator = SPARSE_SOFTMAX
    z = torch.zeros(BEYOND_FLOAT, requires_grad=True)
    share = torch.tensor(1 / BEYOND_FLOAT)
    weights = operator.function(z, BEYOND_FLOAT)
    assert (weights == share).all()
    [grad] = torch.autograd.grad(weights, z, (torch.arange(BEYOND_FLOAT) == 0).float())
    assert grad[0] == torch.tensor(1 - 1 / BEYOND_FLOAT) and (grad[1:] == -share).all()


@pytest.mark.parametrize("k", [1, 3, 1000])
def test_values_that_differ_in_the_last_bit_in_a_row_beyond_float(operator, k):
    generator = torch.Generator().manual_seed(0)
    bits = torch.randint(0x3F800000, 0x3F800000 + 4, (BEYOND_FLOAT,), generator=generator)
    z = bits.int().view(torch.float32)
    largest = (bits == 0x3F800003).nonzero().flatten()[:k]
    weights = operator.function(z, k)
    assert torch.equal(weights.nonzero().flatten(), largest)
    assert (weights[largest] - 1 / k).abs().max() <= TOLERANCE[torch.float32]


def test_ten_million_rows_of_two(dtype):
    operator = SPARSE_SOFTMAX
    first = torch.rand(10_000_000, generator=torch.Generator().manual_seed(0)).to(dtype)
    z = torch.stack([first, torch.zeros_like(first)], dim=1).requires_grad_()
    weights = operator.function(z)
    expected = ((1 + first.double()) / 2).to(dtype)
    assert ((weights[:, 0].double() - expected.double()).abs() <= TOLERANCE[dtype]).all()
    grad = torch.tensor([1.0, -1.0], dtype=dtype).expand_as(z)
    [result] = torch.autograd.grad(weights, z, grad)
    both = (weights != 0).all(1, keepdim=True)
    assert torch.equal(result, torch.where(both, grad, 0))


MEASURE = """
import sys, torch, zeta
def kibibytes(name):
    [line] = [line for line in open("/proc/self/status") if line.startswith(name)]
    return int(line.split()[1])
def beside_result_of(function):
    open("/proc/self/clear_refs", "w").write("5")  # The peak begins anew.
    before = kibibytes("VmRSS")
    result = function()
    return (kibibytes("VmHWM") - before) * 1024 - result.nbytes, result
torch.set_num_threads(2)
dtype, length = getattr(torch, sys.argv[1]), int(sys.argv[2])
layouts = {
    "contiguous": torch.zeros(2, length, dtype=dtype),
    "transposed": torch.zeros(length, 2, dtype=dtype).t(),
    "normal": torch.randn(2, length).to(dtype),
    "short rows": torch.zeros(length // 32, 64, dtype=dtype),
}
for name, z in layouts.items():
    for k in (3, z.shape[-1]):
        grad = torch.ones_like(z)
        for part in (z[:1, :64], z[:, :1]):
            zeta.ops.sparse_softmax(part.clone(), 3)  # What the first calls take is not measured.
        forward, weights = beside_result_of(lambda: zeta.ops.sparse_softmax(z, k))
        backward, _ = beside_result_of(
            lambda: torch.ops.zeta._entmax_backward(grad, weights, 2.0, -1, dtype)
        )
        print(name, k, forward, backward, sep=",")
"""


@needs_proc
def test_memory_beside_the_result(dtype):
    """A few numbers for each entry of the rows in work, one for each thread, as docs/limits.md says."""
    length = 2**22
    command = [sys.executable, "-c", MEASURE, str(dtype).removeprefix("torch."), str(length)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    lines = [line.split(",") for line in result.stdout.splitlines()]
    assert len(lines) == 8
    for name, _, forward, backward in lines:
        in_work = 0 if name == "short rows" else 2 * length
        some = 4 * 2**20
        assert int(forward) <= (2 * dtype.itemsize + 6) * in_work + some, name
        assert int(backward) <= (3 * dtype.itemsize + 17) * in_work + some, name


TRAIN = """
import torch, zeta
def resident():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmRSS")]
    return int(line.split()[1])
weights = torch.randn(8, 16, requires_grad=True)
x = torch.randn(4, 16)
optimizer = torch.optim.SGD([weights], lr=0.01)
def train(steps):
    for step in range(steps):
        optimizer.zero_grad()
        zeta.ops.sparse_softmax(x @ weights.T, 1 + step % 8).square().sum().backward()
        optimizer.step()
train(5_000)
before = resident()
train(50_000)
print(resident() - before)
"""


@needs_proc
def test_training_leaks_nothing():
    command = [sys.executable, "-c", TRAIN]
    result = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    assert int(result.stdout) < 512  # KiB, after 50,000 steps: ten bytes a step
