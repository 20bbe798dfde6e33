"""The out= form."""

import pytest
import torch
from operator_table import OF_ALPHAS, OPERATORS


@pytest.fixture(params=[*OPERATORS, OF_ALPHAS], ids=lambda operator: operator.label)
def operator(request):
    return request.param


def test_writes_any_strides(operator, device, dtype):
    z = torch.randn(4, 5, 6, device=device, dtype=dtype)
    for dim in range(3):
        expected = operator.function(z, 2, dim)
        memory = torch.full((6, 9, 4), 7.0, device=device, dtype=dtype)
        out = memory.permute(2, 1, 0)[:, ::2]
        assert operator.out(z, 2, dim, out=out) is out
        assert torch.equal(out, expected)
        assert (memory[:, 1::2] == 7).all()


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")
def test_resizes_as_aten_does(operator, device):
    z = torch.randn(4, 5, device=device)
    out = torch.empty(0, device=device)
    operator.out(z, out=out)
    assert torch.equal(out, operator.function(z))
    out = torch.empty(3, device=device)
    operator.out(z, out=out)
    assert torch.equal(out, operator.function(z))


def test_takes_dtype(operator, device):
    z = torch.randn(4, 5, device=device).half()
    out = torch.empty(4, 5, device=device)
    operator.out(z, dtype=torch.float32, out=out)
    assert torch.equal(out, operator.function(z, dtype=torch.float32))


def test_refuses_another_dtype_or_device(operator):
    z = torch.randn(4, 5)
    for device in ("cpu", "meta"):
        with pytest.raises(RuntimeError, match="Expected out tensor to have dtype Float, but got"):
            operator.out(z.to(device), out=torch.empty(4, 5, dtype=torch.float64, device=device))
    with pytest.raises(RuntimeError, match="Expected out tensor to have device"):
        operator.out(z, out=torch.empty(4, 5, device="meta"))


def test_refuses_overlap(operator, device):
    z = torch.randn(4, 5, device=device)
    before = z.clone()
    for out in (z, z[:], z[:, 1:]):
        source = z if out.shape == z.shape else z[:, :-1]
        with pytest.raises(RuntimeError, match=f"^{operator.name}: expected out and z to share no"):
            operator.out(source, out=out)
    interleaved = torch.randn(4, 10, device=device)
    operator.out(interleaved[:, ::2], out=interleaved[:, 1::2])
    assert torch.equal(z, before)


def test_refuses_out_that_overlaps_itself(operator, device):
    z = torch.randn(4, 5, device=device)
    memory = torch.zeros(20, device=device)
    for strides in ((0, 1), (3, 1), (1, 3)):
        with pytest.raises(RuntimeError, match=f"^{operator.name}: expected each element of out"):
            operator.out(z, out=memory.as_strided((4, 5), strides))
    assert not memory.any()
    # Elements 0, 2, 4 and 3, 5, 7 of the memory: among each other, but none twice.
    interleaved = memory.as_strided((2, 3), (3, 2))
    operator.out(z[:2, :3], out=interleaved)
    assert torch.equal(interleaved, operator.function(z[:2, :3]))


def test_refuses_gradients(operator):
    z = torch.randn(4, 5, requires_grad=True)
    out = torch.empty(4, 5)
    message = r"\(\): functions with out=... arguments don't support automatic differentiation"
    with pytest.raises(RuntimeError, match=operator.name + message):
        operator.out(z, out=out)
    with pytest.raises(RuntimeError, match=operator.name + message):
        operator.out(z.detach(), out=out.requires_grad_())
    with torch.no_grad():
        assert torch.equal(operator.out(z, out=torch.empty(4, 5)), operator.function(z))
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(torch.randn(4, 5), torch.randn(4, 5))
        with pytest.raises(RuntimeError, match="forward-mode"):
            operator.out(dual, out=torch.empty(4, 5))


def test_raises_the_version(operator):
    out = torch.empty(4, 5)
    version = out._version
    operator.out(torch.randn(4, 5), out=out)
    assert out._version == version + 1


def test_functionalizes(operator):
    def write(z):
        out = torch.zeros(4, 5)
        view = out[1:]
        operator.out(z, 2, out=view)
        return out + 1

    z = torch.randn(3, 5)
    assert torch.equal(torch.func.functionalize(write)(z), write(z))
    compiled = torch.compile(write, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(z), write(z))
