// The pair of operators whose backward reads the support instead of the output.
#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/library.h>

#include <utility>

#include "ops/autograd/gradient_node.h"
#include "ops/autograd/tangent.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"
#include "ops/support.h"

namespace zeta::ops::sparse_softmax {

struct SparseSoftmaxWithSupport {
  static constexpr auto* backward = &sparse_softmax::support_backward;
};

// The derivative of the backward, which is the backward itself, as for SparseSoftmaxBackward.
struct SparseSoftmaxSupportBackward {
  static constexpr auto* backward = &sparse_softmax::support_backward;
};

namespace {

std::tuple<at::Tensor, at::Tensor> forward_with_support_autograd(
    at::Tensor const& z, c10::SymInt k, int64_t dim, std::optional<at::ScalarType> dtype) {
  std::tuple<at::Tensor, at::Tensor> results;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    results = sparse_softmax::forward_with_support(z, std::move(k), dim, dtype);
  }
  auto const& [output, support] = results;
  if (torch::autograd::compute_requires_grad(z)) {
    set_gradient<SparseSoftmaxWithSupport>(output, support,
                                           {dim, output.scalar_type(), z.scalar_type()}, z);
  }
  set_tangent(output, z, [&](at::Tensor const& tangent) {
    auto const dtype = output.scalar_type();
    return sparse_softmax::support_backward(tangent.to(dtype), support, dim, dtype);
  });
  return results;
}

at::Tensor support_backward_autograd(at::Tensor const& grad_output, at::Tensor const& support,
                                     int64_t dim, at::ScalarType input_dtype) {
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = sparse_softmax::support_backward(grad_output, support, dim, input_dtype);
  }
  if (torch::autograd::compute_requires_grad(grad_output)) {
    auto const dtype = grad_output.scalar_type();
    set_gradient<SparseSoftmaxSupportBackward>(grad_input, support, {dim, dtype, dtype},
                                               grad_output);
  }
  set_tangent(grad_input, grad_output, [&](at::Tensor const& tangent) {
    return sparse_softmax::support_backward(tangent, support, dim, input_dtype);
  });
  return grad_input;
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Autograd, library) {
  if (is_second_copy()) return;
  library.impl("_sparse_softmax_with_support", &forward_with_support_autograd);
  library.impl("_sparse_softmax_support_backward", &support_backward_autograd);
}

}  // namespace zeta::ops::sparse_softmax
