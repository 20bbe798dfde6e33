// Refuses nested tensors of the strided layout, which PyTorch no longer develops. Those of the
// jagged layout are a Python class, which python/zeta/_nested.py handles.
#include <ATen/core/stack.h>

#include <string_view>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

void refuse(c10::OperatorHandle const& op, torch::jit::Stack*) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      false, plain_name(op),
      ": expected a nested tensor to have layout torch.jagged, but got torch.strided; pass "
      "torch.nested.nested_tensor(z.unbind(), layout=torch.jagged)");
}

void register_refusal(torch::Library& library) {
  for_each_member([&]<class Member>() {
    library.impl(Member::kName, torch::CppFunction::makeFromBoxedFunction<&refuse>());
    library.impl(out_name<Member>().c_str(), torch::CppFunction::makeFromBoxedFunction<&refuse>());
    library.impl(compact_name<Member>().c_str(),
                 torch::CppFunction::makeFromBoxedFunction<&refuse>());
  });
  for (char const* name : family::kNamesOfAlphas) {
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse>());
  }
}

}  // namespace

ZETA_LIBRARY_IMPL(NestedTensorCPU, library) { register_refusal(library); }
ZETA_LIBRARY_IMPL(NestedTensorCUDA, library) { register_refusal(library); }

}  // namespace zeta::ops
