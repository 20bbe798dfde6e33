#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"

// Passes a dense tensor of short rows through the stages of all warps.
namespace zeta::rowwise::cuda {

template <class Scalar, int Chunks>
class StagePasses {
 public:
  __device__ StagePasses(StagedRows const& rows, LaneRows<Chunks> const& lane_rows, Scalar* target,
                         Scalar const* source)
      : rows_(rows),
        mover_(rows, lane_rows),
        pipe_(rows.stages),
        target_(target),
        source_(source) {}

  // Calls change(stage, first_row) for each stage that falls to this warp. The rows of the stage
  // are read from the source before, and stored to the target afterwards.
  template <class Change>
  __device__ void for_each(Change const& change) {
    int64_t const count = (rows_.rows - 1) / rows_.rows_per_stage + 1;
    pipe_.for_each(
        count,
        [&](int64_t number, int stage) {
          load_cover(pipe_, stage, rows_of(number, source_), source_ + rows_.rows * rows_.length);
        },
        [&](int64_t number, int stage) {
          Chunk* const rows = rows_.is_loose ? pipe_.spare() : pipe_.stage(stage);
          if (rows_.is_loose) {
            mover_.to_chunks(pipe_.stage(stage), rows_of(number, source_).shift(), rows);
          }
          change(rows, first_row(number));
          store(number, stage);
        });
  }

 private:
  __device__ int64_t first_row(int64_t number) const { return number * rows_.rows_per_stage; }

  template <class Entry>
  __device__ LooseRows<Entry> rows_of(int64_t number, Entry* tensor) const {
    int64_t const left = rows_.rows - first_row(number);
    int const count = left < rows_.rows_per_stage ? static_cast<int>(left) : rows_.rows_per_stage;
    return {tensor + first_row(number) * rows_.length, count * rows_.length};
  }

  __device__ void store(int64_t number, int stage) {
    auto const rows = rows_of(number, target_);
    if (!rows_.is_loose) {
      pipe_.store(stage, 0, rows.begin, rows.entries * static_cast<int>(sizeof(Scalar)));
      return;
    }
    mover_.from_chunks(pipe_.spare(), pipe_.stage(stage), rows.shift());
    store_rows(pipe_, stage, rows);
  }

  StagedRows const& rows_;
  RowMover<Scalar, Chunks> mover_;
  WarpPipe pipe_;
  Scalar* target_;
  Scalar const* source_;
};

}  // namespace zeta::rowwise::cuda
