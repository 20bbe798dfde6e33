#pragma once

#include <ATen/Dispatch.h>
#include <ATen/core/Tensor.h>

#include "rowwise/float16.h"

// Torch's scalar types as the engine's.
namespace zeta::ops {

// The engine's type with the same bits as a c10 type.
template <class Scalar>
struct EngineScalar {
  using type = Scalar;
};
template <>
struct EngineScalar<at::Half> {
  using type = rowwise::Float16;
};
template <>
struct EngineScalar<at::BFloat16> {
  using type = rowwise::BFloat16;
};

// Calls launch.operator()<Scalar>(), where Scalar is the engine's type for the dtype.
template <class Launch>
void dispatch(at::ScalarType dtype, Launch const& launch) {
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kHalf, at::kBFloat16, dtype, "zeta", [&] {
    launch.template operator()<typename EngineScalar<scalar_t>::type>();
  });
}

template <class Scalar>
Scalar const* data_of(at::Tensor const& tensor) {
  return static_cast<Scalar const*>(tensor.const_data_ptr());
}
template <class Scalar>
Scalar* mutable_data_of(at::Tensor const& tensor) {
  return static_cast<Scalar*>(tensor.mutable_data_ptr());
}

}  // namespace zeta::ops
