#include "ops/autograd/slopes.h"

#include <ATen/OpMathType.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/where.h>

namespace zeta::ops {

VaryingSlopes::VaryingSlopes(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                             int64_t dim)
    : dim_(dim), is_in_support_(output != 0) {  // as is all of a row that is NaN
  at::Tensor const weights =
      at::where(is_in_support_, output.to(at::toOpMathType(output.scalar_type())), 1);
  slopes_ = computed(weights.pow(2 - alpha));
  sum_of_slopes_ = sum(slopes_).clamp_min(kLeastSumOfSlopes);
  curvature_ = computed((2 - alpha) * weights.pow(1 - alpha) * less_mean(computed(grad_output)));
}

at::Tensor VaryingSlopes::tangent(at::Tensor const& of_output) const {
  at::Tensor const change = curvature_ * computed(of_output);
  return change - slopes_ * (sum(change) / sum_of_slopes_);
}

at::Tensor VaryingSlopes::gradient(at::Tensor const& of_result) const {
  return curvature_ * less_mean(computed(of_result));
}

// Returns what is off the support as 0.
at::Tensor VaryingSlopes::computed(at::Tensor const& tensor) const {
  return at::where(is_in_support_, tensor.to(at::toOpMathType(tensor.scalar_type())), 0);
}

at::Tensor VaryingSlopes::less_mean(at::Tensor const& tensor) const {
  return tensor - sum(slopes_ * tensor) / sum_of_slopes_;
}

}  // namespace zeta::ops
