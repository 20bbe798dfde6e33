"""The first use that most make of an installed package, with each version of torch."""

import torch

import zeta

EXPECTED = torch.tensor([0.5, 0.3, 0.0, 0.2, 0.0])


def logits():
    return torch.tensor([0.8, 0.6, 0.1, 0.5, 0.4], requires_grad=True)


def test_forward_and_backward():
    z = logits()
    weights = torch.ops.zeta.sparse_softmax(z, 3)
    torch.testing.assert_close(weights, EXPECTED)
    weights[0].backward()
    torch.testing.assert_close(z.grad, torch.tensor([2, -1, 0, -1, 0]) / 3)


def test_compile():
    compiled = torch.compile(lambda z: zeta.ops.sparse_softmax(2 * z / 2, 3), fullgraph=True)
    torch.testing.assert_close(compiled(logits()), EXPECTED)


def test_torchscript(tmp_path):
    traced = torch.jit.trace(zeta.nn.SparseSoftmax(3), torch.randn(5))
    traced.save(str(tmp_path / "module.pt"))
    torch.testing.assert_close(torch.jit.load(str(tmp_path / "module.pt"))(logits()), EXPECTED)
