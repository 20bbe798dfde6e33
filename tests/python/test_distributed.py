"""Sharded tensors: on 2 and 4 ranks the same bits as on one, and as few bytes sent as can be."""

import pytest
import sharded
import torch
from ranks import Ranks

import zeta

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available(), reason="needs a torch with distributed"
)


@pytest.fixture(scope="module", params=[2, 4])
def ranks(request):
    with Ranks(request.param) as ranks:
        yield ranks


@pytest.mark.parametrize("function", sharded.FUNCTIONS)
@pytest.mark.parametrize("mesh", sharded.MESHES)
@pytest.mark.parametrize("dim", [0, 1])
def test_any_sharding(ranks, function, mesh, dim):
    shape = (7, 50) if dim == 1 else (50, 7)
    for k in (1, 3, 40, 5000):
        ranks.run(sharded.mapping, function, mesh, shape, dim, k, torch.float32, "wide")


@pytest.mark.parametrize("kind", ["wide", "narrow", "ties", "odd"])
def test_dtypes_and_odd_rows(ranks, dtype, kind):
    for function in sharded.FUNCTIONS:
        for k in (2, 30):
            ranks.run(sharded.mapping, function, "rows split", (8, 90), 1, k, dtype, kind)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 9, 4097, 100001])
def test_lengths_that_ranks_do_not_divide(ranks, length):
    for k in (1, 2, 6, 3000):
        shape = (3, length)
        for function in sharded.FUNCTIONS:
            ranks.run(sharded.mapping, function, "rows split", shape, 1, k, torch.float64, "narrow")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("dim", [0, 1])
def test_each_rank_sends_its_candidates(ranks, dtype, dim):
    shape = (6, 1000) if dim == 1 else (1000, 6)
    expected = [6 * 5 * dtype.itemsize]
    for forward, backward in ranks.run(sharded.sent, "rows split", shape, dim, 5, dtype):
        assert forward == backward == expected


def test_whole_rows_are_not_sent(ranks):
    for forward, backward in ranks.run(sharded.sent, "whole rows", (6, 40), 1, 5, torch.float32):
        assert forward == backward == []
    for sent, placements in ranks.run(sharded.sent_by_operator, (8, 40), 1, 0):
        assert sent == [] and placements == (torch.distributed.tensor.Shard(0),)


def test_operator_gathers_rows_that_are_split(ranks):
    for sent, placements in ranks.run(sharded.sent_by_operator, (8, 40), 1, 1):
        assert sum(sent) > 0 and placements == (torch.distributed.tensor.Replicate(),)


def test_second_derivative(ranks):
    ranks.run(sharded.second_derivative, (5, 40), 1, 4)


def test_compiled(ranks):
    ranks.run(sharded.compiled, (5, 41), 4)


def test_partial_sums_are_reduced_first(ranks):
    ranks.run(sharded.partial_sums, (5, 40), 4)


def test_dtype_converts_first(ranks):
    ranks.run(sharded.conversion, (5, 40), 4)


def test_empty(ranks):
    ranks.run(sharded.mapping, "sparse_softmax", "rows split", (0, 8), 1, 3, torch.float32, "wide")


def test_no_dimension(ranks):
    ranks.run(sharded.no_dimension)


def test_errors_come_before_anything_is_sent(ranks):
    for message in ranks.run(sharded.error, 0):
        assert message.startswith("sparse_softmax: expected k to be at least 1, but got 0")
    for message in ranks.run(sharded.error, 3, 2):
        assert message.startswith("sparse_softmax: Dimension out of range")
    for message in ranks.run(sharded.error, 3, 1, torch.int32):
        assert message.startswith("sparse_softmax: expected dtype to be")


def test_tensor_that_is_not_distributed_is_refused():
    with pytest.raises(TypeError, match="^sparse_softmax: expected z to be a DTensor, but got Ten"):
        __import__("zeta.distributed")
        zeta.distributed.sparse_softmax(torch.randn(3))


@pytest.mark.parametrize("alpha", [1.0, 1.25, 1.5])
def test_second_derivative_where_slopes_vary(ranks, alpha):
    ranks.run(sharded.second_derivative_where_slopes_vary, alpha)


@pytest.mark.parametrize("kind", sharded.ALPHAS)
@pytest.mark.parametrize("mesh", sharded.MESHES)
@pytest.mark.parametrize("dim", [0, 1])
def test_alphas(ranks, mesh, dim, kind):
    shape = (7, 50) if dim == 1 else (50, 7)
    for shard in (False,) if kind in ("shared", "no dimension") else (False, True):
        ranks.run(sharded.alphas, mesh, shape, dim, 3, torch.float64, kind, shard)
        ranks.run(sharded.alphas, mesh, shape, dim, None, torch.float32, kind, shard)


def test_alphas_are_not_sent(ranks):
    assert ranks.run(sharded.sent_for_alphas, (6, 1000), 1, 5) == [[6 * 5 * 4]] * ranks.size


def test_compiled_of_alphas(ranks):
    ranks.run(sharded.compiled_of_alphas, (5, 41), 4)


@pytest.mark.parametrize("shard", [False, True])
@pytest.mark.parametrize("dim", [0, 1])
def test_compact_of_alphas(ranks, dim, shard):
    ranks.run(sharded.compact_of_alphas, (8, 40) if dim == 1 else (40, 8), dim, 5, shard)


def test_errors_of_alpha(ranks):
    for plain, shape, mesh in ranks.run(sharded.errors_of_alpha):
        assert plain.startswith("entmax: expected alpha to be a number or a DTensor, but got Tens")
        assert "distribute_tensor" in plain
        assert shape.startswith("entmax: expected alpha to have size 1 along dim 1 and be broadc")
        assert mesh.startswith("entmax: expected alpha to be on the mesh of z, ")


@pytest.mark.parametrize("dim", [0, 1])
def test_compact(ranks, dim):
    ranks.run(sharded.compact, (8, 40) if dim == 1 else (40, 8), dim, 5)


@pytest.mark.parametrize("mesh", sharded.MESHES)
def test_masks(ranks, mesh):
    ranks.run(sharded.masked, "sparse_softmax", mesh, (8, 40), 1, "full", True)
    ranks.run(sharded.masked, "sparse_softmax", mesh, (7, 41), 1, "full", False)
    ranks.run(sharded.masked, "entmax", mesh, (40, 8), 0, "of columns", False)
    ranks.run(sharded.masked, "topk_softmax", mesh, (8, 40), 1, "of rows", True)


@pytest.mark.parametrize("mesh", ["rows split", "whole rows"])
def test_derivatives_of_masked_rows(ranks, mesh):
    ranks.run(sharded.masked_derivatives, mesh, (8, 40), 1)


@pytest.mark.parametrize("mesh", ["rows split", "whole rows"])
def test_compiled_with_masks(ranks, mesh):
    ranks.run(sharded.compiled_masked, mesh, (8, 40))


def test_masks_of_compact_forms(ranks):
    ranks.run(sharded.masked_compact, (40, 8), 0, 5)


def test_wrong_masks_are_refused(ranks):
    for of_type, of_dtype in ranks.run(sharded.errors_of_mask):
        assert of_type.startswith("sparse_softmax: expected mask to be a DTensor, but got Tensor;")
        assert of_dtype.startswith("sparse_softmax: expected mask to have dtype Bool")
