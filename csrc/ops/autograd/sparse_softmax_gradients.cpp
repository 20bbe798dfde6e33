#include <torch/csrc/autograd/VariableTypeUtils.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

#include <utility>

#include "ops/autograd/gradient_node.h"
#include "ops/autograd/tangent.h"
#include "ops/row_arguments.h"
#include "ops/second_copy.h"
#include "ops/sparse_softmax.h"
#include "ops/support.h"

namespace zeta::ops::sparse_softmax {

// The next two types are in no unnamed namespace, since profilers and grad_fn show their names.

struct SparseSoftmax {
  static constexpr auto* backward = &sparse_softmax::backward;
};

// The derivative of the backward. The backward is linear in grad_output and symmetric on the
// support, so it is its own derivative. It has none with respect to the output, of which it uses
// only the support.
struct SparseSoftmaxBackward {
  static constexpr auto* backward = &sparse_softmax::backward;
};

namespace {

// Whether the backward reads the support instead of the output. Only the arguments decide:
// activation checkpointing repeats the call to recompute what the backward needs, perhaps under
// other modes, and has to get the same tensors. A row length or k that a trace leaves unknown means
// no.
bool hands_over_support(at::Tensor const& z, c10::SymInt const& k, int64_t dim,
                        std::optional<at::ScalarType> dtype) {
  bool const is_strided_nested = z.is_nested() && z.layout() == at::kStrided;  // it has no sizes
  bool const is_right = !is_strided_nested && -z.dim() <= dim && dim < z.dim() &&
                        is_supported(dtype.value_or(z.scalar_type()));
  if (!is_right) return false;
  auto const length = z.sym_size(dim).maybe_as_int();
  auto const known_k = k.maybe_as_int();
  return length.has_value() && known_k.has_value() && support_pays(*length, *known_k);
}

at::Tensor forward_autograd(at::Tensor const& z, c10::SymInt k, int64_t dim,
                            std::optional<at::ScalarType> dtype) {
  bool const is_recorded = torch::autograd::compute_requires_grad(z);
  if (is_recorded && hands_over_support(z, k, dim, dtype)) {
    return std::get<0>(sparse_softmax::forward_with_support(z, std::move(k), dim, dtype));
  }
  at::Tensor output;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    output = sparse_softmax::forward(z, std::move(k), dim, dtype);
  }
  if (is_recorded) {
    set_gradient<SparseSoftmax>(output, output, {dim, output.scalar_type(), z.scalar_type()}, z);
  }
  set_tangent(output, z, [&](at::Tensor const& tangent) {
    auto const dtype = output.scalar_type();
    return sparse_softmax::backward(tangent.to(dtype), output, dim, dtype);
  });
  return output;
}

at::Tensor backward_autograd(at::Tensor const& grad_output, at::Tensor const& output, int64_t dim,
                             at::ScalarType input_dtype) {
  at::Tensor grad_input;
  {
    at::AutoDispatchBelowADInplaceOrView const below_autograd;
    grad_input = sparse_softmax::backward(grad_output, output, dim, input_dtype);
  }
  if (torch::autograd::compute_requires_grad(grad_output)) {
    auto const dtype = output.scalar_type();
    set_gradient<SparseSoftmaxBackward>(grad_input, output, {dim, dtype, dtype}, grad_output,
                                        output);
  }
  set_tangent(grad_input, grad_output, [&](at::Tensor const& tangent) {
    return sparse_softmax::backward(tangent, output, dim, input_dtype);
  });
  return grad_input;
}

at::Tensor& forward_out_autograd(at::Tensor const& z, c10::SymInt k, int64_t dim,
                                 std::optional<at::ScalarType> dtype, at::Tensor& out) {
  if (torch::autograd::compute_requires_grad(z, out)) {
    torch::autograd::throw_error_out_requires_grad(kName);
  }
  TORCH_CHECK(!has_tangent(z) && !has_tangent(out), kName,
              "(): functions with out=... arguments don't support forward-mode differentiation, "
              "but one of the arguments has a tangent.");
  at::AutoDispatchBelowAutograd const below_autograd;
  return sparse_softmax::forward_out(z, std::move(k), dim, dtype, out);
}

}  // namespace

TORCH_LIBRARY_IMPL(zeta, Autograd, library) {
  if (is_second_copy()) return;
  library.impl("sparse_softmax", &forward_autograd);
  library.impl("sparse_softmax.out", &forward_out_autograd);
  library.impl("_sparse_softmax_backward", &backward_autograd);
  // The gradient of these is in zeta.distributed.
  auto const raise_if_differentiated = torch::autograd::autogradNotImplementedFallback;
  library.impl("_sparse_softmax_of_candidates", raise_if_differentiated());
  library.impl("_sparse_softmax_of_candidates_backward", raise_if_differentiated());
}

TORCH_LIBRARY_IMPL(zeta, ADInplaceOrView, library) {
  if (is_second_copy()) return;
  // Increments the version counter of `out`.
  library.impl("sparse_softmax.out",
               torch::autograd::autogradNotImplementedInplaceOrViewFallback());
}

}  // namespace zeta::ops::sparse_softmax
