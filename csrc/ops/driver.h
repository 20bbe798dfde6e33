#pragma once

#include <ATen/Dispatch.h>
#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <tuple>

#include "ops/largest.h"
#include "ops/row_arguments.h"
#include "ops/support.h"
#include "rowwise/cpu/huge_pages.h"
#include "rowwise/float16.h"

// What the operators of every device do around a launch, in this order: check the arguments, set
// the device, allocate, return if there is nothing to write, dispatch on the dtype, launch. A
// launch takes a row geometry and one pointer for each of its operands, the written one first.
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

// Allocates a result without initialising it.
inline at::Tensor fresh_like(at::Tensor const& tensor, at::ScalarType dtype) {
  if (!tensor.is_cpu()) return at::empty_like(tensor, tensor.options().dtype(dtype));
  // This is what empty_like ends in, without its way through the dispatcher.
  at::Tensor result =
      tensor.is_non_overlapping_and_dense()
          ? at::Tensor(at::detail::empty_strided_cpu(tensor.sizes(), tensor.strides(), dtype))
          : at::empty_like(tensor, tensor.options().dtype(dtype));
  rowwise::cpu::advise_huge_pages(result.mutable_data_ptr(), static_cast<int64_t>(result.nbytes()));
  return result;
}

inline at::Tensor converted(at::Tensor const& tensor, at::ScalarType dtype) {
  return tensor.scalar_type() == dtype ? tensor : tensor.to(dtype);
}

// `full_length` is the length of the full rows, if each row here holds only some entries of one.
template <class Launch>
void launch_forward(at::Tensor const& weights, at::Tensor const& logits, int64_t k, int64_t dim,
                    Launch const& launch, std::optional<int64_t> full_length = std::nullopt) {
  if (weights.numel() == 0) return;
  auto geometry = row_geometry<2>({weights, logits}, dim);
  geometry.full_length = full_length.value_or(geometry.length);
  dispatch(weights.scalar_type(), [&]<class Scalar>() {
    launch(geometry, mutable_data_of<Scalar>(weights), data_of<Scalar>(logits), k);
  });
}

template <class Launch>
at::Tensor run_forward(char const* name, at::Tensor const& z, int64_t k, int64_t dim,
                       std::optional<at::ScalarType> dtype, Launch const& launch) {
  auto const arguments = check_forward(name, z, k, dim, dtype);
  c10::DeviceGuard const guard(z.device());
  at::Tensor weights = fresh_like(z, arguments.dtype);
  launch_forward(weights, converted(z, arguments.dtype), k, arguments.dim, launch);
  return weights;
}

template <class Launch>
at::Tensor& run_forward_out(char const* name, at::Tensor const& z, int64_t k, int64_t dim,
                            std::optional<at::ScalarType> dtype, at::Tensor& out,
                            Launch const& launch) {
  auto const arguments = check_forward_out(name, z, k, dim, dtype, out);
  c10::DeviceGuard const guard(z.device());
  at::native::resize_output(out, z.sizes());
  check_no_overlap(name, z, out);
  launch_forward(out, converted(z, arguments.dtype), k, arguments.dim, launch);
  return out;
}

template <class Launch>
at::Tensor run_forward_of_candidates(char const* name, at::Tensor const& candidates, int64_t k,
                                     int64_t dim, int64_t length, Launch const& launch) {
  auto const arguments = check_of_candidates(name, candidates, k, dim, length);
  c10::DeviceGuard const guard(candidates.device());
  at::Tensor weights = fresh_like(candidates, arguments.dtype);
  launch_forward(weights, candidates, k, arguments.dim, launch, length);
  return weights;
}

template <class Launch>
at::Tensor run_backward(char const* name, at::Tensor const& grad_output, at::Tensor const& output,
                        int64_t dim, at::ScalarType input_dtype, Launch const& launch,
                        std::optional<int64_t> full_length = std::nullopt) {
  int64_t const row_dim = check_backward(name, grad_output, output, dim, input_dtype);
  c10::DeviceGuard const guard(output.device());
  at::Tensor const grad_input = fresh_like(output, output.scalar_type());
  if (grad_input.numel() != 0) {
    auto geometry = row_geometry<3>({grad_input, grad_output, output}, row_dim);
    geometry.full_length = full_length.value_or(geometry.length);
    dispatch(output.scalar_type(), [&]<class Scalar>() {
      launch(geometry, mutable_data_of<Scalar>(grad_input), data_of<Scalar>(grad_output),
             data_of<Scalar>(output));
    });
  }
  return converted(grad_input, input_dtype);
}

template <class Launch>
std::tuple<at::Tensor, at::Tensor> run_forward_with_support(char const* name, at::Tensor const& z,
                                                            int64_t k, int64_t dim,
                                                            std::optional<at::ScalarType> dtype,
                                                            Launch const& launch) {
  auto const arguments = check_forward_with_support(name, z, k, dim, dtype);
  c10::DeviceGuard const guard(z.device());
  at::Tensor weights = fresh_like(z, arguments.dtype);
  at::Tensor support = empty_support(z, k, arguments.dim);
  if (weights.numel() == 0) return {weights, support.zero_()};
  at::Tensor const logits = converted(z, arguments.dtype);
  auto const geometry = row_geometry<3>({weights, logits, support}, arguments.dim);
  dispatch(weights.scalar_type(), [&]<class Scalar>() {
    launch(geometry, mutable_data_of<Scalar>(weights), data_of<Scalar>(logits),
           support.mutable_data_ptr<int32_t>(), k);
  });
  return {weights, support};
}

template <class Launch>
at::Tensor run_support_backward(char const* name, at::Tensor const& grad_output,
                                at::Tensor const& support, int64_t dim, at::ScalarType input_dtype,
                                Launch const& launch) {
  int64_t const row_dim = check_support_backward(name, grad_output, support, dim, input_dtype);
  c10::DeviceGuard const guard(grad_output.device());
  at::Tensor const grad_input = fresh_like(grad_output, grad_output.scalar_type());
  if (grad_input.numel() != 0) {
    auto const geometry = row_geometry<3>({grad_input, grad_output, support}, row_dim);
    int64_t const capacity = support.size(row_dim) - 1;
    dispatch(grad_output.scalar_type(), [&]<class Scalar>() {
      launch(geometry, mutable_data_of<Scalar>(grad_input), data_of<Scalar>(grad_output),
             support.const_data_ptr<int32_t>(), capacity);
    });
  }
  return converted(grad_input, input_dtype);
}

template <class Launch>
at::Tensor run_largest(char const* name, at::Tensor const& z, int64_t k, int64_t dim,
                       Launch const& launch) {
  int64_t const row_dim = check_largest(name, z, k, dim);
  c10::DeviceGuard const guard(z.device());
  at::Tensor columns = largest::empty_columns(z, k, row_dim);
  if (columns.numel() == 0) return columns;
  auto geometry = row_geometry<2>({columns, z}, row_dim);
  geometry.length = z.size(row_dim);
  dispatch(z.scalar_type(), [&]<class Scalar>() {
    launch(geometry, columns.mutable_data_ptr<int64_t>(), data_of<Scalar>(z),
           columns.size(row_dim));
  });
  return columns;
}

}  // namespace zeta::ops
