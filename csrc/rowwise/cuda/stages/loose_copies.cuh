#pragma once

#include <cuda_runtime.h>

#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"

// Stages of rows that need not begin or end with a chunk of memory.
namespace zeta::rowwise::cuda {

// Loads the chunks that cover rows of a tensor that ends at `end`. All lanes of the warp call it.
template <class Scalar>
__device__ inline void load_cover(WarpPipe& pipe, int stage, LooseRows<Scalar const> const& rows,
                                  Scalar const* end) {
  constexpr int kEntryBytes = sizeof(Scalar);
  if (rows.cover() + rows.cover_entries() <= end) {
    pipe.load(stage, rows.cover(), rows.cover_entries() * kEntryBytes);
    return;
  }
  // What follows the tensor in a chunk is not to be read.
  pipe.load(stage, rows.cover(), rows.last_whole() * kEntryBytes);
  __syncwarp();
  int const entry = rows.last_whole() + static_cast<int>(threadIdx.x) % kWarpThreads;
  if (entry < rows.end()) {
    reinterpret_cast<Scalar*>(pipe.stage(stage))[entry] = rows.cover()[entry];
  }
}

// Stores rows from the stage that holds them as memory will, behind as many entries of others. What
// shares a chunk with these is stored entry by entry.
template <class Scalar>
__device__ inline void store_rows(WarpPipe& pipe, int stage, LooseRows<Scalar> const& rows) {
  constexpr int kEntryBytes = sizeof(Scalar);
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  int const first = rows.first_whole();
  int const last = rows.last_whole();
  auto const* const entries = reinterpret_cast<Scalar const*>(pipe.stage(stage));
  auto const store_one = [&](int entry) {
    if (entry >= rows.shift() && entry < rows.end()) rows.cover()[entry] = entries[entry];
  };
  if (lane < first) store_one(lane);
  if (last >= first && last + lane < rows.cover_entries()) store_one(last + lane);
  pipe.store(stage, first / LooseRows<Scalar>::kPerChunk, rows.cover() + first,
             last > first ? (last - first) * kEntryBytes : 0);
}

}  // namespace zeta::rowwise::cuda
