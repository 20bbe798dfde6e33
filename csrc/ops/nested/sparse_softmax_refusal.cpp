// Refuses nested tensors of the strided layout, which PyTorch no longer develops. Those of the
// jagged layout are a Python class, which python/zeta/_nested.py handles.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/library.h>

#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

void refuse(c10::OperatorHandle const&, torch::jit::Stack*) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      false, kName,
      ": expected a nested tensor to have layout torch.jagged, but got torch.strided; pass "
      "torch.nested.nested_tensor(z.unbind(), layout=torch.jagged)");
}

void register_refusal(torch::Library& library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", torch::CppFunction::makeFromBoxedFunction<&refuse>());
  library.impl("sparse_softmax.out", torch::CppFunction::makeFromBoxedFunction<&refuse>());
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, NestedTensorCPU, library) { register_refusal(library); }
TORCH_LIBRARY_IMPL(zeta, NestedTensorCUDA, library) { register_refusal(library); }

}  // namespace zeta::ops::sparse_softmax
