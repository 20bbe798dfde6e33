"""Programs that version 0.1 saved, with torch 2.15, still run and train.

Each has a linear layer and a sparse softmax over 6 or 64 entries: the backward of the first reads
the output, that of the second the support. ``expected`` holds what they gave there.
"""

from pathlib import Path

import pytest
import torch
from torch.torch_version import TorchVersion

FOLDER = Path(__file__).parent / "programs_of_0_1"

pytestmark = [
    pytest.mark.skipif(
        TorchVersion(torch.__version__) < (2, 15), reason="an older torch need not read the files"
    ),
    pytest.mark.parametrize("length", [6, 64]),
]


def expected(length):
    values = torch.load(FOLDER / f"expected_{length}.pt")
    return values["x"], values["weights"], values["grad"]


def weight_of(module):
    [weight] = [value for name, value in module.named_parameters() if name.endswith("weight")]
    return weight


def check(module, length):
    x, weights, grad = expected(length)
    output = module(x)
    torch.testing.assert_close(output, weights)
    output.square().sum().backward()
    torch.testing.assert_close(weight_of(module).grad, grad)


def test_torchscript(length):
    check(torch.jit.load(FOLDER / f"script_{length}.pt"), length)


def test_exported(length):
    check(torch.export.load(FOLDER / f"exported_{length}.pt2").module(), length)


def test_exported_with_its_backward(length):
    """It calls internal operators by the names that they had."""
    program = torch.export.load(FOLDER / f"joint_{length}.pt2")
    called = {str(node.target) for node in program.graph.nodes if "zeta" in str(node.target)}
    assert any("backward" in name for name in called)
    x, _, grad = expected(length)
    _, *grads = program.graph_module(*program.state_dict.values(), x)
    torch.testing.assert_close(grads[0], grad)
