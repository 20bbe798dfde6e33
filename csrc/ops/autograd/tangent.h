#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Sets forward-mode derivatives, including those of torch.func.jvp. The Jacobian of these operators
// is symmetric, so the tangent of the result is what the backward makes of the input's tangent.
namespace zeta::ops {

inline constexpr uint64_t kLevel = 0;  // PyTorch has no other

inline bool has_tangent(at::Tensor const& tensor) { return tensor._fw_grad(kLevel).defined(); }

// If x has a tangent, sets the tangent of `result` to what `derivative` makes of it.
template <class Derivative>
void set_tangent(at::Tensor const& result, at::Tensor const& x, Derivative const& derivative) {
  if (!has_tangent(x)) return;
  result._set_fw_grad(derivative(x._fw_grad(kLevel)), kLevel, /*is_inplace_op=*/false);
}

}  // namespace zeta::ops
