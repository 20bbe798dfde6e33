#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/loose_rows.cuh"
#include "rowwise/cuda/stage_rows.cuh"
#include "rowwise/cuda/warp_pipe.cuh"

// How a dense tensor of short rows passes through the stages of all warps.
namespace zeta::rowwise::cuda {

template <class Scalar, int Chunks>
class StagePasses {
 public:
  __device__ StagePasses(StagedRows const& rows, LaneRows<Chunks> const& lane_rows, Scalar* target,
                         Scalar const* source)
      : rows_(rows),
        lane_(lane_rows.lane()),
        mover_(rows, lane_rows),
        pipe_(rows.stages),
        target_(target),
        source_(source) {}

  // Calls change(stage, first_row) for the stages that fall to this warp. The rows of each are read
  // from the source before, and stored to the target after.
  template <class Change>
  __device__ void for_each(Change const& change) {
    int const count = static_cast<int>((rows_.rows - 1) / rows_.rows_per_stage + 1);
    int const step = static_cast<int>(gridDim.x) * kWarpsPerBlock;
    int const first = static_cast<int>(blockIdx.x) * kWarpsPerBlock +
                      static_cast<int>(threadIdx.x) / kWarpThreads;
    auto const load_if_any = [&](int number, int stage) {
      if (number < count) load(number, stage);
      pipe_.end_turn();
    };
#pragma unroll
    for (int i = 0; i < kStages - 1; ++i) load_if_any(first + i * step, i);

    int stage = 0;
    int phase = 0;
#pragma unroll 1
    for (int number = first; number < count; number += step) {
      pipe_.wait(stage, phase);
      Chunk* const rows = rows_.is_loose ? pipe_.spare() : pipe_.stage(stage);
      if (rows_.is_loose) {
        mover_.to_chunks(pipe_.stage(stage), rows_of(number, source_).shift(), rows);
      }
      change(rows, first_row(number));
      store(number, stage);
      load_if_any(number + (kStages - 1) * step, stage == 0 ? kStages - 1 : stage - 1);
      stage = stage == kStages - 1 ? 0 : stage + 1;
      phase = stage == 0 ? phase ^ 1 : phase;
    }
    pipe_.finish();
  }

 private:
  __device__ int64_t first_row(int number) const { return int64_t{number} * rows_.rows_per_stage; }

  template <class Entry>
  __device__ LooseRows<Entry> rows_of(int number, Entry* tensor) const {
    int64_t const left = rows_.rows - first_row(number);
    int const count = left < rows_.rows_per_stage ? static_cast<int>(left) : rows_.rows_per_stage;
    return {tensor + first_row(number) * rows_.length, count * rows_.length};
  }

  __device__ Scalar* entries_of(int stage) const {
    return reinterpret_cast<Scalar*>(pipe_.stage(stage));
  }

  __device__ void load(int number, int stage) {
    auto const rows = rows_of(number, source_);
    bool const is_last = first_row(number) + rows_.rows_per_stage >= rows_.rows;
    if (!is_last || rows.end() == rows.cover_entries()) {
      pipe_.load(stage, rows.cover(), rows.cover_entries() * kEntryBytes);
      return;
    }
    // What follows the tensor in its last chunk is not to be read.
    pipe_.load(stage, rows.cover(), rows.last_whole() * kEntryBytes);
    __syncwarp();
    int const entry = rows.last_whole() + lane_;
    if (entry < rows.end()) entries_of(stage)[entry] = rows.cover()[entry];
  }

  __device__ void store(int number, int stage) {
    auto const rows = rows_of(number, target_);
    if (!rows_.is_loose) {
      pipe_.store(stage, 0, rows.begin, rows.entries * kEntryBytes);
      return;
    }
    mover_.from_chunks(pipe_.spare(), pipe_.stage(stage), rows.shift());
    int const first = rows.first_whole();
    int const last = rows.last_whole();
    // Rows of other stages have a part in the chunks at both ends.
    auto const store_one = [&](int entry) {
      if (entry >= rows.shift() && entry < rows.end()) {
        rows.cover()[entry] = entries_of(stage)[entry];
      }
    };
    if (lane_ < first) store_one(lane_);
    if (last >= first) store_one(last + lane_);
    pipe_.store(stage, first / LooseRows<Scalar>::kPerChunk, rows.cover() + first,
                last > first ? (last - first) * kEntryBytes : 0);
  }

  static constexpr int kEntryBytes = sizeof(Scalar);

  StagedRows const& rows_;
  int lane_;
  RowMover<Scalar, Chunks> mover_;
  WarpPipe pipe_;
  Scalar* target_;
  Scalar const* source_;
};

}  // namespace zeta::rowwise::cuda
