"""The CPU operators use torch's threads, and no result depends on how many there are."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bits import assert_same_bits

# Prints which share of a result each thread wrote first. A page of memory appears when it is first
# written, and the system counts for each thread how many it made appear.
SHARES = """
import os, sys, torch, zeta
def new_pages():
    tasks = ((task, open(f"/proc/self/task/{task}/stat").read()) for task in os.listdir("/proc/self/task"))
    return {task: int(stat.rpartition(")")[2].split()[7]) for task, stat in tasks}
torch.set_num_threads(int(sys.argv[1]))
operators = torch.ops.zeta
for shape, dim in (((262144, 64), 1), ((4096, 4096), 1), ((4096, 4096), 0)):
    z = torch.randn(shape)
    output, support = operators._sparse_softmax_with_support(z, 3, dim)
    for function in (
        lambda: operators.sparse_softmax(z, 3, dim),
        lambda: operators._sparse_softmax_with_support(z, 3, dim),
        lambda: operators._sparse_softmax_backward(z, output, dim, z.dtype),
        lambda: operators._sparse_softmax_support_backward(z, support, dim, z.dtype),
    ):
        before = new_pages()
        result = function()
        made = [pages - before.get(task, 0) for task, pages in new_pages().items()]
        print(*(pages / sum(made) for pages in made if pages > 0.05 * sum(made)))
        del result
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("threads", [1, 2])
def test_each_thread_writes_its_share(threads, monkeypatch):
    monkeypatch.setenv("ZETA_HUGE_PAGES", "0")
    shares = subprocess.run(
        [sys.executable, "-c", SHARES, str(threads)],
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    ).stdout.splitlines()
    assert len(shares) == 12
    for line in shares:
        values = [float(value) for value in line.split()]
        assert len(values) == threads
        assert min(values) > 0.25 / threads


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("shape", [(4096, 64), (300, 1111), (2, 300000)])
def test_thread_count_changes_no_bit(dtype, shape, dim):
    z = torch.randn(shape, dtype=dtype).movedim(1, dim).contiguous()
    grad = torch.randn_like(z)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            output, support = torch.ops.zeta._sparse_softmax_with_support(z, 5, dim)
            results.append(
                (
                    output,
                    support,
                    torch.ops.zeta.sparse_softmax(z, 5, dim),
                    torch.ops.zeta._sparse_softmax_backward(grad, output, dim, dtype),
                    torch.ops.zeta._sparse_softmax_support_backward(grad, support, dim, dtype),
                )
            )
    finally:
        torch.set_num_threads(threads)
    for others in results[1:]:
        for result, expected in zip(others, results[0], strict=True):
            assert_same_bits(result, expected)
