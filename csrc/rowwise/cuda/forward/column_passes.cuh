#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/forward/column_lists.cuh"
#include "rowwise/cuda/forward/column_tile.cuh"
#include "rowwise/cuda/forward/passes.cuh"
#include "rowwise/cuda/passes/parts_of_row.cuh"

// Weighs rows side by side whose candidates have no room in lists, by passes over the rows in
// memory.
namespace zeta::rowwise::cuda {

// All threads of the block call this once all its other rows are weighed.
template <class Mapping, class Scalar>
__device__ inline void pass_over_crowded(ColumnMemory<Scalar> const& memory,
                                         ColumnTile<Scalar> const& tile, int k,
                                         typename Mapping::Fixed const& fixed) {
  if (__syncthreads_or(tile.has_row(memory, kCrowdedList)) == 0) return;
  ColumnTiles const& tiles = memory.tiles();
  PartsOfRow const group(memory.memory_of_lists(), tiles.threads_per_part, tiles.parts,
                         tile.place(), tile.part());
#pragma unroll 1
  for (int row = 0; row < kPerWord<Scalar>; ++row) {
    bool const is_crowded = memory.count(tile.place(), row) == kCrowdedList;
    auto logits = tile.logits(tile.place(), row);
    auto support = tile.support(tile.place(), row, k);
    support.exists = is_crowded;
    if (!is_crowded) logits.length = 0;
    forward_by_passes<Mapping>(group, fixed, logits, tile.weights(tile.place(), row), support, k);
  }
}

}  // namespace zeta::rowwise::cuda
