"""What the CUDA kernels' machine code has to have, whatever the compiler makes of them."""

import shutil
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import zeta

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import kernel_facts

HAS_TOOLS = shutil.which("nvcc") or Path("/usr/local/cuda/bin/nvcc").exists()
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(zeta._library.build.cuda_version is None, reason="needs a build with CUDA"),
    pytest.mark.skipif(not HAS_TOOLS, reason="needs nvcc on the path or in /usr/local/cuda"),
    pytest.mark.skipif(find_spec("triton") is None, reason="needs the disassembler of triton"),
]

facts = cache(kernel_facts.facts)

# What plan_warps.h leaves to a block beside its row's buffer: kCandidatesPerBlock entries with columns, and
# kOtherSharedBytes, of which the system keeps a part for itself.
LIST_BYTES = {"float32": 2048 * 8, "bfloat16": 2048 * 6}
OTHER_SHARED_BYTES, OF_THE_SYSTEM = 12 << 10, 1024


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_kernels_of_stages_keep_to_their_means(scalar):
    kernels = [
        k for k in facts(scalar, "90") if k.title.startswith(("few", "many", "held", "segments"))
    ]
    assert len(kernels) >= 23
    for kernel in kernels:
        assert kernel.spilled_bytes == 0, kernel.title
        # Stages are loaded and stored whole.
        assert kernel.accesses["bulk copy"] >= 2, kernel.title
        # Sixteen warps to a multiprocessor: four blocks of four, or two of eight.
        assert kernel.registers <= 128, kernel.title


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_other_kernels_keep_to_their_means(scalar):
    kernels = {kernel.title: kernel for kernel in facts(scalar, "90")}
    merge = kernels[f"merge_all, {scalar}"]
    assert merge.spilled_bytes == kernels[f"merge_first, {scalar}"].spilled_bytes == 0
    assert kernels[f"merge_few, {scalar}"].spilled_bytes == 0
    assert merge.shared_bytes + OF_THE_SYSTEM <= LIST_BYTES[scalar] + OTHER_SHARED_BYTES
    columns = [kernel for title, kernel in kernels.items() if title.startswith("columns")]
    assert len(columns) == 5
    assert all(kernel.spilled_bytes == 0 for kernel in columns)
    # A block of it has 1024 threads.
    assert kernels[f"columns_few, {scalar}, list: 4"].registers <= 64


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_kernels_of_the_backward_keep_to_their_means(scalar):
    kernels = {kernel.title: kernel for kernel in facts(scalar, "90")}
    fast = {
        title: kernel
        for title, kernel in kernels.items()
        if title.startswith(("support_backward,", "weights_backward,", "listed_backward,"))
    }
    assert len(fast) == 9
    for title, kernel in fast.items():
        assert kernel.spilled_bytes == 0, title
        assert kernel.instructions <= 2500, title
    # Blocks of four warps to a multiprocessor: six where any capacity is taken, else eight.
    for title, kernel in fast.items():
        if title.startswith("support_backward"):
            assert kernel.registers <= (80 if title.endswith("any capacity") else 64), title
            assert kernel.accesses["store 128"] > 0, title
    for title, kernel in fast.items():
        if title.startswith("weights_backward"):
            assert kernel.accesses["load 128"] > 0, title
            assert kernel.accesses["store 128"] > 0, title


@cache
def ledger(scalar):
    """By case."""
    lines = kernel_facts.ledger(facts(scalar, "90"), scalar)
    return {(line.case.kernel, str(line.case.length), str(line.case.k)): line for line in lines}


@cache
def recorded_lines():
    """Of the ledger in benchmarks/results/cuda/kernels.md: the slots of each case, and what it lacks."""
    text = (ROOT / "benchmarks/results/cuda/kernels.md").read_text()
    rows = [row.strip("|").split("|") for row in text.partition("main path\n")[2].split("\n")]
    head, _, *rows = [[cell.strip() for cell in row] for row in rows if len(row) > 1]
    return {tuple(row[:3]): (float(row[head.index("slots")]), row[-1].split(", ")) for row in rows}


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_main_paths_leave_time_for_a_copy(scalar):
    for case, line in ledger(scalar).items():
        assert line.counts["unwanted"] == 0, case
        _, lacks = recorded_lines()[case]
        assert set(line.lacks) <= set(lacks), case


@pytest.mark.parametrize("scalar", ["float32", "bfloat16"])
def test_main_paths_do_not_grow(scalar):
    text = (ROOT / "benchmarks/results/cuda/kernels.md").read_text()
    if not text.startswith(f"By {kernel_facts.compiler()}, "):
        pytest.skip("the recorded ledger is that of another compiler")
    for case, line in ledger(scalar).items():
        slots, _ = recorded_lines()[case]
        assert line.slots <= 1.1 * slots, f"{case}: if it has to be, renew kernels.md"
