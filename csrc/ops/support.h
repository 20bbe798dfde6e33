#pragma once

#include <cstdint>
#include <limits>

// The support is a tensor that the forward hands to the backward, instead of the output or, where
// slopes vary, beside it, so that the backward reads the output at the support alone. It is int32
// and has the output's shape, except for a size of 1 + min(k, n) along the rows' dimension. There
// it holds the count of a row's non-zero weights, their indices in increasing order, then kNoColumn
// of rowwise/saved_support.h. That dimension is the innermost in memory.
namespace zeta::ops {

inline constexpr int64_t kLongestRowOfSupport = std::numeric_limits<int32_t>::max();

// Whether the forward writes the support, and the backward reads it. For alpha = 2 this was
// measured on a CPU, with 64 MiB of gradients on two threads in float32, float64 and bfloat16.
// Up to k = n / 16, forward and backward together take 0.9 to 1 of the time that they take with the
// output. From n / 8 on, padding the supports makes short rows take longer, and at n / 2 all rows.
// The backward alone takes 0.5 to 0.9 of the time at any k. CUDA goes by the same rule, which was
// not measured on a GPU.
constexpr bool support_pays(int64_t length, int64_t k) {
  return length <= kLongestRowOfSupport && 1 <= k && k <= length / 16;
}

}  // namespace zeta::ops
