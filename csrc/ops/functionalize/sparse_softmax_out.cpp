#include <ATen/FunctionalTensorWrapper.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <torch/library.h>

#include <utility>

#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {
namespace {

// torch.compile and torch.export trace without mutation, so the out= form becomes a call of the
// functional form, whose result replaces `out`.
at::Tensor& forward_out_functionalize(at::Tensor const& z, c10::SymInt k, int64_t dim,
                                      std::optional<at::ScalarType> dtype, at::Tensor& out) {
  namespace functionalization = at::functionalization::impl;
  bool const z_is_functional = functionalization::isFunctionalTensor(z);
  if (z_is_functional) functionalization::sync(z);
  at::Tensor const plain_z = z_is_functional ? functionalization::from_functional_tensor(z) : z;
  if (!functionalization::isFunctionalTensor(out)) {
    TORCH_CHECK(!z_is_functional, kName,
                ": expected out to be traced as z is, but got a tensor from outside the trace");
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    return sparse_softmax::forward_out(plain_z, std::move(k), dim, dtype, out);
  }
  functionalization::sync(out);
  at::Tensor result;
  {
    at::AutoDispatchSkipFunctionalize const below_functionalize;
    at::Tensor const plain_out = functionalization::from_functional_tensor(out);
    TORCH_CHECK(plain_out.scalar_type() == dtype.value_or(z.scalar_type()), kName,
                ": Expected out tensor to have dtype ", dtype.value_or(z.scalar_type()),
                ", but got ", plain_out.scalar_type(), " instead");
    result = sparse_softmax::forward(plain_z, std::move(k), dim, dtype);
  }
  functionalization::replace_(out, result);
  functionalization::commit_update(out);
  functionalization::sync(out);
  return out;
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Functionalize, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax.out", &forward_out_functionalize);
}

}  // namespace zeta::ops::sparse_softmax
