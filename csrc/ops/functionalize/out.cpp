#include <ATen/FunctionalTensorWrapper.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

// torch.compile and torch.export trace without mutation, so the out= form becomes a call of the
// functional form, whose result replaces `out`.
at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z, Call const& call,
                        at::Tensor& out) {
  namespace functionalization = at::functionalization::impl;
  bool const z_is_functional = functionalization::isFunctionalTensor(z);
  if (z_is_functional) functionalization::sync(z);
  at::Tensor const plain_z = z_is_functional ? functionalization::from_functional_tensor(z) : z;
  if (!functionalization::isFunctionalTensor(out)) {
    TORCH_CHECK(!z_is_functional, member.name,
                ": expected out to be traced as z is, but got a tensor from outside the trace");
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    return member.forward_out(plain_z, call, out);
  }
  functionalization::sync(out);
  at::Tensor result;
  {
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    at::Tensor const plain_out = functionalization::from_functional_tensor(out);
    auto const dtype = call.dtype.value_or(z.scalar_type());
    TORCH_CHECK(plain_out.scalar_type() == dtype, member.name,
                ": Expected out tensor to have dtype ", dtype, ", but got ",
                plain_out.scalar_type(), " instead");
    result = member.forward(plain_z, call);
  }
  functionalization::replace_(out, result);
  functionalization::commit_update(out);
  functionalization::sync(out);
  return out;
}

}  // namespace

ZETA_LIBRARY_IMPL(Functionalize, library) {
  for_each_member([&]<class Member>() {
    library.impl(out_name<Member>().c_str(),
                 &MemberCalls<Member>::template out_kernel<&forward_out>);
  });
}

}  // namespace zeta::ops
