#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Plans blocks whose warps each have a part of one row or segment.
namespace zeta::rowwise::cuda {

// Returns the size of the shortest list that holds the k largest, or 0 if there is none.
constexpr int list_size(int64_t k) {
  for (int size : kFewSizes) {
    if (k <= size) return size;
  }
  return 0;
}

// Shared memory that such a block uses besides its stages.
inline constexpr int kOtherBytesOfBlock =
    kExchangeBytes + kSegmentCandidateBytes + kSystemSharedBytes;

// Returns the most warps that a block can have on the device.
constexpr int most_warps_of_block(Device const& device) {
  int warps = kMostWarpsPerRow;
  while (warps > 1 &&
         pipe_shared_bytes(kStages, warps) + kOtherBytesOfBlock > device.shared_bytes) {
    --warps;
  }
  return warps;
}

// Assigns rows or segments to blocks of plan.warps_per_row warps, one at a time.
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
