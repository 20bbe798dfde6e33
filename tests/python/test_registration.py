"""What the dispatcher knows of each operator."""

import pytest
import torch

MEMBERS = {
    "sparse_softmax": "SymInt k=3, int dim=-1",
    "topk_softmax": "SymInt k=3, int dim=-1",
    "entmax": "float alpha=1.5, SymInt? k=None, int dim=-1",
}
SCHEMAS = {
    name + overload: (
        f"zeta::{name}{overload}(Tensor z, {arguments}, *, Tensor? mask=None, "
        f"ScalarType? dtype=None{rest}"
    )
    for name, arguments in MEMBERS.items()
    for overload, rest in {
        "": ") -> Tensor",
        ".out": ", Tensor(a!) out) -> Tensor(a!)",
        ".compact": ") -> (Tensor values, Tensor indices)",
    }.items()
} | {
    "entmax.tensor_alpha": (
        "zeta::entmax.tensor_alpha(Tensor z, Tensor alpha, SymInt? k=None, int dim=-1, *, "
        "Tensor? mask=None, ScalarType? dtype=None) -> Tensor"
    ),
    "entmax.tensor_alpha_out": (
        "zeta::entmax.tensor_alpha_out(Tensor z, Tensor alpha, SymInt? k=None, int dim=-1, *, "
        "Tensor? mask=None, ScalarType? dtype=None, Tensor(a!) out) -> Tensor(a!)"
    ),
    "entmax.tensor_alpha_compact": (
        "zeta::entmax.tensor_alpha_compact(Tensor z, Tensor alpha, SymInt? k=None, int dim=-1, *, "
        "Tensor? mask=None, ScalarType? dtype=None) -> (Tensor values, Tensor indices)"
    ),
    "_entmax_backward": (
        "zeta::_entmax_backward(Tensor grad_output, Tensor output, float alpha, int dim, "
        "ScalarType input_dtype, *, SymInt? length=None) -> Tensor"
    ),
    "_entmax_with_support": (
        "zeta::_entmax_with_support(Tensor z, float alpha, SymInt k, int dim, *, "
        "Tensor? mask=None, ScalarType? dtype=None) -> (Tensor output, Tensor support)"
    ),
    "_entmax_support_backward": (
        "zeta::_entmax_support_backward(Tensor grad_output, Tensor support, Tensor? output, "
        "float alpha, int dim, ScalarType input_dtype) -> Tensor"
    ),
    "_entmax_of_candidates": (
        "zeta::_entmax_of_candidates(Tensor candidates, float alpha, SymInt k, int dim, "
        "SymInt length) -> Tensor"
    ),
    "_entmax_of_candidates.tensor_alpha": (
        "zeta::_entmax_of_candidates.tensor_alpha(Tensor candidates, Tensor alpha, SymInt k, "
        "int dim, SymInt length) -> Tensor"
    ),
    "_largest": "zeta::_largest(Tensor z, SymInt k, int dim, Tensor? mask=None) -> Tensor",
}
# Programs that version 0.1 saved call these.
OLD_SCHEMAS = {
    "_sparse_softmax_backward": (
        "zeta::_sparse_softmax_backward(Tensor grad_output, Tensor output, int dim, "
        "ScalarType input_dtype) -> Tensor"
    ),
    "_sparse_softmax_with_support": (
        "zeta::_sparse_softmax_with_support(Tensor z, SymInt k, int dim, *, "
        "ScalarType? dtype=None) -> (Tensor output, Tensor support)"
    ),
    "_sparse_softmax_support_backward": (
        "zeta::_sparse_softmax_support_backward(Tensor grad_output, Tensor support, int dim, "
        "ScalarType input_dtype) -> Tensor"
    ),
}
LAYOUT_TAGS = {
    torch.Tag.flexible_layout,
    torch.Tag.needs_contiguous_strides,
    torch.Tag.needs_exact_strides,
    torch.Tag.needs_fixed_stride_order,
}


def overload(name):
    packet, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.zeta, packet), overload or "default")


def test_these_are_all_the_operators():
    schemas = torch._C._jit_get_all_schemas()
    assert {str(schema) for schema in schemas if schema.name.startswith("zeta::")} == set(
        (SCHEMAS | OLD_SCHEMAS).values()
    )


@pytest.mark.parametrize("name", SCHEMAS | OLD_SCHEMAS)
def test_schema(name):
    assert str(overload(name)._schema) == (SCHEMAS | OLD_SCHEMAS)[name]


@pytest.mark.parametrize("name", SCHEMAS | OLD_SCHEMAS)
def test_tags(name):
    tags = set(overload(name).tags)
    assert torch.Tag.pt2_compliant_tag in tags
    expected = set() if name.endswith("out") else {torch.Tag.flexible_layout}
    assert tags & LAYOUT_TAGS == expected


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("key", ["CPU", "CUDA", "Meta", "Autograd"])
def test_has_a_kernel(name, key):
    kernels = torch._C._dispatch_dump(f"zeta::{name}")
    assert f"{key}:" in kernels or f"{key}[alias]:" in kernels
