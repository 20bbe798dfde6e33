#pragma once

#include <ATen/core/Tensor.h>

// Forward-mode derivatives, also those of torch.func.jvp, of operators that are projections: linear
// on the support and symmetric, so that the tangent of a result is what the operator's gradient
// makes of the input's tangent.
namespace zeta::ops {

inline bool has_tangent(at::Tensor const& tensor) { return tensor._fw_grad(/*level=*/0).defined(); }

// Gives `result` the tangent that `derivative` makes of that of x, if x has one.
template <class Derivative>
void set_tangent(at::Tensor const& result, at::Tensor const& x, Derivative const& derivative) {
  if (!has_tangent(x)) return;
  result._set_fw_grad(derivative(x._fw_grad(/*level=*/0)), /*level=*/0, /*is_inplace_op=*/false);
}

}  // namespace zeta::ops
