"""Export to ONNX: the exported operators, run by onnxruntime, give the weights of the library's."""

import functools
import importlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from attention import Attention
from inputs import FAMILIES, limits
from operator_table import TOLERANCE

import zeta

pytest.importorskip("onnxscript")  # is not on every machine that runs the tests for a GPU
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
OpRun = importlib.import_module("onnx.reference.op_run").OpRun
ReferenceEvaluator = importlib.import_module("onnx.reference").ReferenceEvaluator
translations = importlib.import_module("zeta.onnx").translations

DYNAMIC = torch.export.Dim.DYNAMIC


class Function(torch.nn.Module):
    """A function of tensors as a module, which is what can be exported."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


def session(model):
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def export(model, *args, dynamic_shapes=None, runtime=session, opset=None):
    """What runs the exported model, from tensors to a tensor."""
    program = torch.onnx.export(
        model.eval(),
        args,
        dynamo=True,
        verbose=False,
        dynamic_shapes=dynamic_shapes,
        custom_translation_table=translations(),
        opset_version=opset,
    )
    exported = program.model_proto
    onnx.checker.check_model(exported, full_check=True)
    assert opset is None or exported.opset_import[0].version == opset
    assert {node.domain for node in exported.graph.node} == {""}
    names = [value.name for value in exported.graph.input]
    runner = runtime(exported)

    def run(*args):
        [result] = runner.run(None, dict(zip(names, (x.numpy() for x in args), strict=True)))
        return torch.from_numpy(result)

    return run


def export_function(function, *args, **kwargs):
    """With every dimension dynamic."""
    shapes = tuple({dim: DYNAMIC for dim in range(x.dim())} for x in args)
    return export(Function(function), *args, dynamic_shapes=(shapes,), **kwargs)


@functools.cache
def exported(operator, dtype):
    """The operator on rows of a dtype, of any number and length, with any k."""

    def weights(z, one_for_each_kept):
        return operator.function(z.to(dtype), one_for_each_kept.size(0)).double()

    # numpy has no bfloat16, so the model converts.
    run = export_function(weights, torch.randn(3, 10, dtype=torch.float64), torch.ones(4))
    return lambda z, k: run(z.double(), torch.ones(k)).to(dtype)


def assert_weights(actual, expected, alpha=1.25):
    # Those of float64 rows may differ from the operator's in the last bits, more of them the nearer
    # alpha is to 1: the threshold's errors are multiplied by 1 / (alpha - 1).
    factor = 0.5 / (alpha - 1) if expected.dtype == torch.float64 else 1
    tolerance = TOLERANCE[expected.dtype] * factor
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance, equal_nan=True)
    assert torch.equal(actual != 0, expected != 0)
    assert not torch.signbit(actual.nan_to_num()).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_rows(operator, dtype, family):
    run = exported(operator, dtype)
    for length in (1, 2, 9, 64, 257, 1000):
        z = FAMILIES[family](5, length).to(dtype)
        for k in limits(length):
            assert_weights(run(z, k), operator.function(z, k))


# 18 moved the axes of reductions from attributes to inputs.
@pytest.mark.parametrize("opset", [15, 17, 18, onnx.defs.onnx_opset_version()])
def test_opsets(operator, opset):
    run = export_function(lambda z: operator.function(z, 3), torch.randn(3, 10), opset=opset)
    z = torch.randn(5, 64)
    assert_weights(run(z), operator.function(z, 3))


def unusual_rows(dtype):
    inf, nan, lowest = torch.inf, torch.nan, torch.finfo(dtype).min
    rows = [
        [2, 0.5, nan, 1, 0, 0.9],
        [nan, nan, nan, nan, nan, nan],
        [-inf, -inf, -inf, -inf, -inf, nan],
        [2, 0.5, 1, inf, 0, 0.9],
        [-inf, inf, nan, -inf, inf, 0],
        [-inf, -inf, -inf, -inf, -inf, -inf],
        [-inf, -inf, 0.5, -inf, -inf, 0.3],
        [-0.0, 0.0, -0.0, 0.0, -0.0, 0.0],
        [-lowest, lowest, lowest, -lowest, 0, lowest],
        [lowest, lowest, lowest, lowest, lowest, lowest],
        [0.5, 0.25, 0.5, 0.25, 0.5, 0.25],
    ]
    return torch.tensor(rows, dtype=dtype)


def test_unusual_rows(operator, dtype):
    z = unusual_rows(dtype)
    for k in (1, 2, 3, 4, 6, 7):
        assert_weights(exported(operator, dtype)(z, k), operator.function(z, k))


def runtime_that_loses_nan(model):
    """ONNX does not say where TopK puts NaN, nor what ReduceMax and Relu make of it."""

    class TopK(OpRun):
        def _run(self, x, k, axis, **_):
            indices = np.argsort(-x, axis=axis, kind="stable")  # NaN last
            indices = indices.take(np.arange(k[0]), axis=axis)
            return np.take_along_axis(x, indices, axis), indices

    class ReduceMax(OpRun):
        def _run(self, x, axes, **_):
            return (np.fmax.reduce(x, axis=tuple(axes), keepdims=True),)

    class Relu(OpRun):
        def _run(self, x):
            return (np.fmax(x, 0).astype(x.dtype),)

    return ReferenceEvaluator(model, new_ops=[TopK, ReduceMax, Relu])


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # numpy's, of inf - inf
def test_unusual_rows_where_the_runtime_loses_nan(operator):
    z = unusual_rows(torch.float32)
    run = export_function(lambda z: operator.function(z, 3), z, runtime=runtime_that_loses_nan)
    assert_weights(run(z), operator.function(z, 3))


@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
def test_empty_tensors(operator, shape):
    assert exported(operator, torch.float32)(torch.ones(shape), 3).shape == shape


def test_k_below_1_is_refused_at_run_time(operator):
    with pytest.raises(Exception, match="TopK"):
        exported(operator, torch.float32)(torch.ones(2, 1), 0)


@pytest.mark.parametrize("dim, k", [(0, 3), (1, 1), (-1, 100), (-3, 100)])
def test_constant_k_along_each_dim(operator, dim, k):
    run = export_function(lambda z: operator.function(z, k, dim), torch.randn(4, 5, 6))
    for shape in ((4, 5, 6), (7, 2, 3)):
        z = torch.randn(shape)
        assert_weights(run(z), operator.function(z, k, dim))


@pytest.mark.parametrize("z", [torch.tensor(3.0), torch.tensor(torch.inf)])
def test_no_dimensions(operator, z):
    assert_weights(export_function(operator.function, z)(z), operator.function(z))


@pytest.mark.parametrize(
    "z",
    [
        torch.arange(12).view(3, 4) // 5,
        torch.eye(4).bool(),
        torch.tensor([[8.001, 8.1, 7.994, 8.203]], dtype=torch.float64),  # float16 is coarse here
    ],
    ids=["int64", "bool", "float64"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_dtype_argument(operator, dtype, z):
    run = export_function(lambda z: operator.function(z, 3, dtype=dtype), z)
    assert_weights(run(z), operator.function(z, 3, dtype=dtype))


def test_attention(operator):
    model = Attention(operator)
    run = export(model, torch.randn(3, 10, 8), dynamic_shapes=({0: DYNAMIC, 1: DYNAMIC},))
    for batch, rows in ((3, 10), (1, 3), (2, 40)):
        x = torch.randn(batch, rows, 8)
        torch.testing.assert_close(run(x), model(x).detach())


def test_only_the_export_needs_onnxscript():
    code = """
import sys
sys.modules["onnxscript"] = None  # as if it were not installed
import zeta
print("imported")
import zeta.onnx
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    assert result.stdout == "imported\n"
    message = result.stderr.splitlines()[-1]
    assert message.startswith("ImportError: zeta.onnx needs onnxscript")
    assert message.endswith("pip install onnxscript")


def test_translations_are_the_callers_own(operator):
    translations().clear()
    assert operator.raw in translations()


def test_compact_forms(operator):
    z = torch.randn(5, 64)
    module = Function(lambda z: operator.compact(z, 6)).eval()
    program = torch.onnx.export(
        module,
        (z,),
        dynamo=True,
        verbose=False,
        dynamic_shapes=(({0: DYNAMIC, 1: DYNAMIC},),),
        custom_translation_table=translations(),
    )
    z = torch.randn(7, 100)
    z[1] = 0.5
    z[2, 3] = 50
    values, indices = session(program.model_proto).run(
        None, {program.model_proto.graph.input[0].name: z.numpy()}
    )
    expected_values, expected_indices = operator.compact(z, 6)
    assert_weights(torch.from_numpy(values), expected_values)
    assert torch.equal(torch.from_numpy(indices), expected_indices)


@pytest.mark.filterwarnings("error:Failed to infer the signature")
def test_entmax_without_a_limit():
    run = export_function(lambda z: torch.ops.zeta.entmax(z), torch.randn(3, 10))
    z = torch.randn(4, 30)
    assert_weights(run(z), torch.ops.zeta.entmax(z))


ALPHAS = torch.tensor([1.0, 1.01, 1.25, 1.5, 1.75, 2.0], dtype=torch.float64)


@functools.cache
def exported_of_alphas(dtype):
    def weights(z, alpha, one_for_each_kept):
        return zeta.ops.entmax(z.to(dtype), alpha, one_for_each_kept.size(0)).double()

    z = torch.randn(6, 10, dtype=torch.float64)
    run = export_function(weights, z, ALPHAS[:, None], torch.ones(4))
    return lambda z, alpha, k: run(z.double(), alpha, torch.ones(k)).to(dtype)


@pytest.mark.parametrize("family", FAMILIES)
def test_alphas_of_rows(dtype, family):
    run = exported_of_alphas(dtype)
    for length in (1, 2, 9, 257, 1000):
        z = FAMILIES[family](6, length).to(dtype)
        for k in limits(length):
            weights = run(z, ALPHAS[:, None], k)
            assert_weights(weights, zeta.ops.entmax(z, ALPHAS[:, None], k), alpha=1.01)


def test_unusual_rows_of_alphas(dtype):
    z = unusual_rows(dtype)
    for alpha in ALPHAS:
        alphas = alpha.expand(len(z), 1)
        expected = zeta.ops.entmax(z, alphas, 3)
        assert_weights(exported_of_alphas(dtype)(z, alphas, 3), expected, alpha=1.01)


def test_numbers_that_are_no_alphas_make_rows_of_nan():
    numbers = torch.tensor([1.5, 0.5, 1.005, 2.5, torch.nan, 1.01], dtype=torch.float64)
    z = torch.randn(6, 10)
    weights = exported_of_alphas(torch.float32)(z, numbers[:, None], 3)
    assert weights.isnan().all(1).tolist() == [False, True, True, True, True, False]
    assert_weights(weights[[0, 5]], zeta.ops.entmax(z[[0, 5]], numbers[[0, 5], None], 3))


@pytest.mark.parametrize("opset", [15, onnx.defs.onnx_opset_version()])
@pytest.mark.parametrize("shape", [(), (1,), (5, 1, 1), (4, 1)])
def test_shapes_of_alphas(shape, opset):
    run = export_function(
        lambda z, alpha: zeta.ops.entmax(z, alpha),
        torch.randn(5, 4, 6),
        torch.full(shape, 1.25),
        opset=opset,
    )
    z, alpha = torch.randn(5, 4, 9), 1.01 + 0.99 * torch.rand(shape)
    assert_weights(run(z, alpha), zeta.ops.entmax(z, alpha))


def test_alpha_without_dimensions():
    z, alpha = torch.tensor(3.0), torch.tensor(1.5)
    assert export_function(lambda z, alpha: zeta.ops.entmax(z, alpha), z, alpha)(z, alpha) == 1


def test_compact_form_of_alphas():
    module = Function(lambda z, alpha: zeta.ops.entmax_compact(z, alpha, 6)).eval()
    z, alpha = torch.randn(6, 64), ALPHAS.float()[:, None]
    program = torch.onnx.export(
        module,
        (z, alpha),
        dynamo=True,
        verbose=False,
        custom_translation_table=translations(),
    )
    names = [value.name for value in program.model_proto.graph.input]
    inputs = dict(zip(names, (z.numpy(), alpha.numpy()), strict=True))
    values, indices = map(torch.from_numpy, session(program.model_proto).run(None, inputs))
    expected_values, expected_indices = zeta.ops.entmax_compact(z, alpha, 6)
    assert_weights(values, expected_values)
    assert torch.equal(indices, expected_indices)


@pytest.mark.parametrize("shape", [(4, 9), (9,), (5, 1, 1), ()])
def test_shapes_of_masks(shape):
    def weights(z, mask):
        return zeta.ops.sparse_softmax(z, 3, mask=mask)

    run = export_function(weights, torch.randn(5, 4, 9), torch.ones(shape).bool(), opset=15)
    z = torch.randn(5, 4, 9)
    mask = torch.rand(shape) < 0.5
    z = torch.where(mask, z, torch.nan)
    assert_weights(run(z, mask), weights(z, mask))
    assert not run(z, torch.zeros_like(mask)).any()


def test_masks_of_unusual_rows(operator):
    z = unusual_rows(torch.float32)
    mask = torch.rand(z.shape) < 0.6
    mask[3], mask[:, 2] = False, False

    def weights(z, mask):
        return operator.function(z, 3, 0, mask=mask)

    run = export_function(weights, torch.randn(11, 6), torch.ones(11, 6).bool())
    assert_weights(run(z, mask), weights(z, mask))


@pytest.mark.parametrize("place", [0, 1])
def test_masks_of_compact_forms(place):
    z, mask = torch.randn(6, 9), torch.rand(6, 9) < 0.4
    mask[2] = False

    def result(z, mask):
        return zeta.ops.entmax_compact(z, 1.5, 4, mask=mask)[place].double()

    run = export_function(result, torch.randn(3, 9), torch.ones(3, 9).bool())
    torch.testing.assert_close(run(z, mask), result(z, mask))
