#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace zeta::ops {

// Keeps 0 / 0 away where all weights of a row round to 0. Other rows are above it, since no slope
// is below its weight, and weights sum to 1.
inline constexpr double kLeastSumOfSlopes = 1e-30;

// The derivative of family::backward() with respect to the weights p that it reads. With
// b = alpha - 1, slopes s = p^(1 - b) on the support, and means <.> weighted by them, it maps g to
//
//   s (g - <g>),
//
// so its derivative in the direction of a change t of the weights is
//
//   a - s sum(a) / sum(s),   a = c t,   c = (1 - b) p^(-b) (g - <g>).
//
// For alpha = 2 the slopes are constant, and c is 0. Everything here is made of PyTorch's own
// operators, which know their derivatives. Sums over half precision are taken in float32.
class VaryingSlopes {
 public:
  VaryingSlopes(at::Tensor const& grad_output, at::Tensor const& output, double alpha, int64_t dim);

  // What the backward's result changes by as the weights change by this much.
  at::Tensor tangent(at::Tensor const& of_output) const;

  // The gradient of the weights, given that of the backward's result.
  at::Tensor gradient(at::Tensor const& of_result) const;

 private:
  at::Tensor computed(at::Tensor const& tensor) const;
  at::Tensor sum(at::Tensor const& tensor) const { return tensor.sum({dim_}, /*keepdim=*/true); }
  at::Tensor less_mean(at::Tensor const& tensor) const;

  int64_t dim_;
  at::Tensor is_in_support_;
  at::Tensor slopes_;
  at::Tensor sum_of_slopes_;
  at::Tensor curvature_;  // the c above
};

}  // namespace zeta::ops
