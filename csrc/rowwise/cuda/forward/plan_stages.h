#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <iterator>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/forward/plan_blocks.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Plans the regimes few and many: several rows to a stage of a warp, or a row to the stages of
// several warps.
namespace zeta::rowwise::cuda {

// Whether rows are dense and no longer than a stage, with what shares chunks with them.
constexpr bool fits_stages(Shape const& shape) {
  int64_t const shared_bytes = is_loose(shape) ? 2 * (kChunkBytes - 1) : 0;
  return shape.is_dense && row_bytes(shape) + shared_bytes <= kStageBytes;
}

// Returns the stages of a warp. Loose rows need one more, to which they are moved.
constexpr int stages_of_pipe(Shape const& shape) { return kStages + (is_loose(shape) ? 1 : 0); }

// Returns how many warps share a row that is longer than a stage.
constexpr int64_t warps_of_row(Shape const& shape) {
  return (row_bytes(shape) - 1) / kStageBytes + 1;
}

// Whether rows can be shared by the warps of a block, in parts that begin at chunks. Parts are
// counted in 32 bits.
constexpr bool fits_blocks(Shape const& shape, Device const& device) {
  int64_t const warps = warps_of_row(shape);
  return shape.is_dense && !is_loose(shape) && warps > 1 && warps <= most_warps_of_block(device) &&
         shape.rows * warps <= INT32_MAX;
}

constexpr bool is_possible_for_many(Shape const& shape, Device const& device) {
  bool const fits =
      fits_blocks(shape, device) ||
      (fits_stages(shape) && pipe_shared_bytes(stages_of_pipe(shape)) <= most_shared_bytes(device));
  return fits && shape.element_bytes <= 4;
}
constexpr bool is_possible_for_few(Shape const& shape, Device const& device) {
  return is_possible_for_many(shape, device) && list_size(most_non_zeros(shape)) != 0;
}

// Returns the least power of two of chunks that holds so many entries.
constexpr int chunks_that_hold(int entries, int element_bytes) {
  int const bytes = entries * element_bytes;
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>((bytes - 1) / kChunkBytes + 1)));
}

// Returns the chunks of the shortest rows for which kFew is not possible. Shorter rows take as
// many, too.
constexpr int fewest_chunks_of_many(int element_bytes) {
  return chunks_that_hold(kFewSizes[std::size(kFewSizes) - 1] + 1, element_bytes);
}

// Assigns rows to blocks, in parts of about the same length.
constexpr void share_blocks(Shape const& shape, Device const& device, Plan& plan) {
  plan.warps_per_row = static_cast<int>(warps_of_row(shape));
  auto const chunks = static_cast<int>(row_bytes(shape) / kChunkBytes);
  plan.chunks_per_part = (chunks - 1) / plan.warps_per_row + 1;
  share_blocks_of_warps(shape.rows, device, plan);
}

// Assigns rows to stages, stages to warps, and warps to the device.
constexpr void share_stages(Shape const& shape, Device const& device, Plan& plan,
                            int fewest_chunks) {
  if (!fits_stages(shape)) return share_blocks(shape, device, plan);
  auto const chunks = static_cast<unsigned>((row_bytes(shape) - 1) / kChunkBytes + 1);
  plan.chunks_per_lane =
      std::clamp(static_cast<int>(std::bit_ceil(chunks)), fewest_chunks, kChunksPerLane);
  plan.lanes_per_row = static_cast<int>(std::bit_ceil((chunks - 1) / kChunksPerLane + 1));
  plan.is_loose = is_loose(shape);
  int const block_bytes = pipe_shared_bytes(stages_of_pipe(shape)) + kSystemSharedBytes;
  int const blocks_of_multiprocessor =
      std::clamp(device.shared_bytes / block_bytes, 1, kBlocksOfPipes);
  int const most_blocks = device.multiprocessors * blocks_of_multiprocessor;

  plan.rows_per_stage = kStageChunks / (plan.chunks_per_lane * plan.lanes_per_row);
  if (plan.is_loose) {
    plan.rows_per_stage = static_cast<int>(std::min<int64_t>(
        plan.rows_per_stage, (kStageBytes - 2 * (kChunkBytes - 1)) / row_bytes(shape)));
  }
  auto const stages = [&] { return (shape.rows - 1) / plan.rows_per_stage + 1; };
  // Few rows are spread over more warps, which then take one stage each.
  while (plan.rows_per_stage > 1 && stages() < int64_t{most_blocks} * kWarpsPerBlock) {
    plan.rows_per_stage /= 2;
  }
  int64_t const blocks = (stages() - 1) / kWarpsPerBlock + 1;
  plan.blocks = static_cast<int>(std::min<int64_t>(most_blocks, blocks));
  plan.stages_per_warp = stages_of_pipe(shape) - (blocks <= most_blocks ? kStages - 1 : 0);
  plan.most_shared_bytes = std::min(pipe_shared_bytes(kStages + 1), most_shared_bytes(device));
}

}  // namespace zeta::rowwise::cuda
