"""Scripted, traced, saved, loaded, frozen and trained modules."""

import pytest
import torch

import zeta

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")


class Router(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.logits = torch.nn.Linear(6, 8)
        self.weights = zeta.nn.SparseSoftmax(k=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.weights(self.logits(x))


X = torch.linspace(-1, 1, 30).view(5, 6)
COMPILERS = {"script": torch.jit.script, "trace": lambda module: torch.jit.trace(module, X)}


def loaded(module, folder):
    torch.jit.save(module, folder / "module.pt")
    return torch.jit.load(folder / "module.pt")


@pytest.mark.parametrize("compiler", COMPILERS)
def test_save_and_load(compiler, tmp_path):
    router = Router()
    other = loaded(COMPILERS[compiler](router), tmp_path)
    assert torch.equal(other(X), router(X))
    x = torch.randn(3, 6)
    assert torch.equal(other(x), router(x))
    assert torch.equal(torch.jit.freeze(other.eval())(x), router(x))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_train_after_loading(compiler, tmp_path):
    router = Router()
    before = [parameter.detach().clone() for parameter in router.parameters()]
    other = loaded(COMPILERS[compiler](router), tmp_path)
    for module in (router, other):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(10):
            optimizer.zero_grad()
            module(X).square().sum().neg().backward()
            optimizer.step()
    for mine, its, old in zip(router.parameters(), other.parameters(), before, strict=True):
        torch.testing.assert_close(mine, its)
        assert not torch.allclose(mine, old)


def test_script_of_the_function():
    @torch.jit.script
    def weights(z: torch.Tensor, k: int) -> torch.Tensor:
        return zeta.ops.sparse_softmax(z, k, dim=0, dtype=torch.float64)

    z = torch.randn(5, 3)
    assert torch.equal(weights(z, 2), zeta.ops.sparse_softmax(z, 2, 0, torch.float64))


def test_script_of_the_operator():
    @torch.jit.script
    def weights(z: torch.Tensor) -> torch.Tensor:
        return torch.ops.zeta.sparse_softmax(z)

    z = torch.randn(5, 3)
    assert torch.equal(weights(z), zeta.ops.sparse_softmax(z))
