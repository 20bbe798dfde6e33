#include "ops/autograd/slopes.h"

#include <ATen/OpMathType.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>

namespace zeta::ops {

// Keeps 0 / 0 away where all weights of a row round to 0. Other rows are above it, since no slope
// is below its weight, and weights sum to 1.
constexpr double kLeastSumOfSlopes = 1e-30;

Slopes::Slopes(at::Tensor const& output, double exponent, int64_t dim, at::ScalarType dtype)
    : Slopes(output, dim, dtype) {
  set_slopes(exponent);
}

Slopes::Slopes(at::Tensor const& output, at::Tensor const& exponents, int64_t dim,
               at::ScalarType dtype)
    : Slopes(output, dim, dtype) {
  set_slopes(exponents);
}

Slopes::Slopes(at::Tensor const& output, int64_t dim, at::ScalarType dtype)
    : dim_(dim),
      dtype_(dtype),
      is_in_support_(output != 0),  // as is all of a row that is NaN
      weights_or_one_(at::where(is_in_support_, output.to(dtype), 1)) {}

template <class Exponent>
void Slopes::set_slopes(Exponent const& exponent) {
  slopes_ = on_support(weights_or_one_.pow(exponent));
  sum_of_slopes_ = sum(slopes_).clamp_min(kLeastSumOfSlopes);
}

at::Tensor Slopes::on_support(at::Tensor const& tensor) const {
  return at::where(is_in_support_, tensor.to(dtype_), 0);
}

at::Tensor Slopes::less_mean(at::Tensor const& tensor) const {
  return tensor - sum(slopes_ * tensor) / sum_of_slopes_;
}

VaryingSlopes::VaryingSlopes(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                             int64_t dim)
    : slopes_(output, 2 - alpha, dim, at::toOpMathType(output.scalar_type())) {
  at::Tensor const grad = slopes_.less_mean(slopes_.on_support(grad_output));
  curvature_ = slopes_.on_support((2 - alpha) * slopes_.weights_or_one().pow(1 - alpha) * grad);
}

at::Tensor VaryingSlopes::tangent(at::Tensor const& of_output) const {
  at::Tensor const change = curvature_ * slopes_.on_support(of_output);
  return change - slopes_.slopes() * (slopes_.sum(change) / slopes_.sum_of_slopes());
}

at::Tensor VaryingSlopes::gradient(at::Tensor const& of_result) const {
  return curvature_ * slopes_.less_mean(slopes_.on_support(of_result));
}

}  // namespace zeta::ops
