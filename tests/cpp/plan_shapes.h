#pragma once

#include <cstdint>

#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// A device and shapes for the tests of plans.
namespace zeta::rowwise::cuda {

// As an H100 has it.
inline constexpr Device kDevice = {132, 228 << 10};

// `k` is that of a forward or the capacity of a support.
constexpr Shape dense_rows(int64_t rows, int64_t length, int element_bytes, int64_t k = 0) {
  return {.rows = rows,
          .length = length,
          .element_bytes = element_bytes,
          .k = k,
          .is_dense = true,
          .is_contiguous = true,
          .is_aligned = length * element_bytes % kChunkBytes == 0,
          .is_side_by_side = false};
}

}  // namespace zeta::rowwise::cuda
