#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/lane_entries.cuh"
#include "rowwise/cuda/stages/stage_passes.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"

namespace zeta::rowwise::cuda {

// Passes rows that fit into a stage through the stages of all warps. weigh(rows of the lane, row)
// replaces a row in a stage by its weights and returns whether these are numbers.
template <class Scalar, int Chunks, class Weigh>
__device__ inline void weigh_short_rows(StagedRows const& rows, Scalar* weights,
                                        Scalar const* logits, StagedSupport const& support,
                                        Weigh const& weigh) {
  LaneRows<Chunks> const lane_rows(rows);
  StagePasses<Scalar, Chunks> passes(rows, lane_rows, weights, logits);
  passes.for_each([&](Chunk* stage, int64_t first_row) {
#pragma unroll 1
    for (int i = 0; i < LaneRows<Chunks>::kRows; ++i) {
      Chunk* const row = lane_rows.begin(stage, i);
      bool const is_ordinary = weigh(lane_rows, row);
      if (!support.is_wanted()) continue;
      LaneEntries<Scalar, Chunks>::list_support(lane_rows, row, is_ordinary,
                                                support.of(rows, first_row, lane_rows.row(i)),
                                                support.capacity);
    }
  });
}

}  // namespace zeta::rowwise::cuda
