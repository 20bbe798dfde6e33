#pragma once

#include <ATen/EmptyTensor.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>

#include <cstdint>
#include <optional>
#include <tuple>

#include "ops/family.h"
#include "ops/member_operator.h"
#include "ops/results.h"
#include "ops/row_arguments.h"
#include "ops/scalars.h"
#include "rowwise/cpu/huge_pages.h"
#include "rowwise/mask.h"

namespace zeta::ops {

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

inline rowwise::MaskEntry const* data_of_mask(at::Tensor const& mask) {
  return static_cast<rowwise::MaskEntry const*>(mask.const_data_ptr());
}

// Returns the call with a copy of its mask if `out` may lie over that.
inline Call with_mask_apart_from(at::Tensor const& out, Call call) {
  if (call.mask.defined() && call.mask.is_alias_of(out)) call.mask = call.mask.clone();
  return call;
}

// The kernels of all operators on one device. Around a launch they do this, in this order: check
// the arguments, set the device, allocate, return if there is nothing to write, dispatch on the
// dtype, launch. A function of `Launches` takes the operator's name, for errors, a row geometry,
// and one pointer for each of its operands, in the order of the geometry.
template <class Launches>
class DeviceKernels {
 public:
  static at::Tensor forward(MemberOperator const& member, at::Tensor const& z, Call const& call) {
    auto const arguments = check_forward(member.name, z, call);
    c10::DeviceGuard const guard(z.device());
    at::Tensor weights = fresh_like(z, arguments.dtype);
    launch(member.name, call, weights, converted(z, arguments.dtype), arguments.dim);
    return weights;
  }

  static at::Tensor& forward_out(MemberOperator const& member, at::Tensor const& z,
                                 Call const& call, at::Tensor& out) {
    auto const arguments = check_forward_out(member.name, z, call, out);
    c10::DeviceGuard const guard(z.device());
    at::native::resize_output(out, z.sizes());
    check_no_overlap(member.name, z, out);
    Call const apart = with_mask_apart_from(out, call);
    launch(member.name, apart, out, converted(z, arguments.dtype), arguments.dim);
    return out;
  }

  static at::Tensor forward_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                      std::optional<c10::SymInt> k, int64_t dim,
                                      std::optional<at::Tensor> const& mask,
                                      std::optional<at::ScalarType> dtype) {
    Call const call = call_of_alphas(std::move(k), dim, mask, dtype);
    auto const arguments = check_of_alphas(members::Entmax::kName, z, alpha, call);
    c10::DeviceGuard const guard(z.device());
    at::Tensor weights = fresh_like(z, arguments.dtype);
    launch_forward_of_alphas(members::Entmax::kName, call, weights, converted(z, arguments.dtype),
                             converted(alpha, at::kDouble), arguments.dim);
    return weights;
  }

  static at::Tensor& forward_of_alphas_out(at::Tensor const& z, at::Tensor const& alpha,
                                           std::optional<c10::SymInt> k, int64_t dim,
                                           std::optional<at::Tensor> const& mask,
                                           std::optional<at::ScalarType> dtype, at::Tensor& out) {
    constexpr auto* name = members::Entmax::kName;
    Call const call = call_of_alphas(std::move(k), dim, mask, dtype);
    auto const arguments = check_of_alphas_out(name, z, alpha, call, out);
    c10::DeviceGuard const guard(z.device());
    at::native::resize_output(out, z.sizes());
    check_no_overlap(name, z, out);
    // The alphas are few, so that they are copied where `out` may lie over them.
    at::Tensor const alphas =
        alpha.to(at::kDouble, /*non_blocking=*/false, /*copy=*/alpha.is_alias_of(out));
    launch_forward_of_alphas(name, with_mask_apart_from(out, call), out,
                             converted(z, arguments.dtype), alphas, arguments.dim);
    return out;
  }

  static Compact compact(MemberOperator const& member, at::Tensor const& z, Call const& call) {
    auto const arguments = check_forward(member.name, z, call);
    c10::DeviceGuard const guard(z.device());
    auto const [values, indices] = empty_compact(z, call.k, arguments.dim, arguments.dtype);
    if (values.numel() == 0) return {values, indices};
    at::Tensor const logits = converted(z, arguments.dtype);
    int64_t const k = known(call.k);
    dispatch(arguments.dtype, [&]<class Scalar>() {
      auto* const to = mutable_data_of<Scalar>(values);
      auto const* const from = data_of<Scalar>(logits);
      auto* const columns = indices.mutable_data_ptr<int64_t>();
      if (call.mask.defined()) {
        at::Tensor const mask = call.mask.expand(z.sizes());
        auto const geometry = compact_geometry<4>({values, logits, indices, mask}, arguments.dim);
        Launches::compact_masked(member.name, call.alpha, geometry, to, from, columns,
                                 data_of_mask(mask), k);
      } else {
        auto const geometry = compact_geometry<3>({values, logits, indices}, arguments.dim);
        Launches::compact(member.name, call.alpha, geometry, to, from, columns, k);
      }
    });
    return {values, indices};
  }

  static Compact compact_of_alphas(at::Tensor const& z, at::Tensor const& alpha,
                                   std::optional<c10::SymInt> k, int64_t dim,
                                   std::optional<at::Tensor> const& mask,
                                   std::optional<at::ScalarType> dtype) {
    constexpr auto* name = members::Entmax::kName;
    Call const call = call_of_alphas(std::move(k), dim, mask, dtype);
    auto const arguments = check_of_alphas(name, z, alpha, call);
    c10::DeviceGuard const guard(z.device());
    auto const [values, indices] = empty_compact(z, call.k, arguments.dim, arguments.dtype);
    if (values.numel() == 0) return {values, indices};
    bool const has_mask = call.mask.defined();
    at::Tensor const logits = converted(z, arguments.dtype);
    at::Tensor const alphas = converted(alpha, at::kDouble).expand(values.sizes());
    at::Tensor const of_entries = has_mask ? call.mask.expand(z.sizes()) : values;
    auto const geometry =
        compact_geometry<5>({values, logits, indices, of_entries, alphas}, arguments.dim);
    dispatch(arguments.dtype, [&]<class Scalar>() {
      Launches::compact_of_alphas(name, geometry, mutable_data_of<Scalar>(values),
                                  data_of<Scalar>(logits), indices.mutable_data_ptr<int64_t>(),
                                  has_mask ? data_of_mask(of_entries) : nullptr,
                                  alphas.const_data_ptr<double>(), known(call.k));
    });
    return {values, indices};
  }

  static std::tuple<at::Tensor, at::Tensor> forward_with_support(
      at::Tensor const& z, double alpha, c10::SymInt k, int64_t dim,
      std::optional<at::Tensor> const& mask, std::optional<at::ScalarType> dtype) {
    constexpr auto* name = family::kWithSupportName;
    Call const call = {alpha, std::move(k), dim, tensor_of(mask), dtype};
    auto const arguments = check_forward_with_support(name, z, call);
    c10::DeviceGuard const guard(z.device());
    at::Tensor weights = fresh_like(z, arguments.dtype);
    at::Tensor support = empty_support(z, call.k, arguments.dim);
    if (weights.numel() == 0) return {weights, support.zero_()};
    at::Tensor const logits = converted(z, arguments.dtype);
    if (call.mask.defined()) {
      launch_masked(name, call, weights, logits, support, arguments.dim);
      return {weights, support};
    }
    auto const geometry = row_geometry<3>({weights, logits, support}, arguments.dim);
    dispatch(weights.scalar_type(), [&]<class Scalar>() {
      Launches::forward_with_support(name, alpha, geometry, mutable_data_of<Scalar>(weights),
                                     data_of<Scalar>(logits), support.mutable_data_ptr<int32_t>(),
                                     known(call.k));
    });
    return {weights, support};
  }

  static at::Tensor of_candidates(at::Tensor const& candidates, double alpha, c10::SymInt k,
                                  int64_t dim, c10::SymInt length) {
    constexpr auto* name = family::kOfCandidatesName;
    auto const arguments =
        check_of_candidates(name, candidates, {alpha, k, dim, at::Tensor(), std::nullopt}, length);
    c10::DeviceGuard const guard(candidates.device());
    at::Tensor weights = fresh_like(candidates, arguments.dtype);
    launch_forward(name, alpha, weights, candidates, known(k), arguments.dim, known(length));
    return weights;
  }

  static at::Tensor candidates_of_alphas(at::Tensor const& candidates, at::Tensor const& alpha,
                                         c10::SymInt k, int64_t dim, c10::SymInt length) {
    constexpr auto* name = family::kOfCandidatesName;
    Call const call = call_of_alphas(std::move(k), dim, std::nullopt, std::nullopt);
    auto const arguments = check_candidates_of_alphas(name, candidates, alpha, call, length);
    c10::DeviceGuard const guard(candidates.device());
    at::Tensor weights = fresh_like(candidates, arguments.dtype);
    launch_forward_of_alphas(name, call, weights, candidates, converted(alpha, at::kDouble),
                             arguments.dim, known(length));
    return weights;
  }

  static at::Tensor backward(at::Tensor const& grad_output, at::Tensor const& output, double alpha,
                             int64_t dim, at::ScalarType input_dtype,
                             std::optional<c10::SymInt> length) {
    constexpr auto* name = family::kBackwardName;
    int64_t const row_dim =
        check_backward(name, grad_output, output, alpha, dim, input_dtype, length);
    c10::DeviceGuard const guard(output.device());
    at::Tensor const grad_input = fresh_like(output, output.scalar_type());
    if (grad_input.numel() != 0) {
      auto geometry = row_geometry<3>({grad_input, grad_output, output}, row_dim);
      geometry.full_length = length.has_value() ? known(*length) : geometry.length;
      dispatch(output.scalar_type(), [&]<class Scalar>() {
        Launches::backward(name, alpha, geometry, mutable_data_of<Scalar>(grad_input),
                           data_of<Scalar>(grad_output), data_of<Scalar>(output));
      });
    }
    return converted(grad_input, input_dtype);
  }

  static at::Tensor support_backward(at::Tensor const& grad_output, at::Tensor const& support,
                                     std::optional<at::Tensor> const& output, double alpha,
                                     int64_t dim, at::ScalarType input_dtype) {
    constexpr auto* name = family::kSupportBackwardName;
    int64_t const row_dim =
        check_support_backward(name, grad_output, support, output, alpha, dim, input_dtype);
    c10::DeviceGuard const guard(grad_output.device());
    at::Tensor const grad_input = fresh_like(grad_output, grad_output.scalar_type());
    if (grad_input.numel() != 0) {
      int64_t const capacity = support.size(row_dim) - 1;
      auto const* const columns = support.const_data_ptr<int32_t>();
      dispatch(grad_output.scalar_type(), [&]<class Scalar>() {
        auto* const result = mutable_data_of<Scalar>(grad_input);
        auto const* const grads = data_of<Scalar>(grad_output);
        if (family::has_constant_slopes(alpha)) {
          auto const geometry = row_geometry<3>({grad_input, grad_output, support}, row_dim);
          Launches::support_backward(name, alpha, geometry, result, grads, columns, capacity);
        } else {
          auto const geometry =
              row_geometry<4>({grad_input, grad_output, *output, support}, row_dim);
          Launches::support_backward(name, alpha, geometry, result, grads, data_of<Scalar>(*output),
                                     columns, capacity);
        }
      });
    }
    return converted(grad_input, input_dtype);
  }

  static at::Tensor largest(at::Tensor const& z, c10::SymInt k, int64_t dim,
                            std::optional<at::Tensor> const& mask) {
    constexpr auto* name = family::kLargestName;
    at::Tensor const takes_part = tensor_of(mask);
    int64_t const row_dim = check_largest(name, z, k, dim, takes_part);
    c10::DeviceGuard const guard(z.device());
    at::Tensor const indices = empty_largest(z, k, row_dim, at::kLong);
    if (indices.numel() == 0) return indices;
    auto* const columns = indices.mutable_data_ptr<int64_t>();
    dispatch(z.scalar_type(), [&]<class Scalar>() {
      int64_t const count = indices.size(row_dim);
      if (!takes_part.defined()) {
        auto const geometry = compact_geometry<2>({indices, z}, row_dim);
        return Launches::largest(name, geometry, columns, data_of<Scalar>(z), count);
      }
      at::Tensor const of_entries = takes_part.expand(z.sizes());
      auto const geometry = compact_geometry<3>({indices, z, of_entries}, row_dim);
      Launches::largest_masked(name, geometry, columns, data_of<Scalar>(z),
                               data_of_mask(of_entries), count);
    });
    return indices;
  }

 private:
  // Outside of traces every size is a number.
  static int64_t known(c10::SymInt const& size) { return size.guard_int(__FILE__, __LINE__); }

  // `full_length` is the length of the full rows, if each row here holds only some entries of one.
  static void launch_forward(char const* name, double alpha, at::Tensor const& weights,
                             at::Tensor const& logits, int64_t k, int64_t dim,
                             std::optional<int64_t> full_length = std::nullopt) {
    if (weights.numel() == 0) return;
    auto geometry = row_geometry<2>({weights, logits}, dim);
    geometry.full_length = full_length.value_or(geometry.length);
    dispatch(weights.scalar_type(), [&]<class Scalar>() {
      Launches::forward(name, alpha, geometry, mutable_data_of<Scalar>(weights),
                        data_of<Scalar>(logits), k);
    });
  }

  // What is not given is undefined, and has a null pointer; its place in the geometry is that of
  // the weights.
  static void launch_masked(char const* name, Call const& call, at::Tensor const& weights,
                            at::Tensor const& logits, at::Tensor const& support, int64_t dim) {
    if (weights.numel() == 0) return;
    at::Tensor const mask = call.mask.expand(logits.sizes());
    auto const geometry =
        row_geometry<4>({weights, logits, support.defined() ? support : weights, mask}, dim);
    auto* const columns = support.defined() ? support.mutable_data_ptr<int32_t>() : nullptr;
    dispatch(weights.scalar_type(), [&]<class Scalar>() {
      Launches::forward_masked(name, call.alpha, geometry, mutable_data_of<Scalar>(weights),
                               data_of<Scalar>(logits), columns, data_of_mask(mask), known(call.k));
    });
  }

  static void launch(char const* name, Call const& call, at::Tensor const& weights,
                     at::Tensor const& logits, int64_t dim) {
    if (call.mask.defined()) {
      return launch_masked(name, call, weights, logits, /*support=*/at::Tensor(), dim);
    }
    launch_forward(name, call.alpha, weights, logits, known(call.k), dim);
  }

  static void launch_forward_of_alphas(char const* name, Call const& call,
                                       at::Tensor const& weights, at::Tensor const& logits,
                                       at::Tensor const& alphas, int64_t dim,
                                       std::optional<int64_t> full_length = std::nullopt) {
    if (weights.numel() == 0) return;
    at::Tensor const of_entries = alphas.expand(logits.sizes());
    at::Tensor const mask = call.mask.defined() ? call.mask.expand(logits.sizes()) : at::Tensor();
    auto geometry =
        row_geometry<4>({weights, logits, of_entries, mask.defined() ? mask : weights}, dim);
    geometry.full_length = full_length.value_or(geometry.length);
    dispatch(weights.scalar_type(), [&]<class Scalar>() {
      Launches::forward_of_alphas(name, geometry, mutable_data_of<Scalar>(weights),
                                  data_of<Scalar>(logits), alphas.const_data_ptr<double>(),
                                  mask.defined() ? data_of_mask(mask) : nullptr, known(call.k));
    });
  }

  // The rows of the logits, the second operand, are longer than those of the others.
  template <size_t Operands>
  static auto compact_geometry(
      std::array<std::reference_wrapper<at::Tensor const>, Operands> const& operands, int64_t dim) {
    at::Tensor const& logits = operands[1];
    auto geometry = row_geometry<Operands>(operands, dim);
    geometry.length = logits.dim() == 0 ? 1 : logits.size(dim);
    geometry.full_length = geometry.length;
    return geometry;
  }
};

}  // namespace zeta::ops
