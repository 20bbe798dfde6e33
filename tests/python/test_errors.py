"""What bad input gets: an error that names the operator, what was got and what was expected."""

import re

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

import zeta


@pytest.fixture(params=["cpu", "meta", "fake", "inference_mode", "requires_grad"])
def rows(request):
    if request.param == "fake":
        with FakeTensorMode():
            yield torch.randn(2, 6)
    elif request.param == "inference_mode":
        with torch.inference_mode():
            yield torch.randn(2, 6)
    elif request.param == "requires_grad":
        yield torch.randn(2, 6, requires_grad=True)
    else:
        yield torch.empty(2, 6, device=request.param)


@pytest.mark.parametrize("k", [0, -1, -(2**40)])
def test_k_below_one(operator, rows, k):
    message = f"{operator.name}: expected k to be at least 1, but got {k}"
    with pytest.raises(RuntimeError, match=re.escape(message)):
        operator.function(rows, k)


def test_k_below_one_of_nothing(operator):
    with pytest.raises(RuntimeError, match="expected k to be at least 1"):
        operator.function(torch.empty(0, 3), 0)


@pytest.mark.parametrize("dim", [2, -3])
def test_dim_out_of_range(operator, rows, dim):
    message = (
        f"{operator.name}: Dimension out of range "
        f"(expected to be in range of [-2, 1], but got {dim})"
    )
    with pytest.raises(IndexError, match=re.escape(message)):
        operator.function(rows, dim=dim)


def test_dim_of_a_scalar(operator):
    with pytest.raises(IndexError, match=re.escape("[-1, 0], but got 1")):
        operator.function(torch.tensor(1.0), dim=1)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_integers_without_dtype(operator, device, dtype):
    name = {torch.int64: "Long", torch.uint8: "Byte", torch.bool: "Bool"}[dtype]
    with pytest.raises(RuntimeError, match=f"^{operator.name}: expected z .*but got {name}"):
        operator.function(torch.ones(3, dtype=dtype, device=device))


@pytest.mark.parametrize("dtype", [None, torch.float32])
def test_complex(operator, dtype):
    with pytest.raises(RuntimeError, match=f"^{operator.name}: .*ComplexFloat"):
        operator.function(torch.ones(3, dtype=torch.complex64), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.int32, torch.complex64, torch.float8_e5m2])
def test_dtype_argument(operator, dtype):
    with pytest.raises(RuntimeError, match=f"^{operator.name}: expected dtype to be float32"):
        operator.function(torch.ones(3), dtype=dtype)


def test_backward_arguments(operator):
    weights = operator.function(torch.randn(2, 6))
    cases = [
        (torch.randn(2, 5), "expected grad_output to have the shape of output"),
        (torch.randn(6), "expected grad_output to have the shape of output"),
        (torch.randn(2, 6, dtype=torch.float64), "expected grad_output to have dtype Float"),
    ]
    for grad, message in cases:
        with pytest.raises(RuntimeError, match=f"^_entmax_backward: {message}"):
            operator.backward(grad, weights, -1, torch.float32)


def test_cuda_tensor_without_cuda_kernels(operator):
    if zeta._library.build.cuda_version is not None:
        pytest.skip("this build has CUDA kernels")
    with pytest.raises(RuntimeError, match="built without CUDA.*ZETA_CUDA=ON"):
        operator.raw._op_dk(torch.DispatchKey.CUDA, torch.ones(3))
