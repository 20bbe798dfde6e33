#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/plan_blocks.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Plans the regimes held and segments: a row, or a segment of one, to a stage of a warp.
namespace zeta::rowwise::cuda {

// Returns the shared memory of a block of one warp whose stages hold `bytes` of rows that begin
// anywhere.
constexpr int held_shared_bytes(int64_t bytes) {
  constexpr int kSlack = 2 * kChunkBytes;
  return static_cast<int>(kBarrierBytes + kStages * (bytes + kSlack));
}
constexpr int held_list_bytes(int element_bytes) {
  return kCandidatesPerWarp * (std::max(element_bytes, 4) + static_cast<int>(sizeof(int)));
}

// Returns how many chunks hold `bytes` of rows.
constexpr int chunks_of(int64_t bytes, bool is_aligned) {
  int64_t const slack = is_aligned ? 0 : 2 * (kChunkBytes - 1);
  return static_cast<int>((bytes + slack - 1) / kChunkBytes + 1);
}

// Returns how many chunks hold the mask of a row of `bytes`, or 0 if it has none.
constexpr int chunks_of_mask(int64_t bytes, Shape const& shape) {
  return shape.has_mask ? chunks_of(bytes / shape.element_bytes, /*is_aligned=*/false) : 0;
}

// Returns what a row of `bytes` takes in a stage, with its mask.
constexpr int64_t held_bytes(int64_t bytes, Shape const& shape) {
  return bytes + int64_t{chunks_of_mask(bytes, shape)} * kChunkBytes;
}

// Returns what the longest row that a warp holds takes.
constexpr int64_t most_held_bytes(Shape const& shape, Device const& device) {
  int64_t const left =
      most_shared_bytes(device) - held_list_bytes(shape.element_bytes) - held_shared_bytes(0);
  return std::min<int64_t>(held_bytes(kMostHeldBytes, shape),
                           left / kStages / kChunkBytes * kChunkBytes);
}

constexpr bool is_possible_for_held(Shape const& shape, Device const& device) {
  return shape.is_contiguous &&
         held_bytes(row_bytes(shape), shape) <= most_held_bytes(shape, device);
}

// Indices of a row, and of one segment behind it, are counted in 32 bits.
constexpr bool is_possible_for_segments(Shape const& shape) {
  return shape.is_contiguous && shape.length < INT32_MAX - kMostSegmentBytes;
}

// Returns the shared memory that is left for the buffer of each block if kBlocksOfThreads blocks
// share a multiprocessor.
constexpr int64_t most_buffer_bytes(int element_bytes, Device const& device) {
  int64_t const list_bytes =
      int64_t{kCandidatesPerBlock} * (element_bytes + static_cast<int>(sizeof(int)));
  int64_t const left = device.shared_bytes / kBlocksOfThreads - list_bytes - kOtherSharedBytes;
  return left / kChunkBytes * kChunkBytes;
}

// Assigns stages to blocks of one warp, one at a time.
constexpr void share_warps(int chunks_per_stage, int64_t stages, Shape const& shape,
                           Device const& device, Plan& plan) {
  plan.chunks_per_stage = chunks_per_stage;
  int const block_bytes = kBarrierBytes + kStages * plan.chunks_per_stage * kChunkBytes +
                          held_list_bytes(shape.element_bytes) + kSystemSharedBytes;
  int64_t const most_blocks =
      int64_t{device.multiprocessors} *
      std::clamp(device.shared_bytes / block_bytes, 1, kMostBlocksOfMultiprocessor);
  plan.blocks = static_cast<int>(std::min<int64_t>(most_blocks, stages));
  plan.stages_per_warp = stages <= most_blocks ? 1 : kStages;
}

constexpr void hold_rows(Shape const& shape, Device const& device, Plan& plan) {
  int const chunks = chunks_of(row_bytes(shape), shape.is_aligned);
  if (shape.has_mask) plan.first_chunk_of_mask = chunks;
  share_warps(chunks + chunks_of_mask(row_bytes(shape), shape), shape.rows, shape, device, plan);
  plan.most_shared_bytes = held_shared_bytes(most_held_bytes(shape, device));
}

// Cuts rows into segments for blocks, and segments into a part for each warp. All parts have the
// same length, in whole chunks.
constexpr void cut_rows_for_blocks(Shape const& shape, Device const& device, Plan& plan) {
  int64_t const row_chunks = (row_bytes(shape) - 1) / kChunkBytes + 1;
  int64_t const most_chunks = shape.is_aligned ? kStageChunks : kStageChunks - 1;
  int64_t const all_warps = int64_t{device.multiprocessors} * kBlocksOfPipes * kWarpsPerBlock;
  int64_t const wanted = std::clamp<int64_t>((shape.rows * row_chunks - 1) / all_warps + 1,
                                             kLeastPartChunks, most_chunks);
  int64_t const parts = (row_chunks - 1) / wanted + 1;
  int64_t const most_warps = most_warps_of_block(device);
  int64_t const segments = (parts - 1) / most_warps + 1;
  int64_t const warps = (parts - 1) / segments + 1;
  int64_t const chunks = (row_chunks - 1) / (segments * warps) + 1;
  plan.warps_per_row = static_cast<int>(warps);
  plan.list_size = list_size(shape.k);
  plan.part_length = static_cast<int>(chunks * kChunkBytes / shape.element_bytes);
  plan.parts_per_row =
      static_cast<int>((shape.length - 1) / (int64_t{plan.part_length} * warps) + 1);
  share_blocks_of_warps(shape.rows * plan.parts_per_row, device, plan);
}

// Cuts rows into segments of the same length, in whole chunks.
constexpr void cut_rows(Shape const& shape, Device const& device, Plan& plan) {
  if (shape.element_bytes <= 4) return cut_rows_for_blocks(shape, device, plan);
  int64_t const per_chunk = kChunkBytes / shape.element_bytes;
  int64_t const warps = int64_t{device.multiprocessors} * kMostBlocksOfMultiprocessor;
  int64_t const wanted = std::clamp<int64_t>((shape.rows * row_bytes(shape) - 1) / warps + 1,
                                             kLeastSegmentBytes, kMostSegmentBytes);
  int64_t const segments = (row_bytes(shape) - 1) / wanted + 1;
  int64_t const chunks = (shape.length - 1) / (segments * per_chunk) + 1;
  plan.part_length = static_cast<int>(chunks * per_chunk);
  plan.parts_per_row = static_cast<int>((shape.length - 1) / plan.part_length + 1);
  share_warps(chunks_of(chunks * kChunkBytes, shape.is_aligned), shape.rows * plan.parts_per_row,
              shape, device, plan);
  plan.most_shared_bytes = held_shared_bytes(kMostSegmentBytes);
}

// Assigns rows of few segments to warps, in so many blocks that each multiprocessor has one if
// there are enough rows.
constexpr void share_merging_warps(Shape const& shape, Device const& device, Plan& plan) {
  plan.merging_warps = static_cast<int>(
      std::clamp<int64_t>(shape.rows / device.multiprocessors, 1, kMostMergingWarps));
  plan.merging_blocks =
      static_cast<int>(std::min<int64_t>((shape.rows - 1) / plan.merging_warps + 1, INT32_MAX));
}

// Assigns rows to blocks, which merge their segments. For k > 32 a block may have to pass over a
// row, so a row goes to a team of blocks that are all resident at once.
constexpr void share_merging(Shape const& shape, Device const& device, Plan& plan) {
  plan.merging_blocks = static_cast<int>(std::min<int64_t>(shape.rows, INT32_MAX));
  if (shape.k <= kWarpThreads) {
    bool const is_of_few = plan.parts_per_row <= kMostMergedCandidates / shape.k;
    if (is_of_few) share_merging_warps(shape, device, plan);
    return;
  }
  int64_t const blocks = int64_t{device.multiprocessors} * kBlocksOfThreads;
  plan.blocks_of_team = static_cast<int>(std::clamp<int64_t>(
      std::min(blocks / shape.rows, row_bytes(shape) / kSmallestPartBytes), 1, kMostBlocksOfTeam));
  plan.merging_blocks *= plan.blocks_of_team;
  int64_t const part_bytes = (row_bytes(shape) - 1) / plan.blocks_of_team + 1 + 2 * kChunkBytes;
  int64_t const most = most_buffer_bytes(shape.element_bytes, device);
  if (part_bytes <= most) plan.buffer_bytes = static_cast<int>(most);
}

}  // namespace zeta::rowwise::cuda
