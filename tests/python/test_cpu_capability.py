"""Every instruction set gives the same bits, and ZETA_CPU_CAPABILITY chooses among them."""

import os
import subprocess
import sys

import pytest

from zeta._library import build

pytestmark = pytest.mark.engine

NAMES = ["default", "avx2", "avx512"]

# Prints a digest of weights and gradients over lengths, k, dtypes, spreads and layouts.
DIGEST = """
import hashlib, torch, zeta
digest = hashlib.sha256()
torch.manual_seed(0)
for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
    for length in (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 63, 65, 100, 127, 129, 511, 1025, 5000, 70000):
        for scale in (5, 1, 0.1, 0.001):
            rows = 37 if length <= 513 else 3
            z = (torch.randn(rows, length, dtype=torch.float64) * scale).to(dtype)
            for k in (1, 3, 40, length):
                for rows in (z, z.mT.contiguous().mT):
                    weights = zeta.ops.sparse_softmax(rows, k)
                    grad = torch.ops.zeta._entmax_backward(rows, weights, 2.0, -1, dtype)
                    support = torch.ops.zeta._entmax_with_support(rows, 2.0, k, -1)[1]
                    same = torch.ops.zeta._entmax_support_backward(
                        rows, support, None, 2.0, -1, dtype
                    )
                    assert torch.equal(grad, same)
                    for result in (weights, grad, support):
                        digest.update(result.contiguous().view(torch.uint8).numpy().tobytes())
print(zeta._library.build.cpu_capability, digest.hexdigest())
"""


def run(name, code):
    environment = os.environ | {"ZETA_CPU_CAPABILITY": name}
    return subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_instruction_sets_agree_bit_by_bit():
    available = NAMES[: NAMES.index(build.cpu_capability) + 1]
    digests = set()
    for name in available:
        used, digest = run(name, DIGEST).stdout.split()
        assert used == name
        digests.add(digest)
    assert len(digests) == 1


def test_unknown_name_is_refused():
    message = "ImportError: ZETA_CPU_CAPABILITY: expected default, avx2 or avx512, but got sse9"
    assert message in run("sse9", "import zeta").stderr


def test_name_beyond_the_processor_is_refused():
    if build.cpu_capability == NAMES[-1]:
        pytest.skip("this processor has every instruction set")
    result = run(NAMES[-1], "import zeta")
    assert f"ImportError: ZETA_CPU_CAPABILITY: got {NAMES[-1]}, but the highest" in result.stderr
