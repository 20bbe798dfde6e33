#pragma once

#include <cuda_runtime.h>

#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"

// Loads and stores stages of rows that may begin and end between multiples of 16 bytes.
namespace zeta::rowwise::cuda {

// The cover of some rows of a tensor that ends at `end`, which goes to the chunks of a stage from
// `first_chunk` on. Memory behind the tensor must not be read, so the entries of its last chunk are
// read one by one.
template <class Scalar>
struct CoverOfRows {
  LooseRows<Scalar const> rows;
  Scalar const* end;
  int first_chunk = 0;

  __device__ bool is_whole() const { return rows.cover() + rows.cover_entries() <= end; }

  __device__ StagePart whole_chunks() const {
    int const entries = is_whole() ? rows.cover_entries() : rows.last_whole();
    return {rows.cover(), entries * static_cast<int>(sizeof(Scalar)), first_chunk};
  }

  __device__ void read_last_chunk(Chunk* stage) const {
    if (is_whole()) return;
    int const entry = rows.last_whole() + static_cast<int>(threadIdx.x) % kWarpThreads;
    if (entry < rows.end()) {
      reinterpret_cast<Scalar*>(stage + first_chunk)[entry] = rows.cover()[entry];
    }
  }
};

// Loads covers into a stage. All lanes of the warp call it.
template <class... Covers>
__device__ inline void load_covers(WarpPipe& pipe, int stage, Covers const&... covers) {
  pipe.load(stage, covers.whole_chunks()...);
  if ((covers.is_whole() && ...)) return;
  __syncwarp();
  (covers.read_last_chunk(pipe.stage(stage)), ...);
  __syncwarp();
}

// Loads the cover of some rows of a tensor that ends at `end`.
template <class Scalar>
__device__ inline void load_cover(WarpPipe& pipe, int stage, LooseRows<Scalar const> const& rows,
                                  Scalar const* end) {
  load_covers(pipe, stage, CoverOfRows<Scalar>{rows, end});
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
