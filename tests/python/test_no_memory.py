"""Where there is little memory to be had: what a call does not need, and what it says without it."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from operator_table import SPARSE_SOFTMAX

LENGTH = 1 << 22  # a thread needs 14 to 17 bytes for each entry of such a row


@contextmanager
def limited_to(spare: int) -> Iterator[None]:
    """The process has so many more bytes."""
    status = Path("/proc/self/status").read_text()
    used = int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) * 1024
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.fixture
def z():
    """Rows that do not follow each other, with all of their entries in the support."""
    return torch.rand(1024, 2).div(2 * LENGTH).repeat(LENGTH // 1024, 1)


def calls(operator, z):
    out = torch.empty_like(z)
    grad = torch.ones_like(z)
    yield operator.name, lambda: operator.out(z, LENGTH, 0, out=out)
    yield operator.name, lambda: operator.function(z, LENGTH, 0)
    weights = operator.function(z, LENGTH, 0)
    yield (
        "_entmax_backward",
        lambda: operator.backward(grad, weights, 0, torch.float32),
    )
    leaf = z.clone().requires_grad_()
    result = operator.function(leaf, LENGTH, 0)
    yield (
        "_entmax_backward",
        lambda: torch.autograd.grad(result, leaf, grad, retain_graph=True),
    )


def test_says_so_in_the_words_of_torch(z, capfd):
    """Of the member whose passes over these rows take most memory."""
    for name, call in calls(SPARSE_SOFTMAX, z):
        with (
            limited_to(spare=2 * z.nbytes),
            pytest.raises(RuntimeError, match=f"^{name}: DefaultCPUAllocator: can't allocate mem"),
        ):
            call()
        call()  # and nothing is lost
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("stride", [(1 << 27) + 1, 1 << 27])
def test_strides_of_out_need_no_memory(operator, stride):
    z = torch.randn(2, 3)
    memory = torch.empty(1 << 29)  # of which few pages are touched
    out = memory.as_strided((2, 3), (1 << 27, stride))
    has_overlap = stride == 1 << 27
    with limited_to(spare=64 << 20):
        if has_overlap:
            with pytest.raises(RuntimeError, match="expected each element of out to have memory"):
                operator.out(z, out=out)
        else:
            operator.out(z, out=out)
            assert torch.equal(out, operator.function(z))
