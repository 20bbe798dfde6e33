#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Derivatives of entmax where slopes vary, by PyTorch's own operators, which know their
// derivatives.
namespace zeta::ops {

// The slopes s = p^(2 - alpha) of weights p on the support, 0 elsewhere, in rows along a dim.
class Slopes {
 public:
  // The exponent is 2 - alpha, of all rows or of each. All is computed in this dtype.
  Slopes(at::Tensor const& output, double exponent, int64_t dim, at::ScalarType dtype);
  Slopes(at::Tensor const& output, at::Tensor const& exponents, int64_t dim, at::ScalarType dtype);

  at::Tensor const& slopes() const { return slopes_; }
  at::Tensor const& sum_of_slopes() const { return sum_of_slopes_; }
  at::Tensor const& weights_or_one() const { return weights_or_one_; }  // 1 off the support

  // The tensor with 0 off the support, where it may be no number.
  at::Tensor on_support(at::Tensor const& tensor) const;
  // Less the mean of each row, weighted by the slopes.
  at::Tensor less_mean(at::Tensor const& tensor) const;
  at::Tensor sum(at::Tensor const& tensor) const { return tensor.sum({dim_}, /*keepdim=*/true); }

 private:
  Slopes(at::Tensor const& output, int64_t dim, at::ScalarType dtype);
  template <class Exponent>
  void set_slopes(Exponent const& exponent);

  int64_t dim_;
  at::ScalarType dtype_;
  at::Tensor is_in_support_;
  at::Tensor weights_or_one_;
  at::Tensor slopes_;
  at::Tensor sum_of_slopes_;
};

// The derivative of family::backward() with respect to the weights p that it reads. With means <.>
// weighted by the slopes, it maps g to
//
//   s (g - <g>),
//
// so its derivative in the direction of a change t of the weights is
//
//   a - s sum(a) / sum(s),   a = c t,   c = (2 - alpha) p^(1 - alpha) (g - <g>).
//
// For alpha = 2 the slopes are constant, and c is 0. Half precision is computed in float32.
class VaryingSlopes {
 public:
  VaryingSlopes(at::Tensor const& grad_output, at::Tensor const& output, double alpha, int64_t dim);

  // What the backward's result changes by as the weights change by this much.
  at::Tensor tangent(at::Tensor const& of_output) const;

  // The gradient of the weights, given that of the backward's result.
  at::Tensor gradient(at::Tensor const& of_result) const;

 private:
  Slopes slopes_;
  at::Tensor curvature_;  // the c above
};

}  // namespace zeta::ops
