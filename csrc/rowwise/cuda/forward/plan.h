#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "rowwise/cuda/shape.h"

// How a forward is spread over the GPU.
namespace zeta::rowwise::cuda {

// The names are those that ZETA_CUDA_PLAN takes.
enum class Regime {
  kFew,       // several rows to a stage of a warp, small k
  kMany,      // the same, any k
  kHeld,      // a row to a stage of a warp
  kSegments,  // a part of a row to a stage of a warp
  kColumns,   // rows side by side in memory
  kPasses,    // a row to a block, of any layout and length
};

inline constexpr std::array kRegimeNames = {"few", "many", "held", "segments", "columns", "passes"};

struct Plan {
  Regime regime;
  int blocks = 0;
  // Of dynamic shared memory, by any plan of the regime for the device: a kernel's limit is one
  // that calls on other threads set, too.
  int most_shared_bytes = 0;

  // Of rows that pass through stages.
  int stages_per_warp = 0;
  int chunks_per_stage = 0;
  int rows_per_stage = 1;
  int chunks_per_lane = 1;
  int lanes_per_row = 1;
  bool is_loose = false;
  int list_size = 0;

  // Of rows or segments that pass through stages of several warps.
  int warps_per_row = 1;
  int chunks_per_part = 0;

  // Of rows that are cut, into segments or parts.
  int parts_per_row = 1;
  int part_length = 0;
  int merging_blocks = 0;
  int merging_warps = 0;  // of a block, if each merges the segments of a row; else the block does
  int blocks_of_team = 1;
  int buffer_bytes = 0;  // of shared memory, for a row or a part; the same for all that fit

  // Of rows side by side.
  int threads_per_part = 0;
  int list_capacity = 0;
  bool is_paired = false;
};

bool is_possible(Regime regime, Shape const& shape, Device const& device);

// Pure functions. The regime has to be possible.
Plan plan_for(Regime regime, Shape const& shape, Device const& device);
Plan plan_for(Shape const& shape, Device const& device);

// What ZETA_CUDA_PLAN in the environment asked for when the library was loaded. Throws
// std::runtime_error for what there is not.
std::optional<Regime> requested_regime();

// plan_for(), or of the requested regime, where that is possible.
Plan requested_plan(Shape const& shape, Device const& device);

}  // namespace zeta::rowwise::cuda
