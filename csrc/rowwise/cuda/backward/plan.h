#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "rowwise/cuda/shape.h"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

// A plan says how a backward is spread over the GPU. It is a pure function of the shape and the
// device.
namespace zeta::rowwise::cuda {

enum class BackwardRegime {
  kStages,   // from the support: zeros, and values over them or among them in a stage
  kLanes,    // from the weights: a row in the registers of some lanes
  kListed,   // from the weights: a row to a warp or a block, which lists the support
  kColumns,  // rows side by side in memory
  kPasses,   // a row to a block, of any layout and length
};

struct BackwardPlan {
  BackwardRegime regime;
  int blocks = 1;
  int lanes_per_row = kWarpThreads;  // a power of two
  int chunks_per_lane = 1;           // kLanes
  bool is_chunked = false;           // kLanes: rows are read and written by chunks
  bool is_block_per_row = false;     // kListed
  // kStages: in a turn, a warp writes some rows or a part of one.
  int rows_per_turn = 1;
  int columns_per_turn = 1;
  int turns_per_row = 1;
  bool is_staged = false;  // values and zeros are put together in shared memory

  friend constexpr bool operator==(BackwardPlan const&, BackwardPlan const&) = default;
};

namespace detail {

constexpr int blocks_of_device(Device const& device, int blocks_per_multiprocessor,
                               int64_t wanted) {
  int64_t const most = int64_t{device.multiprocessors} * blocks_per_multiprocessor;
  return static_cast<int>(std::clamp<int64_t>(wanted, 1, most));
}

constexpr int64_t quotient_above(int64_t dividend, int64_t divisor) {
  return (dividend - 1) / divisor + 1;
}

// Whether indices of a row, and what the kernels add to them, fit into int.
constexpr bool has_int_columns(Shape const& shape) {
  return shape.length <= INT32_MAX - 2 * kMostTurnBytes;
}

}  // namespace detail

constexpr int most_bytes_of_lanes(int element_bytes) {
  return kWarpThreads * most_held_chunks(element_bytes) * kChunkBytes;
}

// `shape` is that of all three operands.
constexpr bool is_possible_from_weights(BackwardRegime regime, Shape const& shape) {
  switch (regime) {
    case BackwardRegime::kStages:
      return false;
    case BackwardRegime::kLanes:
      return shape.is_by_sums && row_bytes(shape) <= most_bytes_of_lanes(shape.element_bytes);
    case BackwardRegime::kListed:
      return shape.is_by_sums && shape.is_contiguous && detail::has_int_columns(shape);
    default:
      return true;
  }
}

// `shape` is that of the result, and is_dense holds if its rows follow each other without a gap.
constexpr bool is_possible_from_support(BackwardRegime regime, Shape const& shape) {
  switch (regime) {
    case BackwardRegime::kStages:
      return shape.is_dense && detail::has_int_columns(shape);
    case BackwardRegime::kLanes:
    case BackwardRegime::kListed:
      return false;
    default:
      return true;
  }
}

namespace detail {

constexpr BackwardPlan plan_of_stages(Shape const& shape, Device const& device) {
  BackwardPlan plan = {.regime = BackwardRegime::kStages};
  auto const lanes = std::clamp<int64_t>(
      quotient_above(std::max<int64_t>(shape.k, 1), kPlacesPerLane), 1, kWarpThreads);
  plan.lanes_per_row = static_cast<int>(std::bit_ceil(static_cast<unsigned>(lanes)));

  // All warps have the same number of turns, and all turns write about as many bytes as each other.
  bool const is_wide = shape.k > kWarpThreads * kPlacesPerLane;
  int const blocks = blocks_of_zeros(shape.element_bytes, is_wide);
  int64_t const warps = int64_t{device.multiprocessors} * blocks * kWarpsPerBlock;
  int64_t const bytes = std::max<int64_t>(1, shape.rows * row_bytes(shape));
  int64_t const turns_of_warp =
      quotient_above(bytes, warps * (is_wide ? kMostTurnBytes : kTurnBytes));
  int64_t const turn_bytes =
      std::max<int64_t>(kLeastTurnBytes, quotient_above(bytes, warps * turns_of_warp));
  plan.columns_per_turn = static_cast<int>(shape.length);
  if (row_bytes(shape) > kMostTurnBytes || row_bytes(shape) >= 2 * turn_bytes) {
    int64_t const parts = quotient_above(row_bytes(shape), turn_bytes);
    int64_t const lines = quotient_above(quotient_above(row_bytes(shape), parts), kLineBytes);
    plan.columns_per_turn = static_cast<int>(lines * kLineBytes / shape.element_bytes);
    plan.turns_per_row = static_cast<int>(quotient_above(shape.length, plan.columns_per_turn));
  } else {
    int64_t const stage_bytes = kStageBytes - (is_loose(shape) ? kChunkBytes : 0);
    plan.is_staged = !is_wide && row_bytes(shape) <= stage_bytes &&
                     row_bytes(shape) <= shape.k * kSectorBytes * kMostSectorsPerValue;
    int64_t const most_bytes = plan.is_staged ? stage_bytes : kMostTurnBytes;
    plan.rows_per_turn = static_cast<int>(std::min(
        {int64_t{kWarpThreads / plan.lanes_per_row}, quotient_above(turn_bytes, row_bytes(shape)),
         most_bytes / row_bytes(shape), std::max<int64_t>(1, shape.rows / warps)}));
  }
  int64_t const turns = quotient_above(shape.rows, plan.rows_per_turn) * plan.turns_per_row;
  // Blocks of staged rows use shared memory, so fewer may be resident.
  int const block_bytes = kWarpsPerBlock * kStageBytes + kSystemSharedBytes;
  int const resident =
      plan.is_staged ? std::clamp(device.shared_bytes / block_bytes, 1, blocks) : blocks;
  plan.blocks = blocks_of_device(device, resident, quotient_above(turns, kWarpsPerBlock));
  return plan;
}

constexpr BackwardPlan plan_of_lanes(Shape const& shape, Device const& device) {
  BackwardPlan plan = {.regime = BackwardRegime::kLanes};
  plan.is_chunked = shape.is_contiguous && !is_loose(shape);
  auto const chunks = static_cast<int>(quotient_above(row_bytes(shape), kChunkBytes));
  plan.chunks_per_lane = chunks <= 2 ? 1 : most_held_chunks(shape.element_bytes);
  plan.lanes_per_row = static_cast<int>(
      std::bit_ceil(static_cast<unsigned>(quotient_above(chunks, plan.chunks_per_lane))));
  // If there are few rows, more lanes share each.
  int const blocks = blocks_of_gradients(plan.chunks_per_lane);
  int64_t const lanes = int64_t{device.multiprocessors} * blocks * kWarpsPerBlock * kWarpThreads;
  while (plan.lanes_per_row < kWarpThreads && shape.rows * plan.lanes_per_row < lanes) {
    plan.lanes_per_row *= 2;
  }
  int64_t const rows_per_block = kWarpsPerBlock * kWarpThreads / plan.lanes_per_row;
  plan.blocks = blocks_of_device(device, blocks, quotient_above(shape.rows, rows_per_block));
  return plan;
}

constexpr BackwardPlan plan_of_lists(Shape const& shape, Device const& device) {
  BackwardPlan plan = {.regime = BackwardRegime::kListed};
  int64_t const warps = int64_t{device.multiprocessors} * kBlocksOfLists * kWarpsPerBlock;
  plan.is_block_per_row = shape.rows < warps;
  plan.blocks =
      plan.is_block_per_row
          ? blocks_of_device(device, kBlocksOfWholeRows, shape.rows)
          : blocks_of_device(device, kBlocksOfLists, quotient_above(shape.rows, kWarpsPerBlock));
  return plan;
}

}  // namespace detail

// Returns the plan of a regime, which must be possible. `k` of the shape is the support's capacity,
// if there is one.
constexpr BackwardPlan backward_plan_for(BackwardRegime regime, Shape const& shape,
                                         Device const& device) {
  switch (regime) {
    case BackwardRegime::kStages:
      return detail::plan_of_stages(shape, device);
    case BackwardRegime::kLanes:
      return detail::plan_of_lanes(shape, device);
    case BackwardRegime::kListed:
      return detail::plan_of_lists(shape, device);
    default: {
      int64_t const rows_per_block = regime == BackwardRegime::kColumns ? kColumnRows : 1;
      int64_t const blocks = detail::quotient_above(shape.rows, rows_per_block);
      return {.regime = regime, .blocks = static_cast<int>(std::min<int64_t>(blocks, INT32_MAX))};
    }
  }
}

namespace detail {

// Whether rows are neighbours in memory, and enough of them to fill the device.
constexpr bool suits_columns(Shape const& shape, Device const& device) {
  return shape.is_side_by_side && !shape.is_contiguous &&
         shape.rows >= int64_t{device.multiprocessors} * kColumnRows;
}

}  // namespace detail

constexpr BackwardPlan plan_from_weights(Shape const& shape, Device const& device) {
  auto const regime = [&] {
    if (detail::suits_columns(shape, device)) return BackwardRegime::kColumns;
    for (auto const regime : {BackwardRegime::kLanes, BackwardRegime::kListed}) {
      if (is_possible_from_weights(regime, shape)) return regime;
    }
    return BackwardRegime::kPasses;
  };
  return backward_plan_for(regime(), shape, device);
}

constexpr BackwardPlan plan_from_support(Shape const& shape, Device const& device) {
  auto const regime = [&] {
    if (is_possible_from_support(BackwardRegime::kStages, shape)) return BackwardRegime::kStages;
    return detail::suits_columns(shape, device) ? BackwardRegime::kColumns
                                                : BackwardRegime::kPasses;
  };
  return backward_plan_for(regime(), shape, device);
}

// Returns the shape of a result that is computed from a support of this capacity. The layout of the
// gradient does not matter, except for a stride that does not fit into int. The result is dense if
// its rows follow each other without a gap in the order of their numbers.
template <class Scalar>
Shape shape_of_result(RowGeometry<3> const& geometry, Scalar const* grad_logits, int64_t capacity) {
  Shape shape = shape_of(geometry, {grad_logits}, capacity);
  // If the gradient's stride does not fit into int, the result counts as not dense, so that other
  // kernels take it.
  shape.is_dense = shape.is_contiguous && geometry.stride[1] <= INT32_MAX;
  int64_t rows_before = 1;
  for (int dimension = 0; dimension < geometry.batch_dimensions; ++dimension) {
    shape.is_dense =
        shape.is_dense && geometry.batch_strides[dimension][0] == rows_before * geometry.length;
    rows_before *= geometry.batch_sizes[dimension];
  }
  return shape;
}

}  // namespace zeta::rowwise::cuda
