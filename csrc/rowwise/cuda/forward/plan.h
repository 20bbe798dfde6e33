#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "rowwise/cuda/shape.h"
#include "rowwise/export.h"

// A plan says how a forward is spread over the GPU.
namespace zeta::rowwise::cuda {

// ZETA_CUDA_PLAN takes their names, which kRegimeNames has in this order.
enum class Regime {
  kFew,       // small k: several rows to a stage of a warp, or a row to the stages of a block
  kMany,      // any k, otherwise the same
  kHeld,      // a row to a stage of a warp
  kSegments,  // a part of a row to a stage of a warp
  kColumns,   // rows side by side in memory
  kPasses,    // a row to a block, of any layout and length
};

inline constexpr std::array kRegimeNames = {"few", "many", "held", "segments", "columns", "passes"};

struct Plan {
  Regime regime;
  int blocks = 0;
  // The most dynamic shared memory of any plan of the regime on the device. A kernel has one limit
  // for it, which calls on other host threads set, too, so all calls set the same.
  int most_shared_bytes = 0;

  // For rows that pass through stages.
  int stages_per_warp = 0;
  int chunks_per_stage = 0;
  int first_chunk_of_mask = 0;  // in each stage, if the rows have masks
  int rows_per_stage = 1;
  int chunks_per_lane = 1;
  int lanes_per_row = 1;
  bool is_loose = false;
  int list_size = 0;

  // For rows or segments that pass through the stages of several warps.
  int warps_per_row = 1;
  int chunks_per_part = 0;

  // For rows that are cut into segments or parts.
  int parts_per_row = 1;
  int part_length = 0;
  int merging_blocks = 0;
  int merging_warps = 0;  // of a block, if each merges the segments of a row; 0 if the block does
  int blocks_of_team = 1;
  // Shared memory for a row or a part of one, or 0 if it does not fit. All that fit get the same
  // size: cudaFuncSetAttribute sets the limit of the kernel, not of a launch, so two host threads
  // that ask for different sizes would race.
  int buffer_bytes = 0;

  // For rows side by side.
  int threads_per_part = 0;
  int list_capacity = 0;
  bool is_paired = false;
};

bool is_possible(Regime regime, Shape const& shape, Device const& device);

// Pure functions. The regime must be possible.
Plan plan_for(Regime regime, Shape const& shape, Device const& device);
Plan plan_for(Shape const& shape, Device const& device);

// Returns the regime that ZETA_CUDA_PLAN named when the library was loaded, if it was set. Throws
// std::runtime_error if there is no regime of that name.
std::optional<Regime> requested_regime();

// Returns the plan of the requested regime if that is possible, else plan_for().
ZETA_ENGINE_API Plan requested_plan(Shape const& shape, Device const& device);

}  // namespace zeta::rowwise::cuda
