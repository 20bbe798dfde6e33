"""More elements than 32 bits count: 4 GiB of logits, where these are not one row expanded, and 4 GiB
of weights."""

import re
from pathlib import Path

import pytest
import torch
from operator_table import ENTMAX15, SPARSE_SOFTMAX

MEMORY = Path("/proc/meminfo")


def available_gibibytes() -> float:
    """With what the system would give back of its caches."""
    found = re.search(r"^MemAvailable: +(\d+) kB", MEMORY.read_text(), re.MULTILINE)
    return int(found[1]) / 2**20 if found else 0


pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not MEMORY.exists() or available_gibibytes() < 12, reason="needs 12 GiB of memory to be had"
    ),
]


# Of the two ways to find a threshold.
OPERATORS = pytest.mark.parametrize(
    "operator", [SPARSE_SOFTMAX, ENTMAX15], ids=lambda operator: operator.label
)


@OPERATORS
def test_more_rows_than_32_bits_count(operator):
    row = torch.randn(1030, dtype=torch.bfloat16)
    z = row.expand(2**21 + 3, 1030)
    assert z.numel() > 2**31
    weights = operator.function(z)
    expected = operator.function(row)
    assert all((part == expected).all() for part in weights.split(2**17))


@OPERATORS
def test_a_row_longer_than_32_bits_count(operator):
    z = torch.zeros(2**31 + 11, dtype=torch.bfloat16)
    z[7], z[-1] = 2.5, 3.0
    weights = operator.function(z, 2)
    two = operator.function(torch.tensor([2.5, 3.0], dtype=torch.bfloat16))
    assert weights[7] == two[0] and weights[-1] == two[1]
    weights[7] = weights[-1] = 0
    assert not any(part.any() for part in weights.split(2**28))
