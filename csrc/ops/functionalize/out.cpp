#include <ATen/FunctionalTensorWrapper.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include <array>
#include <cstddef>
#include <optional>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/registration.h"

namespace zeta::ops {
namespace {

namespace functionalization = at::functionalization::impl;

// torch.compile and torch.export trace without mutation, so the out= form becomes a call of the
// functional form, whose result replaces `out`. Both forms are functions of tensors that are not
// traced, given those that may be, of which z is the first. One that is undefined is not given.
template <size_t Count, class OutForm, class Form>
at::Tensor& write_traced(char const* name, std::array<at::Tensor, Count> tensors,
                         std::optional<at::ScalarType> dtype, at::Tensor& out,
                         OutForm const& out_form, Form const& form) {
  bool is_traced = false;
  for (at::Tensor& tensor : tensors) {
    if (!functionalization::isFunctionalTensor(tensor)) continue;
    is_traced = true;
    functionalization::sync(tensor);
    tensor = functionalization::from_functional_tensor(tensor);
  }
  if (!functionalization::isFunctionalTensor(out)) {
    TORCH_CHECK(!is_traced, name,
                ": expected out to be traced as the other tensors are, but got a tensor from "
                "outside the trace");
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    return out_form(tensors);
  }
  functionalization::sync(out);
  at::Tensor result;
  {
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    auto const result_dtype = dtype.value_or(tensors[0].scalar_type());
    auto const out_dtype = functionalization::from_functional_tensor(out).scalar_type();
    TORCH_CHECK(out_dtype == result_dtype, name, ": Expected out tensor to have dtype ",
                result_dtype, ", but got ", out_dtype, " instead");
    result = form(tensors);
  }
  functionalization::replace_(out, result);
  functionalization::commit_update(out);
  functionalization::sync(out);
  return out;
}

at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z, Call call,
                        at::Tensor& out) {
  return write_traced<2>(
      member.name, {z, call.mask}, call.dtype, out,
      [&](auto const& tensors) -> at::Tensor& {
        call.mask = tensors[1];
        return member.forward_out(tensors[0], call, out);
      },
      [&](auto const& tensors) {
        call.mask = tensors[1];
        return member.forward(tensors[0], call);
      });
}

at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                  std::optional<c10::SymInt> k, int64_t dim,
                                  std::optional<at::Tensor> const& mask,
                                  std::optional<at::ScalarType> dtype, at::Tensor& out) {
  return write_traced<3>(
      members::Entmax::kName, {z, alpha, tensor_of(mask)}, dtype, out,
      [&](auto const& tensors) -> at::Tensor& {
        return family::forward_of_alphas_out(tensors[0], tensors[1], k, dim,
                                             optional_of(tensors[2]), dtype, out);
      },
      [&](auto const& tensors) {
        return family::forward_of_alphas(tensors[0], tensors[1], k, dim, optional_of(tensors[2]),
                                         dtype);
      });
}

}  // namespace

ZETA_LIBRARY_IMPL(Functionalize, library) {
  for_each_member([&]<class Member>() {
    library.impl(out_name<Member>().c_str(),
                 &MemberCalls<Member>::template out_kernel<&forward_out>);
  });
  library.impl(family::kOfAlphasOutName, &forward_of_alphas_out);
}

}  // namespace zeta::ops
