#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"

// Rows of up to a stage: how a dense tensor of them passes through the stages, and which chunks of
// a stage are a lane's.
namespace zeta::rowwise::cuda {

// A dense tensor of rows.
struct StagedRows {
  int64_t rows;
  int length;
  int chunks_per_row;  // in a stage, where each row begins with a chunk
  int rows_per_stage;
  int lanes_per_row;  // a power of two
  int stages;         // of a warp
  bool is_loose;      // rows do not begin with a chunk in memory
};

// Where the support of each of these rows goes, as rowwise/saved_support.h has it.
struct StagedSupport {
  int32_t* begin;  // null if nobody asks for it
  int64_t stride;  // from row to row
  int capacity;

  __device__ bool is_wanted() const { return begin != nullptr; }

  // Null for what is no row. `row` counts from the first of a stage.
  __device__ int32_t* of(StagedRows const& rows, int64_t first_row, int row) const {
    bool const exists = row < rows.rows_per_stage && first_row + row < rows.rows;
    return exists ? begin + (first_row + row) * stride : nullptr;
  }
};

// The part of a stage that is a lane's: kChunksPerLane neighbouring chunks where rows fill their
// places. With Chunks < kChunksPerLane these are several rows, else a row or a part of one. What
// takes rows of stages takes those of BlockRows, too.
template <int Chunks>
class LaneRows {
 public:
  static constexpr int kRows = kChunksPerLane / Chunks;

  __device__ explicit LaneRows(StagedRows const& rows)
      : lane_(static_cast<int>(threadIdx.x) % kWarpThreads),
        lanes_(Chunks < kChunksPerLane ? 1 : rows.lanes_per_row),
        chunks_per_row_(rows.chunks_per_row) {}

  __device__ int lane() const { return lane_; }

  // Lanes that have a part of one row, which are neighbours, and which of them this is.
  __device__ int lanes() const { return lanes_; }
  __device__ int rank() const { return lane_ & (lanes_ - 1); }

  // The row of the stage that is this lane's i-th.
  __device__ int row(int i) const {
    if constexpr (Chunks == kChunksPerLane) return lane_ / lanes_;
    return lane_ * kRows + (i ^ (lane_ % kChunksPerLane) / Chunks);
  }

  // The chunk of the row that is this lane's i-th. They are taken in such an order that
  // neighbouring lanes read from different banks.
  __device__ int chunk(int i) const { return first_chunk() + place(i); }
  __device__ int first_chunk() const { return rank() * Chunks; }

  // Of these chunks, the how manieth from the left it is.
  __device__ int place(int i) const { return i ^ (lane_ % Chunks); }

  __device__ bool has(int chunk) const { return chunk < chunks_per_row_; }

  // Chunks of the row in the stages of other warps, before those in this one.
  __device__ static constexpr int chunks_before() { return 0; }

  // Where the lane's i-th row begins.
  __device__ Chunk* begin(Chunk* stage, int i) const { return stage + row(i) * chunks_per_row_; }

 private:
  int lane_;
  int lanes_;
  int chunks_per_row_;
};

}  // namespace zeta::rowwise::cuda
