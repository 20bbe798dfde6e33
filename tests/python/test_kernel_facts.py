"""What the CUDA kernels' machine code has to have, whatever the compiler makes of them."""

import shutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import zeta

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

import kernel_facts

HAS_TOOLS = shutil.which("nvcc") or Path("/usr/local/cuda/bin/nvcc").exists()
pytestmark = [
    pytest.mark.skipif(zeta._C.cuda_version is None, reason="needs a build with CUDA"),
    pytest.mark.skipif(not HAS_TOOLS, reason="needs nvcc on the path or in /usr/local/cuda"),
    pytest.mark.skipif(find_spec("triton") is None, reason="needs the disassembler of triton"),
]

facts = cache(kernel_facts.facts)

# What plan.h leaves to a block beside its row's buffer: kCandidatesPerBlock entries with columns, and
# kOtherSharedBytes, of which the system keeps a part for itself.
LIST_BYTES = {"float32": 2048 * 8, "bfloat16": 2048 * 6}
OTHER_SHARED_BYTES, OF_THE_SYSTEM = 12 << 10, 1024


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_kernels_of_stages_keep_to_their_means(scalar):
    kernels = [k for k in facts(scalar, "90") if k.title.startswith(("few", "held", "segments"))]
    assert len(kernels) >= 12
    for kernel in kernels:
        assert kernel.spilled_bytes == 0, kernel.title
        # Stages are loaded and stored whole.
        assert kernel.accesses["bulk copy"] >= 2, kernel.title
        assert kernel.registers <= 128, (
            kernel.title
        )  # four blocks of four warps to a multiprocessor


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_other_kernels_keep_to_their_means(scalar):
    kernels = {kernel.title: kernel for kernel in facts(scalar, "90")}
    merge = kernels[f"merge, {scalar}"]
    assert merge.spilled_bytes == 0
    assert merge.shared_bytes + OF_THE_SYSTEM <= LIST_BYTES[scalar] + OTHER_SHARED_BYTES
    for rows in ("lanes", "blocks", "split"):
        assert kernels[f"support_backward, {scalar}, {rows}, contiguous"].accesses["store 128"] > 0
