#pragma once

#include <cuda_runtime.h>

#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"

// Loads and stores stages of rows that may begin and end between multiples of 16 bytes.
namespace zeta::rowwise::cuda {

// Loads the cover of some rows of a tensor that ends at `end`. All lanes of the warp call it.
template <class Scalar>
__device__ inline void load_cover(WarpPipe& pipe, int stage, LooseRows<Scalar const> const& rows,
                                  Scalar const* end) {
  constexpr int kEntryBytes = sizeof(Scalar);
  if (rows.cover() + rows.cover_entries() <= end) {
    pipe.load(stage, rows.cover(), rows.cover_entries() * kEntryBytes);
    return;
  }
  // Memory behind the tensor must not be read, so the entries of its last chunk are read one by
  // one.
  pipe.load(stage, rows.cover(), rows.last_whole() * kEntryBytes);
  __syncwarp();
  int const entry = rows.last_whole() + static_cast<int>(threadIdx.x) % kWarpThreads;
  if (entry < rows.end()) {
    reinterpret_cast<Scalar*>(pipe.stage(stage))[entry] = rows.cover()[entry];
  }
}

// Stores rows from a stage that holds them as memory will, with as many entries before them in the
// first chunk. Entries that share a chunk with other rows are stored one by one.
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
