#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Blocks whose warps have a part each of one row or segment.
namespace zeta::rowwise::cuda {

// The shortest list that holds the k largest, or 0.
constexpr int list_size(int64_t k) {
  for (int size : kFewSizes) {
    if (k <= size) return size;
  }
  return 0;
}

// What such a block has besides its stages.
inline constexpr int kOtherBytesOfBlock =
    kExchangeBytes + kSegmentCandidateBytes + kSystemSharedBytes;

// Warps that a block has at most.
constexpr int most_warps_of_block(Device const& device) {
  int warps = kMostWarpsPerRow;
  while (warps > 1 &&
         pipe_shared_bytes(kStages, warps) + kOtherBytesOfBlock > device.shared_bytes) {
    --warps;
  }
  return warps;
}

// Rows or segments to blocks of plan.warps_per_row, one at a time.
constexpr void share_blocks_of_warps(int64_t count, Device const& device, Plan& plan) {
  int const block_bytes = pipe_shared_bytes(kStages, plan.warps_per_row) + kOtherBytesOfBlock;
  int const blocks_of_multiprocessor = std::clamp(
      device.shared_bytes / block_bytes, 1, kBlocksOfPipes * kWarpsPerBlock / plan.warps_per_row);
  int64_t const most_blocks = int64_t{device.multiprocessors} * blocks_of_multiprocessor;
  plan.blocks = static_cast<int>(std::min(most_blocks, count));
  plan.stages_per_warp = count <= most_blocks ? 1 : kStages;
  plan.most_shared_bytes = pipe_shared_bytes(kStages, most_warps_of_block(device));
}

}  // namespace zeta::rowwise::cuda
