#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// The nodes of gradient_node.h know neither torch.func nor forward-mode AD. Under these the
// operators give their kernel's value with derivatives made of ATen operators.
namespace zeta::ops {

bool has_tangent(at::Tensor const& tensor);

// Whether torch.func transforms the call, or forward-mode AD the tensor.
bool is_transformed(at::Tensor const& tensor);

// `value`, with the derivatives with respect to `x` of x - mean(x) on the support of `weights` and
// of 0 elsewhere. Rows of NaN weights have NaN derivatives.
at::Tensor differentiable_projection(at::Tensor const& value, at::Tensor const& weights,
                                     at::Tensor const& x, int64_t dim);

}  // namespace zeta::ops
