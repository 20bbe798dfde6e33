#include "ops/autograd/alphas.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>
#include <torch/csrc/autograd/VariableTypeUtils.h>

#include <string>

#include "ops/autograd/gradient_node.h"
#include "ops/autograd/tangent.h"

namespace zeta::ops {

DerivativesOfAlphas::DerivativesOfAlphas(at::Tensor const& output, at::Tensor const& alpha,
                                         int64_t dim)
    : b_(alpha.to(at::kDouble) - 1), slopes_(output, 1 - b_, dim, at::kDouble) {}

at::Tensor DerivativesOfAlphas::by_z(at::Tensor const& tensor) const {
  return slopes_.slopes() * slopes_.less_mean(slopes_.on_support(tensor));
}

at::Tensor DerivativesOfAlphas::by_alpha() const {
  at::Tensor const weights = slopes_.on_support(slopes_.weights_or_one());
  at::Tensor const logs = slopes_.weights_or_one().log();
  at::Tensor const products = weights * logs;
  at::Tensor const shares = slopes_.slopes() / slopes_.sum_of_slopes();
  at::Tensor const is_softmax = b_ == 0;
  at::Tensor const b = at::where(is_softmax, 1, b_);
  at::Tensor const general =
      (weights - shares) / b.square() - (products - shares * slopes_.sum(products)) / b;
  at::Tensor const squares = products * logs;
  at::Tensor const limit = (weights * slopes_.sum(squares) - squares) / 2;
  return at::where(is_softmax, limit, general);
}

// In no unnamed namespace, since graphs of compiled autograd show its name. The inputs are z and
// alpha; the output and alpha are saved.
struct AlphasNode {
  static std::string node_name(double /*alpha*/) { return "EntmaxBackward"; }
  static void backward(at::Tensor const& grad, at::TensorList saved,
                       GradientArguments const& arguments, variable_list& results) {
    at::Tensor const& alpha = saved[1];
    DerivativesOfAlphas const derivatives(saved[0], alpha, arguments.dim);
    results[0] = derivatives.by_z(grad).to(arguments.result_dtype);
    at::Tensor const of_alphas = grad.to(at::kDouble) * derivatives.by_alpha();
    results[1] = of_alphas.sum_to_size_symint(alpha.sym_sizes()).to(alpha.scalar_type());
  }
};

void set_derivatives_of_alphas(at::Tensor const& output, at::Tensor const& z,
                               at::Tensor const& alpha, int64_t dim) {
  auto const dtype = output.scalar_type();
  GradientNodePointer<AlphasNode> node;
  if (torch::autograd::compute_requires_grad(z, alpha)) {
    GradientArguments const arguments = {/*alpha=*/0, dim, dtype, z.scalar_type(), std::nullopt};
    node = set_gradient<AlphasNode>(output, arguments, z, alpha);
  }
  if (has_tangent(z) || has_tangent(alpha)) {
    DerivativesOfAlphas const derivatives(output, alpha._fw_primal(kLevel), dim);
    at::Tensor tangent;
    if (has_tangent(z)) tangent = derivatives.by_z(z._fw_grad(kLevel));
    if (has_tangent(alpha)) {
      at::Tensor const of_alphas = derivatives.by_alpha() * alpha._fw_grad(kLevel).to(at::kDouble);
      tangent = tangent.defined() ? tangent + of_alphas : of_alphas;
    }
    output._set_fw_grad(tangent.to(dtype), kLevel, /*is_inplace_op=*/false);
  }
  if (node) save(node, output, {output, alpha});
}

}  // namespace zeta::ops
