// The pair of operators whose backward reads the support in place of the output.
#include "ops/support.h"

#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <utility>

#include "ops/autograd/differentiable_projection.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"

namespace zeta::ops::sparse_softmax {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The gradient with respect to the gradient: as SparseSoftmaxBackward.
struct SparseSoftmaxSupportBackward : torch::autograd::Function<SparseSoftmaxSupportBackward> {
  static constexpr bool is_traceable = true;

  static at::Tensor forward(AutogradContext* context, at::Tensor const& grad_output,
                            at::Tensor const& support, int64_t dim, at::ScalarType input_dtype) {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    context->set_materialize_grads(false);
    context->save_for_backward({support});
    context->saved_data["dim"] = dim;
    context->saved_data["output_dtype"] = grad_output.scalar_type();
    return sparse_softmax::support_backward(grad_output, support, dim, input_dtype);
  }

  static variable_list backward(AutogradContext* context, variable_list const& grads) {
    if (!grads[0].defined()) return {{}, {}, {}, {}};
    at::Tensor const support = context->get_saved_variables()[0];
    int64_t const dim = context->saved_data["dim"].toInt();
    at::ScalarType const dtype = context->saved_data["output_dtype"].toScalarType();
    return {sparse_softmax::support_backward(grads[0].to(dtype), support, dim, dtype), {}, {}, {}};
  }
};

// Integers are not differentiable, so of its two results only the output has a gradient.
struct SparseSoftmaxWithSupport : torch::autograd::Function<SparseSoftmaxWithSupport> {
  static constexpr bool is_traceable = true;

  static variable_list forward(AutogradContext* context, at::Tensor const& z, c10::SymInt k,
                               int64_t dim, std::optional<at::ScalarType> dtype) {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    auto const [output, support] =
        sparse_softmax::forward_with_support(z, std::move(k), dim, dtype);
    context->set_materialize_grads(false);
    context->save_for_backward({support});
    context->saved_data["dim"] = dim;
    context->saved_data["input_dtype"] = z.scalar_type();
    return {output, support};
  }

  static variable_list backward(AutogradContext* context, variable_list const& grads) {
    if (!grads[0].defined()) return {{}, {}, {}, {}};
    at::Tensor const support = context->get_saved_variables()[0];
    int64_t const dim = context->saved_data["dim"].toInt();
    at::ScalarType const input_dtype = context->saved_data["input_dtype"].toScalarType();
    return {sparse_softmax::support_backward(grads[0], support, dim, input_dtype), {}, {}, {}};
  }
};

namespace {

std::tuple<at::Tensor, at::Tensor> forward_with_support_autograd(
    at::Tensor const& z, c10::SymInt k, int64_t dim, std::optional<at::ScalarType> dtype) {
  bool const decompose = is_transformed(z);
  if (!decompose && torch::autograd::compute_requires_grad(z)) {
    auto const results = SparseSoftmaxWithSupport::apply(z, std::move(k), dim, dtype);
    return {results[0], results[1]};
  }
  std::tuple<at::Tensor, at::Tensor> results;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    results = sparse_softmax::forward_with_support(z, std::move(k), dim, dtype);
  }
  at::Tensor& output = std::get<0>(results);
  if (decompose) output = differentiable_projection(output, output, z, dim);
  return results;
}

at::Tensor support_backward_autograd(at::Tensor const& grad_output, at::Tensor const& support,
                                     int64_t dim, at::ScalarType input_dtype) {
  bool const decompose = is_transformed(grad_output);
  if (!decompose && torch::autograd::compute_requires_grad(grad_output)) {
    return SparseSoftmaxSupportBackward::apply(grad_output, support, dim, input_dtype);
  }
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = sparse_softmax::support_backward(grad_output, support, dim, input_dtype);
  }
  if (!decompose) return grad_input;
  at::Tensor const indicator = indicator_of_support(support, dim, grad_output.detach());
  return differentiable_projection(grad_input, indicator, grad_output, dim);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Autograd, library) {
  if (is_second_copy()) return;
  library.impl("_sparse_softmax_with_support", &forward_with_support_autograd);
  library.impl("_sparse_softmax_support_backward", &support_backward_autograd);
}

}  // namespace zeta::ops::sparse_softmax
