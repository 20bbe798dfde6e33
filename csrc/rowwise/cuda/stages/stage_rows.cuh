#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"

// Rows that fit into a stage: how a dense tensor of them passes through the stages, and which
// chunks of a stage belong to a lane.
namespace zeta::rowwise::cuda {

// A dense tensor of rows.
struct StagedRows {
  int64_t rows;
  int length;
  int chunks_per_row;  // in a stage, where each row begins at a chunk
  int rows_per_stage;
  int lanes_per_row;  // a power of two
  int stages;         // of a warp
  bool is_loose;      // rows may begin between multiples of 16 bytes in memory
};

// Where the support of each of these rows is written, in the format of rowwise/saved_support.h.
struct StagedSupport {
  int32_t* begin;  // null if the caller does not want it
  int64_t stride;  // from row to row
  int capacity;

  __device__ bool is_wanted() const { return begin != nullptr; }

  // Returns null if the row does not exist. `row` counts from the first row of a stage.
  __device__ int32_t* of(StagedRows const& rows, int64_t first_row, int row) const {
    bool const exists = row < rows.rows_per_stage && first_row + row < rows.rows;
    return exists ? begin + (first_row + row) * stride : nullptr;
  }
};

// The part of a stage that belongs to a lane: kChunksPerLane neighbouring chunks, if rows fill
// their places. With Chunks < kChunksPerLane these are several rows, else a row or a part of one.
// Functions that take LaneRows take BlockRows, too.
template <int Chunks>
class LaneRows {
 public:
  static constexpr int kRows = kChunksPerLane / Chunks;

  __device__ explicit LaneRows(StagedRows const& rows)
      : lane_(static_cast<int>(threadIdx.x) % kWarpThreads),
        lanes_(Chunks < kChunksPerLane ? 1 : rows.lanes_per_row),
        chunks_per_row_(rows.chunks_per_row) {}

  __device__ int lane() const { return lane_; }

  // Return the number of neighbouring lanes that share a row, and this lane's rank among them.
  __device__ int lanes() const { return lanes_; }
  __device__ int rank() const { return lane_ & (lanes_ - 1); }

  // Returns the number, in the stage, of this lane's i-th row.
  __device__ int row(int i) const {
    if constexpr (Chunks == kChunksPerLane) return lane_ / lanes_;
    return lane_ * kRows + (i ^ (lane_ % kChunksPerLane) / Chunks);
  }

  // Returns the number, in the row, of this lane's i-th chunk. Neighbouring lanes take their chunks
  // in different orders, so that they read from different banks.
  __device__ int chunk(int i) const { return first_chunk() + place(i); }
  __device__ int first_chunk() const { return rank() * Chunks; }

  // Returns the position of that chunk among the lane's chunks in memory.
  __device__ int place(int i) const { return i ^ (lane_ % Chunks); }

  __device__ bool has(int chunk) const { return chunk < chunks_per_row_; }

  // Returns how many chunks of the row lie before this stage, in the stages of other warps.
  __device__ static constexpr int chunks_before() { return 0; }

  // Returns where the lane's i-th row begins.
  __device__ Chunk* begin(Chunk* stage, int i) const { return stage + row(i) * chunks_per_row_; }

 private:
  int lane_;
  int lanes_;
  int chunks_per_row_;
};

}  // namespace zeta::rowwise::cuda
