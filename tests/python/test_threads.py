"""No result depends on how many threads there are; tests/cpp/test_shares.cpp says that they share."""

import pytest
import torch
from bits import assert_same_bits
from operator_table import SPARSE_SOFTMAX


@pytest.mark.parametrize("k", [5, 60])
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("shape", [(4096, 64), (300, 1111), (37, 9001), (2, 300000)])
def test_thread_count_changes_no_bit(dtype, shape, dim, k):
    z = torch.randn(shape, dtype=dtype).movedim(1, dim).contiguous()
    grad = torch.randn_like(z)
    threads = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            output, support = SPARSE_SOFTMAX.with_support(z, k, dim)
            results.append(
                (
                    output,
                    support,
                    torch.ops.zeta.sparse_softmax(z, k, dim),
                    SPARSE_SOFTMAX.backward(grad, output, dim, dtype),
                    SPARSE_SOFTMAX.support_backward(grad, support, dim, dtype),
                )
            )
    finally:
        torch.set_num_threads(threads)
    for others in results[1:]:
        for result, expected in zip(others, results[0], strict=True):
            assert_same_bits(result, expected)
