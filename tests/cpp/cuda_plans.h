#pragma once

#include <algorithm>
#include <cstdint>

#include "cuda_rows.h"
#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/plan_warps.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Layouts and plans for the tests that run the kernels of the forward on the CPU. The plans are
// those that more or much longer rows would have.
namespace zeta::rowwise::cuda_rows {

inline Layout layout_of(Case const& one) {
  if (one.regime == cuda::Regime::kColumns) {
    // Rows of 16 bits may be read two at once only where all strides are even.
    return one.seed % 3 == 0 ? groups_side_by_side(one.rows % 2 == 0 ? 6 : 5, one.length)
                             : side_by_side(one.rows + static_cast<int64_t>(one.seed % 3));
  }
  bool const has_gaps = one.regime == cuda::Regime::kPasses && one.seed % 4 != 0;
  return has_gaps ? with_gaps(one.length) : contiguous(one.length);
}

// Returns how many rows go by columns: a multiple of those that are neighbours.
inline int64_t rows_of_columns(int64_t length) {
  return length % 2 == 0 ? 42 : length % 3 == 0 ? 35 : 75;
}

// Rows side by side in blocks of other shapes than a plan has for so few.
inline void vary_columns(uint64_t seed, cuda::Shape const& shape, cuda::Plan& plan) {
  int const threads = 1 << seed % 7;
  plan.parts_per_row = std::max(1 << seed / 7 % 5, cuda::kWarpThreads / threads);
  plan.threads_per_part = std::min(threads, 256 / plan.parts_per_row);
  int64_t const rows = plan.threads_per_part * (shape.element_bytes == 2 ? 2 : 1);
  plan.blocks =
      static_cast<int>(shape.rows / shape.neighbours * ((shape.neighbours - 1) / rows + 1));
}

// Rows cut into as many segments as only much longer ones have.
inline void cut_finely(int chunks_per_segment, cuda::Shape const& shape, cuda::Device const& device,
                       cuda::Plan& plan) {
  plan.part_length = chunks_per_segment * cuda::kChunkBytes / shape.element_bytes;
  plan.parts_per_row = static_cast<int>((shape.length - 1) / plan.part_length + 1);
  plan.warps_per_row = 1;
  plan.stages_per_warp = cuda::kStages;
  plan.merging_warps = 0;
  cuda::share_merging(shape, device, plan);
}

}  // namespace zeta::rowwise::cuda_rows
