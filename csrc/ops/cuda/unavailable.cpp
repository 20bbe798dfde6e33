// The kernels of a build without CUDA: they say so.
#include <ATen/core/stack.h>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

void refuse(c10::OperatorHandle const& op, torch::jit::Stack*) {
  TORCH_CHECK(false, plain_name(op),
              ": got a CUDA tensor, but this zeta was built without CUDA; build it again with "
              "ZETA_CUDA=ON, which needs an nvcc of torch's CUDA version");
}

}  // namespace

ZETA_LIBRARY_IMPL(CUDA, library) {
  auto const refuse_all_calls = [&](char const* name) {
    library.impl(name, torch::CppFunction::makeFromBoxedFunction<&refuse>());
  };
  for_each_member([&]<class Member>() {
    refuse_all_calls(Member::kName);
    refuse_all_calls(out_name<Member>().c_str());
    refuse_all_calls(compact_name<Member>().c_str());
  });
  for (char const* name : family::kNamesOfAlphas) refuse_all_calls(name);
  for (char const* name : family::kNames) refuse_all_calls(name);
}

}  // namespace zeta::ops
