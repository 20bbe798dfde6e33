"""The comparison for all that is to be the same bits on every device, thread and path."""

import torch
from torch import Tensor


def assert_same_bits(actual: Tensor, expected: Tensor) -> None:
    """Tells zeros of different sign apart, but not NaNs: the processor chooses which NaN it gives."""
    actual, expected = actual.detach().cpu(), expected.detach().cpu()
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    assert torch.equal(actual.isnan(), expected.isnan())
    numbers = [x.masked_fill(x.isnan(), 0).flatten() for x in (actual, expected)]
    differs = numbers[0] != numbers[1]
    assert torch.equal(*(x.view(torch.uint8) for x in numbers)), (
        f"{int(differs.sum())} of {differs.numel()} numbers differ, and zeros perhaps in their sign"
    )
