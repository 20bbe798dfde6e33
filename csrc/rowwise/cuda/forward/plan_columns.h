#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "rowwise/cuda/forward/plan.h"
#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"

// Plans the regime columns: rows side by side go to the threads of blocks.
namespace zeta::rowwise::cuda {

constexpr bool is_possible_for_columns(Shape const& shape) {
  return shape.is_side_by_side && shape.rows <= INT32_MAX / 2 &&
         shape.length < int64_t{kMostColumnSteps} * kMostColumnParts;
}

// Returns the number of blocks for rows side by side. All rows of a block are neighbours in memory.
constexpr int64_t column_blocks(Shape const& shape, int threads_per_part) {
  int64_t const rows = int64_t{threads_per_part} * (shape.element_bytes == 2 ? 2 : 1);
  return shape.rows / shape.neighbours * ((shape.neighbours - 1) / rows + 1);
}

// Returns the fewest parts of a row: so many that their maxima give a bound, unless the row is so
// short that it needs none, and so many that 16 bits count the steps of a part.
constexpr int least_column_parts(Shape const& shape, int most_parts) {
  int64_t const k = std::min<int64_t>(most_non_zeros(shape), kMostListedNonZeros);
  int const for_bound = static_cast<int>((k - 1) / kMaximaPerPart + 1);
  int const for_steps = static_cast<int>(shape.length / kMostColumnSteps + 1);
  return static_cast<int>(
      std::bit_ceil(static_cast<unsigned>(std::max(std::min(for_bound, most_parts), for_steps))));
}

// Assigns rows side by side to blocks, and their entries to as many threads as fill the device.
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
      std::min(has_few && shape.is_by_sums ? kMostThreadsOfFewColumns : kMostThreadsOfColumns,
               static_cast<int>(std::bit_floor(static_cast<unsigned>(warps))) * kWarpThreads);

  int const most_parts = static_cast<int>(std::min<uint64_t>(
      kMostColumnParts,
      std::bit_ceil(static_cast<uint64_t>((shape.length - 1) / kLeastColumnSteps + 1))));
  int const least_parts = least_column_parts(shape, most_parts);
  int threads = kWarpThreads;
  // Threads are halved while some would repeat the work of others, and then while that spreads few
  // rows over more blocks.
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
  // A block is whole warps, and several of them if there are many short rows.
  int const least_threads = std::min(kLeastThreadsOfColumns, most_threads);
  while (threads * plan.parts_per_row < kWarpThreads ||
         (threads * plan.parts_per_row < least_threads &&
          column_blocks(shape, 2 * threads) >= device.multiprocessors)) {
    threads *= 2;
  }
  plan.threads_per_part = threads;
  plan.blocks = static_cast<int>(column_blocks(shape, threads));
}

}  // namespace zeta::rowwise::cuda
