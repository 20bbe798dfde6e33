#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/block_rows.cuh"
#include "rowwise/cuda/stages/lane_entries.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"

namespace zeta::rowwise::cuda {

// A dense tensor of rows that begin at chunks, each of which a block takes in parts.
struct RowsOfParts {
  int64_t rows;
  int chunks_per_row;
  int chunks_per_part;  // of all parts but the last
  int stages;           // of a warp
};

// Passes rows through the stages of blocks, a part of a row to each warp. weigh(rows, part)
// replaces a part in a stage by its weights and returns whether the row's weights are numbers.
template <class Scalar, class Weigh>
__device__ inline void weigh_rows_of_blocks(RowsOfParts const& rows, Scalar* weights,
                                            Scalar const* logits, StagedSupport const& support,
                                            Weigh const& weigh) {
  constexpr int kPerChunk = kChunkBytes / static_cast<int>(sizeof(Scalar));
  BlockRows block_rows;
  auto const warps = static_cast<uint32_t>(block_rows.warps());
  int const chunks_before = block_rows.warp() * rows.chunks_per_part;
  int const left = rows.chunks_per_row - chunks_before;
  int const chunks = left < rows.chunks_per_part ? left : rows.chunks_per_part;
  block_rows.take_part(chunks_before, chunks);
  int const bytes = chunks * kChunkBytes;
  // Parts are numbered row by row.
  auto const row_of = [&](int64_t number) { return static_cast<uint32_t>(number) / warps; };
  auto const first_entry = [&](uint32_t row) {
    return (int64_t{row} * rows.chunks_per_row + chunks_before) * kPerChunk;
  };
  WarpPipe pipe(rows.stages);
  pipe.for_each(
      rows.rows * warps,
      [&](int64_t number, int stage) {
        pipe.load(stage, StagePart{logits + first_entry(row_of(number)), bytes});
      },
      [&](int64_t number, int stage) {
        uint32_t const row = row_of(number);
        Chunk* const part = pipe.stage(stage);
        bool const is_ordinary = weigh(block_rows, part);
        if (support.is_wanted()) {
          LaneEntries<Scalar, kChunksPerLane>::list_support(block_rows, part, is_ordinary,
                                                            support.begin + row * support.stride,
                                                            support.capacity);
        }
        pipe.store(stage, 0, weights + first_entry(row), bytes);
      });
}

}  // namespace zeta::rowwise::cuda
