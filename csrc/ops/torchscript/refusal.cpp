// Refuses to record the compact form in a trace of TorchScript, which tells overloads apart by
// their arguments alone, and so would run the dense form in its place.
#include <ATen/core/stack.h>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

void refuse(c10::OperatorHandle const& op, torch::jit::Stack*) {
  TORCH_CHECK_NOT_IMPLEMENTED(
      false, plain_name(op),
      ": the compact form has no place in TorchScript, which tells overloads apart by their "
      "arguments alone; use torch.export, or the dense form and torch.topk");
}

}  // namespace

ZETA_LIBRARY_IMPL(Tracer, library) {
  for_each_member([&]<class Member>() {
    library.impl(compact_name<Member>().c_str(),
                 torch::CppFunction::makeFromBoxedFunction<&refuse>());
  });
  library.impl(family::kOfAlphasCompactName, torch::CppFunction::makeFromBoxedFunction<&refuse>());
}

}  // namespace zeta::ops
