#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/SymInt.h>

#include <cstdint>
#include <limits>

// The support as a tensor that the forward hands to the backward in place of the output. It is
// int32, of the output's shape but for 1 + min(k, n) along the rows' dimension: the count of a
// row's non-zero weights, their columns in increasing order, then kNoColumn of
// rowwise/saved_support.h. That dimension is the innermost in memory.
namespace zeta::ops {

inline constexpr int64_t kLongestRowOfSupport = std::numeric_limits<int32_t>::max();

// Whether the forward is to write the support, and the backward to read it in place of the output.
// Measured on a CPU, with 64 MiB of gradients on two threads, float32, float64 and bfloat16: up to
// k = n / 16 forward and backward together take 0.9 to 1 of the time that they take by the output,
// at n / 8 short rows begin to take more, at n / 2 all do, for padding supports. The backward alone
// takes 0.5 to 0.9 at any k. CUDA goes by the same rule: it was not measured on a GPU.
constexpr bool support_pays(int64_t length, int64_t k) {
  return length <= kLongestRowOfSupport && 1 <= k && k <= length / 16;
}

at::Tensor empty_support(at::Tensor const& z, c10::SymInt const& k, int64_t dim);

}  // namespace zeta::ops
