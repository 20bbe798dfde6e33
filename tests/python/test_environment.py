"""The environment variables that are read once: none changes a result, and a bad value is refused."""

import os
import subprocess
import sys

import pytest

# Prints a digest of results large and small, and the switch.
DIGEST = """
import hashlib, torch, zeta
digest = hashlib.sha256()
torch.manual_seed(0)
for rows, length in ((3, 5), (1, 3 << 20), (4099, 1023)):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        for z in (torch.randn(rows, length), torch.randn(length, rows).mT):
            for k in (3, length):
                leaf = z.to(dtype).requires_grad_()
                weights = zeta.ops.sparse_softmax(leaf, k)
                [grad] = torch.autograd.grad(weights, leaf, z.to(dtype))
                for result in (weights.detach(), grad):
                    digest.update(result.contiguous().view(torch.uint8).numpy().tobytes())
print(zeta._library.build.uses_huge_pages, digest.hexdigest())
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.engine
def test_huge_pages_change_no_result():
    results = [run(DIGEST, ZETA_HUGE_PAGES=value).stdout.split() for value in ("0", "1")]
    assert [used for used, _ in results] == ["False", "True"]
    assert results[0][1] == results[1][1]


@pytest.mark.parametrize("value", ["2", "yes", "01"])
def test_bad_value_for_huge_pages_is_refused(value):
    message = f"ImportError: ZETA_HUGE_PAGES: expected 0 or 1, but got {value}\n"
    assert message in run("import zeta", ZETA_HUGE_PAGES=value).stderr


def test_unknown_plan_is_refused():
    message = "ImportError: ZETA_CUDA_PLAN: expected few, many, held, segments, columns or passes"
    assert message in run("import zeta", ZETA_CUDA_PLAN="fastest").stderr


VARIABLES = ("ZETA_CPU_CAPABILITY", "ZETA_HUGE_PAGES", "ZETA_CUDA_PLAN")
CONFIG = "import zeta; print(zeta.show_config())"


def test_empty_variables_are_none():
    assert run(CONFIG, **dict.fromkeys(VARIABLES, "")).stdout == run(CONFIG).stdout != ""


def test_changes_after_the_import_change_nothing():
    change = f"import os, zeta; os.environ.update(dict.fromkeys({VARIABLES}, 'none')); {CONFIG}; "
    call = "import torch; print(zeta.ops.sparse_softmax(torch.tensor([0.0, 2.0])).tolist())"
    result = run(change + call)
    assert result.stderr == "" and result.stdout == run(CONFIG).stdout + "[0.0, 1.0]\n"


# Whether the memory of a large result is advised, as the kernel reports it: the flag "hg".
ADVISED = """
import torch, zeta
def is_advised(tensor):
    middle = tensor.data_ptr() + tensor.nbytes // 2
    for line in open("/proc/self/smaps"):
        word, _, rest = line.partition(" ")
        if word.endswith(":"):
            if word == "VmFlags:" and inside:
                return "hg" in rest.split()
        else:
            first, last = (int(number, 16) for number in word.split("-"))
            inside = first <= middle < last
z = torch.randn(4096, 4096, requires_grad=True)
weights = zeta.ops.sparse_softmax(z)
[grad] = torch.autograd.grad(weights, z, z.detach())
out = torch.empty_like(weights)
torch.ops.zeta.sparse_softmax.out(z.detach(), out=out)
print(is_advised(weights), is_advised(grad), is_advised(out))
"""


@pytest.mark.skipif(
    not os.path.exists("/sys/kernel/mm/transparent_hugepage/enabled"),
    reason="needs a kernel with transparent huge pages",
)
@pytest.mark.parametrize("value", ["0", "1"])
def test_only_memory_of_its_own_is_advised(value):
    expected = "True True False\n" if value == "1" else "False False False\n"
    assert run(ADVISED, ZETA_HUGE_PAGES=value).stdout == expected
