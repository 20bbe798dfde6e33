#include "ops/autograd/differentiable_projection.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/DispatchKey.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace zeta::ops {

bool has_tangent(at::Tensor const& tensor) { return tensor._fw_grad(/*level=*/0).defined(); }

bool is_transformed(at::Tensor const& tensor) {
  return c10::impl::tls_is_dispatch_key_included(c10::DispatchKey::FuncTorchDynamicLayerBackMode) ||
         has_tangent(tensor);
}

at::Tensor differentiable_projection(at::Tensor const& value, at::Tensor const& weights,
                                     at::Tensor const& x, int64_t dim) {
  // Detached, or the derivative would count twice.
  at::Tensor const constant = value.detach();
  at::Tensor const detached_weights = weights.detach();
  at::Tensor const in_support = detached_weights != 0;
  at::Tensor const indicator =
      at::where(at::isnan(detached_weights), detached_weights, in_support.to(weights.dtype()))
          .to(at::kDouble);
  // Zero in value; only its derivatives count.
  at::Tensor const wide = x.to(at::kDouble);
  at::Tensor const difference = wide - wide.detach();
  at::Tensor const zero = at::zeros_like(difference);
  at::Tensor const change = at::where(in_support, difference, zero);
  at::Tensor const size = indicator.sum(dim, /*keepdim=*/true).clamp_min(1);
  at::Tensor const mean = (indicator * change).sum(dim, /*keepdim=*/true) / size;
  at::Tensor const projected = at::where(in_support, indicator * (change - mean), zero);
  return constant + projected.to(value.scalar_type());
}

}  // namespace zeta::ops
