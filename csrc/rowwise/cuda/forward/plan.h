#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <iterator>

#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// How a call is spread over the GPU: a pure function of its shape and the device.
namespace zeta::rowwise::cuda {

// The names are those that ZETA_CUDA_PLAN takes.
enum class Regime {
  kFew,       // several rows to a stage of a warp, small k
  kMany,      // the same, any k
  kHeld,      // a row to a stage of a warp
  kSegments,  // a part of a row to a stage of a warp
  kLanes,     // several rows to a warp
  kBlock,     // a row to a block
  kSplit,     // a row to several blocks
  kColumns,   // rows side by side in memory
  kPasses,    // a row to a block, of any layout and length
};

inline constexpr std::array kRegimeNames = {"few",   "many",  "held",    "segments", "lanes",
                                            "block", "split", "columns", "passes"};

struct Plan {
  Regime regime;
  int pieces_per_lane;
  int lanes_per_row;
  int rows_per_warp;
  int parts_per_row;
  int buffer_bytes;  // of shared memory, for a row; the same for all rows that fit
  // Of rows that pass through stages.
  int list_size = 0;
  int stages_per_warp = 0;
  int blocks = 0;
  int chunks_per_stage = 0;
  bool is_loose = false;
  int part_length = 0;
  int merging_blocks = 0;
  int blocks_of_team = 1;
  // Of shared memory, by any plan of the regime for the device: a kernel's limit is one that calls
  // on other threads set, too.
  int most_shared_bytes = 0;
  // Of rows side by side.
  int threads_per_part = 0;
  int list_capacity = 0;
  bool is_paired = false;

  friend constexpr bool operator==(Plan const&, Plan const&) = default;
};

// The pieces that a row may have a part in.
constexpr int64_t pieces(Shape const& shape) {
  int64_t const per_piece = kPieceBytes / shape.element_bytes;
  int64_t const slack = shape.is_aligned ? 0 : per_piece - 1;
  return (shape.length + slack + per_piece - 1) / per_piece;
}

constexpr int64_t most_pieces_per_lane(int element_bytes) {
  return std::min(kMostPiecesPerLane, kMostEntriesPerLane * element_bytes / kPieceBytes);
}

// What the blocks that fit otherwise leave of a multiprocessor's shared memory.
constexpr int64_t most_buffer_bytes(int element_bytes, Device const& device) {
  int64_t const list_bytes =
      int64_t{kCandidatesPerBlock} * (element_bytes + static_cast<int>(sizeof(int)));
  int64_t const left = device.shared_bytes / kBlocksOfThreads - list_bytes - kOtherSharedBytes;
  return left / kPieceBytes * kPieceBytes;
}

constexpr int64_t most_non_zeros(Shape const& shape) { return std::min(shape.k, shape.length); }

// A dense tensor of rows that are no longer than a stage, with what shares chunks with them.
constexpr bool fits_stages(Shape const& shape) {
  int64_t const shared_bytes = is_loose(shape) ? 2 * (kPieceBytes - 1) : 0;
  return shape.is_dense && row_bytes(shape) + shared_bytes <= kStageBytes;
}

// Rows that do not begin with chunks need one to be moved to.
constexpr int stages_of_pipe(Shape const& shape) { return kStages + (is_loose(shape) ? 1 : 0); }

// The shortest list that holds the k largest, or 0.
constexpr int list_size(int64_t k) {
  for (int size : kFewSizes) {
    if (k <= size) return size;
  }
  return 0;
}

// What a block may have of a multiprocessor's shared memory.
constexpr int most_shared_bytes(Device const& device) {
  return device.shared_bytes - kSystemSharedBytes;
}

// Shared memory of a block of one warp whose stages hold so many bytes of rows that begin anywhere.
constexpr int held_shared_bytes(int64_t bytes) {
  constexpr int kSlack = 2 * kPieceBytes;
  return static_cast<int>(kBarrierBytes + kStages * (bytes + kSlack));
}
constexpr int held_list_bytes(int element_bytes) {
  return kCandidatesPerWarp * (std::max(element_bytes, 4) + static_cast<int>(sizeof(int)));
}

// The longest row that a warp holds.
constexpr int64_t most_held_bytes(int element_bytes, Device const& device) {
  int64_t const left =
      most_shared_bytes(device) - held_list_bytes(element_bytes) - held_shared_bytes(0);
  return std::min<int64_t>(kMostHeldBytes, left / kStages / kPieceBytes * kPieceBytes);
}

constexpr bool is_possible(Regime regime, Shape const& shape, Device const& device) {
  bool const has_int_columns =
      shape.length < INT32_MAX - kThreadsPerBlock * kPiecesPerThread * kPieceBytes;
  switch (regime) {
    case Regime::kFew:
      return fits_stages(shape) && shape.element_bytes <= 4 && shape.k >= 1 &&
             list_size(most_non_zeros(shape)) != 0 &&
             pipe_shared_bytes(stages_of_pipe(shape)) <= most_shared_bytes(device);
    case Regime::kMany:
      return fits_stages(shape) && shape.element_bytes <= 4 && shape.k >= 1 &&
             pipe_shared_bytes(stages_of_pipe(shape)) <= most_shared_bytes(device);
    case Regime::kHeld:
      return shape.is_contiguous && shape.k >= 1 &&
             row_bytes(shape) <= most_held_bytes(shape.element_bytes, device);
    case Regime::kSegments:
      return shape.is_contiguous && shape.k >= 1 && has_int_columns;
    case Regime::kLanes:
      return shape.is_contiguous &&
             pieces(shape) <= kWarpThreads * most_pieces_per_lane(shape.element_bytes);
    case Regime::kBlock:
      return shape.is_contiguous && has_int_columns;
    case Regime::kSplit:
      return shape.is_contiguous && has_int_columns && shape.rows <= UINT16_MAX;
    case Regime::kColumns:
      if (shape.k == 0) return has_int_columns;
      return shape.is_side_by_side && shape.rows <= INT32_MAX / 2 &&
             shape.length < int64_t{kMostColumnSteps} * kMostColumnParts;
    default:
      return true;
  }
}

// The pieces of the shortest rows for which kFew is not possible. Shorter ones take as many, too.
constexpr int fewest_pieces_of_many(int element_bytes) {
  int const bytes = (kFewSizes[std::size(kFewSizes) - 1] + 1) * element_bytes;
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>((bytes - 1) / kPieceBytes + 1)));
}

// Rows to stages, stages to warps, warps to the device.
constexpr void share_stages(Shape const& shape, Device const& device, Plan& plan,
                            int fewest_pieces = 1) {
  auto const chunks = static_cast<unsigned>((row_bytes(shape) - 1) / kPieceBytes + 1);
  plan.pieces_per_lane =
      std::clamp(static_cast<int>(std::bit_ceil(chunks)), fewest_pieces, kChunksPerLane);
  plan.lanes_per_row = static_cast<int>(std::bit_ceil((chunks - 1) / kChunksPerLane + 1));
  plan.is_loose = is_loose(shape);
  int const block_bytes = pipe_shared_bytes(stages_of_pipe(shape)) + kSystemSharedBytes;
  int const blocks_of_multiprocessor =
      std::clamp(device.shared_bytes / block_bytes, 1, kBlocksOfPipes);
  int const most_blocks = device.multiprocessors * blocks_of_multiprocessor;

  plan.rows_per_warp = kStageChunks / (plan.pieces_per_lane * plan.lanes_per_row);
  if (plan.is_loose) {
    plan.rows_per_warp = static_cast<int>(std::min<int64_t>(
        plan.rows_per_warp, (kStageBytes - 2 * (kPieceBytes - 1)) / row_bytes(shape)));
  }
  auto const stages = [&] { return (shape.rows - 1) / plan.rows_per_warp + 1; };
  // Few rows go to more warps, which then take one stage each.
  while (plan.rows_per_warp > 1 && stages() < int64_t{most_blocks} * kWarpsPerBlock) {
    plan.rows_per_warp /= 2;
  }
  int64_t const blocks = (stages() - 1) / kWarpsPerBlock + 1;
  plan.blocks = static_cast<int>(std::min<int64_t>(most_blocks, blocks));
  plan.stages_per_warp = stages_of_pipe(shape) - (blocks <= most_blocks ? kStages - 1 : 0);
  plan.most_shared_bytes = std::min(pipe_shared_bytes(kStages + 1), most_shared_bytes(device));
}

// Stages of so many bytes of rows, one at a time, to blocks of one warp.
constexpr void share_warps(int64_t bytes, int64_t stages, Shape const& shape, Device const& device,
                           Plan& plan) {
  int64_t const slack = shape.is_aligned ? 0 : 2 * (kPieceBytes - 1);
  plan.chunks_per_stage = static_cast<int>((bytes + slack - 1) / kPieceBytes + 1);
  int const block_bytes = kBarrierBytes + kStages * plan.chunks_per_stage * kPieceBytes +
                          held_list_bytes(shape.element_bytes) + kSystemSharedBytes;
  int64_t const most_blocks =
      int64_t{device.multiprocessors} *
      std::clamp(device.shared_bytes / block_bytes, 1, kMostBlocksOfMultiprocessor);
  plan.blocks = static_cast<int>(std::min<int64_t>(most_blocks, stages));
  plan.stages_per_warp = stages <= most_blocks ? 1 : kStages;
}

// Rows to segments of the same length, in whole chunks.
constexpr void cut_rows(Shape const& shape, Device const& device, Plan& plan) {
  int64_t const per_chunk = kPieceBytes / shape.element_bytes;
  int64_t const warps = int64_t{device.multiprocessors} * kMostBlocksOfMultiprocessor;
  int64_t const wanted = std::clamp<int64_t>((shape.rows * row_bytes(shape) - 1) / warps + 1,
                                             kLeastSegmentBytes, kMostSegmentBytes);
  int64_t const segments = (row_bytes(shape) - 1) / wanted + 1;
  int64_t const chunks = (shape.length - 1) / (segments * per_chunk) + 1;
  plan.part_length = static_cast<int>(chunks * per_chunk);
  plan.parts_per_row = static_cast<int>((shape.length - 1) / plan.part_length + 1);
  share_warps(chunks * kPieceBytes, shape.rows * plan.parts_per_row, shape, device, plan);
}

// Rows to blocks, or, where these may have to pass over them, to teams of blocks that are all on
// the device at once.
constexpr void share_merging(Shape const& shape, Device const& device, Plan& plan) {
  plan.merging_blocks = static_cast<int>(std::min<int64_t>(shape.rows, INT32_MAX));
  if (shape.k <= kWarpThreads) return;
  int64_t const blocks = int64_t{device.multiprocessors} * kBlocksOfThreads;
  plan.blocks_of_team = static_cast<int>(std::clamp<int64_t>(
      std::min(blocks / shape.rows, row_bytes(shape) / kSmallestPartBytes), 1, kMostBlocksOfTeam));
  plan.merging_blocks *= plan.blocks_of_team;
  int64_t const part_bytes = (row_bytes(shape) - 1) / plan.blocks_of_team + 1 + 2 * kPieceBytes;
  int64_t const most = most_buffer_bytes(shape.element_bytes, device);
  if (part_bytes <= most) plan.buffer_bytes = static_cast<int>(most);
}

// Blocks for rows side by side, none of which has rows that are no neighbours.
constexpr int64_t column_blocks(Shape const& shape, int threads_per_part) {
  int64_t const rows = int64_t{threads_per_part} * (shape.element_bytes == 2 ? 2 : 1);
  return shape.rows / shape.neighbours * ((shape.neighbours - 1) / rows + 1);
}

// The parts that rows side by side have at least: as many as have maxima for a bound, unless they
// are so short that they need none, and as have steps that 16 bits count.
constexpr int least_column_parts(Shape const& shape, int most_parts) {
  int64_t const k = std::min<int64_t>(most_non_zeros(shape), kMostListedNonZeros);
  int const for_bound = static_cast<int>((k - 1) / kMaximaPerPart + 1);
  int const for_steps = static_cast<int>(shape.length / kMostColumnSteps + 1);
  return static_cast<int>(
      std::bit_ceil(static_cast<unsigned>(std::max(std::min(for_bound, most_parts), for_steps))));
}

// Rows side by side to blocks, and their columns to as many threads as fill the device.
constexpr void share_columns(Shape const& shape, Device const& device, Plan& plan) {
  plan.is_paired = shape.is_paired;
  plan.most_shared_bytes = most_shared_bytes(device);
  bool const has_few = shape.element_bytes <= 4 && most_non_zeros(shape) <= kMostFewColumns;
  plan.list_size = has_few ? kMostFewColumns : 0;
  plan.list_capacity =
      static_cast<int>(std::min<int64_t>(most_non_zeros(shape), kMostListedNonZeros)) +
      kColumnListSlack;
  int const warp_bytes = column_warp_bytes(shape.element_bytes, plan.list_capacity);
  int const warps = std::clamp(most_shared_bytes(device) / warp_bytes, 1, kColumnWarps);
  int const most_threads =
      std::min(has_few ? kMostThreadsOfFewColumns : kMostThreadsOfColumns,
               static_cast<int>(std::bit_floor(static_cast<unsigned>(warps))) * kWarpThreads);

  int const most_parts = static_cast<int>(std::min<uint64_t>(
      kMostColumnParts,
      std::bit_ceil(static_cast<uint64_t>((shape.length - 1) / kLeastColumnSteps + 1))));
  int const least_parts = least_column_parts(shape, most_parts);
  int threads = kWarpThreads;
  // Few rows go to more blocks, and no thread does what another does.
  while (threads > 1 && column_blocks(shape, threads / 2) == column_blocks(shape, threads)) {
    threads /= 2;
  }
  while (threads > kLeastThreadsPerPart &&
         2 * column_blocks(shape, threads) <= device.multiprocessors) {
    threads /= 2;
  }
  while (threads > 1 && threads * least_parts > most_threads) threads /= 2;

  int64_t const threads_of_device = int64_t{device.multiprocessors} * warps * kWarpThreads;
  auto const share =
      static_cast<uint64_t>(threads_of_device / (column_blocks(shape, threads) * threads));
  plan.parts_per_row = static_cast<int>(
      std::clamp<uint64_t>(std::bit_floor(share), least_parts, std::max(least_parts, most_parts)));
  plan.parts_per_row = std::min(plan.parts_per_row, most_threads / threads);
  // Many short rows go to blocks of several warps; a block is whole warps.
  int const least_threads = std::min(kLeastThreadsOfColumns, most_threads);
  while (threads * plan.parts_per_row < kWarpThreads ||
         (threads * plan.parts_per_row < least_threads &&
          column_blocks(shape, 2 * threads) >= device.multiprocessors)) {
    threads *= 2;
  }
  plan.threads_per_part = threads;
  plan.blocks = static_cast<int>(column_blocks(shape, threads));
}

constexpr Plan plan_for(Regime regime, Shape const& shape, Device const& device) {
  Plan plan = {regime, 1, 1, 1, 1, 0};
  if (regime == Regime::kFew) {
    share_stages(shape, device, plan);
    plan.list_size = list_size(most_non_zeros(shape));
  }
  if (regime == Regime::kMany) {
    share_stages(shape, device, plan, fewest_pieces_of_many(shape.element_bytes));
  }
  if (regime == Regime::kHeld) {
    share_warps(row_bytes(shape), shape.rows, shape, device, plan);
    plan.most_shared_bytes = held_shared_bytes(most_held_bytes(shape.element_bytes, device));
  }
  if (regime == Regime::kSegments) {
    cut_rows(shape, device, plan);
    plan.most_shared_bytes = held_shared_bytes(kMostSegmentBytes);
    share_merging(shape, device, plan);
  }
  if (regime == Regime::kLanes) {
    auto const count = static_cast<unsigned>(pieces(shape));
    plan.lanes_per_row = static_cast<int>(std::min<unsigned>(kWarpThreads, std::bit_ceil(count)));
    plan.pieces_per_lane =
        static_cast<int>(std::bit_ceil((count + kWarpThreads - 1) / kWarpThreads));
    // As many rows to a warp as leave enough warps.
    int64_t const warps = int64_t{device.multiprocessors} * kWarpsPerMultiprocessor;
    auto const wanted = static_cast<uint64_t>(std::max<int64_t>(1, shape.rows / warps));
    int const rows = static_cast<int>(std::min<uint64_t>(kWarpThreads, std::bit_floor(wanted)));
    plan.rows_per_warp = std::max(rows, kWarpThreads / plan.lanes_per_row);
  }
  if (regime == Regime::kBlock) {
    int64_t const most = most_buffer_bytes(shape.element_bytes, device);
    if (pieces(shape) * kPieceBytes <= most) plan.buffer_bytes = static_cast<int>(most);
  }
  if (regime == Regime::kColumns && shape.k > 0) share_columns(shape, device, plan);
  if (regime == Regime::kSplit) {
    int64_t const blocks = int64_t{device.multiprocessors} * kBlocksPerMultiprocessor;
    int64_t const bytes = shape.length * shape.element_bytes;
    plan.parts_per_row = static_cast<int>(std::clamp<int64_t>(
        std::min(blocks / shape.rows, bytes / kSmallestPartBytes), 1, kMostPartsPerRow));
  }
  return plan;
}

constexpr Plan plan_for(Shape const& shape, Device const& device) {
  if (is_possible(Regime::kFew, shape, device)) return plan_for(Regime::kFew, shape, device);
  if (is_possible(Regime::kMany, shape, device)) return plan_for(Regime::kMany, shape, device);
  if (is_possible(Regime::kHeld, shape, device)) return plan_for(Regime::kHeld, shape, device);
  if (is_possible(Regime::kSegments, shape, device))
    return plan_for(Regime::kSegments, shape, device);
  if (is_possible(Regime::kLanes, shape, device)) return plan_for(Regime::kLanes, shape, device);
  if (is_possible(Regime::kSplit, shape, device)) {
    auto const split = plan_for(Regime::kSplit, shape, device);
    if (split.parts_per_row > 1) return split;
  }
  if (is_possible(Regime::kBlock, shape, device)) return plan_for(Regime::kBlock, shape, device);
  bool const fills_device =
      shape.k > 0 || shape.rows >= int64_t{device.multiprocessors} * kColumnRows;
  if (shape.is_side_by_side && fills_device && is_possible(Regime::kColumns, shape, device)) {
    return plan_for(Regime::kColumns, shape, device);
  }
  return plan_for(Regime::kPasses, shape, device);
}

// The same, or what ZETA_CUDA_PLAN in the environment asks for, where that is possible. Throws if
// it asks for what there is not.
Plan requested_plan(Shape const& shape, Device const& device);

}  // namespace zeta::rowwise::cuda
