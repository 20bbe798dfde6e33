#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/column_lists.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cuda {

// The neighbouring rows that a block works on, as one of its threads sees them. If there are fewer
// rows than have room, several threads do the same for the last ones.
template <class Scalar>
class ColumnTile {
 public:
  using Word = word_t<Scalar>;
  using Memory = ColumnMemory<Scalar>;
  static constexpr int kRows = kPerWord<Scalar>;

  // All rows of a tile are neighbours in memory. The geometry's operands are weights, logits and
  // support.
  __device__ ColumnTile(RowGeometry<3> const& geometry, ForwardOperands<Scalar> const& operands,
                        ColumnTiles const& tiles)
      : tiles_(tiles),
        length_(static_cast<int>(geometry.length)),
        place_(static_cast<int>(threadIdx.x) & (tiles.threads_per_part - 1)),
        part_(static_cast<int>(threadIdx.x) / tiles.threads_per_part),
        neighbours_(static_cast<int>(geometry.batch_sizes[0])),
        weights_stride_(geometry.stride[0]),
        logits_stride_(geometry.stride[1]),
        support_row_stride_(geometry.batch_strides[0][2]) {
    int const rows = tiles.threads_per_part * kRows;
    int const tiles_of_neighbours = (neighbours_ - 1) / rows + 1;
    int const tile = static_cast<int>(blockIdx.x);
    int const group = tile / tiles_of_neighbours;
    first_row_ = (tile - group * tiles_of_neighbours) * rows;
    int64_t offsets[3];
    geometry.offsets(int64_t{group} * neighbours_, offsets);
    weights_ = operands.weights + offsets[0];
    logits_ = operands.logits + offsets[1];
    support_ = operands.support == nullptr ? nullptr : operands.support + offsets[2];
  }

  __device__ int length() const { return length_; }
  __device__ int place() const { return place_; }
  __device__ int part() const { return part_; }
  // Returns the most non-zeros that a row can have.
  __device__ int non_zeros(int64_t k) const { return k < length_ ? static_cast<int>(k) : length_; }

  __device__ int column(int step, int part) const { return step * tiles_.parts + part; }

  // Return row `row`, 0 or 1, of the threads at a place of the tile.
  __device__ StridedRow<Scalar> weights(int place, int row) const {
    return {weights_ + row_number(place) + row, weights_stride_, length_};
  }
  __device__ StridedRow<Scalar const> logits(int place, int row) const {
    return {logits_ + row_number(place) + row, logits_stride_, length_};
  }
  __device__ SupportRow support(int place, int row, int k) const {
    if (support_ == nullptr) return {nullptr, k, true};
    return {support_ + (row_number(place) + row) * support_row_stride_, k, true};
  }

  // Reads this thread's part of its rows into `part`, and writes zeros in its place.
  template <class Part>
  __device__ void list_and_clear(Part& part) const {
    int const row = row_number(place_);
    Scalar const* from = logits_ + row + part_ * logits_stride_;
    Scalar* to = weights_ + row + part_ * weights_stride_;
    int64_t const from_step = tiles_.parts * logits_stride_;
    int64_t const to_step = tiles_.parts * weights_stride_;
    int const steps = (length_ - part_ + tiles_.parts - 1) / tiles_.parts;
#pragma unroll 1
    for (int step = 0; column(step, 0) < length_; step += kColumnsAhead) {
      Word words[kColumnsAhead];
      int const count = steps - step;
      if ((kRows == 1 || tiles_.is_paired) && count >= kColumnsAhead) {
        read_and_clear(words, from, to, from_step, to_step);
      } else {
        read_and_clear_some(words, count, from, to, from_step, to_step);
      }
      from += kColumnsAhead * from_step;
      to += kColumnsAhead * to_step;
      part.make_room();
#pragma unroll
      for (int i = 0; i < kColumnsAhead; ++i) part.add(words[i], i % kMaximaPerPart, step + i);
      part.publish();
    }
  }

  // Whether `state` stands in place of the count of the first list of one of this thread's rows.
  __device__ bool has_row(Memory const& memory, int state) const {
    bool result = memory.count(place_, 0) == state;
    if constexpr (kRows == 2) result = result || memory.count(place_, 1) == state;
    return result;
  }

  // Writes NaN to the rows that need it. All threads of the block call this once all its rows are
  // weighed.
  __device__ void fill_nan_rows(Memory const& memory) const {
    __syncthreads();
    if (!has_row(memory, kNaNColumnRow)) return;
#pragma unroll 1
    for (int row = 0; row < kRows; ++row) {
      if (memory.count(place_, row) != kNaNColumnRow) continue;
      auto const result = weights(place_, row);
#pragma unroll 1
      for (int column = part_; column < length_; column += tiles_.parts) {
        result[column] = narrow<Scalar>(NAN);
      }
    }
  }

 private:
  // Returns the number, among the neighbours, of the first row at a place.
  __device__ int row_number(int place) const {
    int const number = first_row_ + place * kRows;
    return number <= neighbours_ - kRows ? number : neighbours_ - kRows;
  }

  // Reads a word of each step and writes zeros in its place.
  __device__ static void read_and_clear(Word (&words)[kColumnsAhead], Scalar const* from,
                                        Scalar* to, int64_t from_step, int64_t to_step) {
#pragma unroll
    for (int i = 0; i < kColumnsAhead; ++i) {
      words[i] = *reinterpret_cast<Word const*>(from + i * from_step);
    }
#pragma unroll
    for (int i = 0; i < kColumnsAhead; ++i) {
      *reinterpret_cast<Word*>(to + i * to_step) = repeated(narrow<Scalar>(0));
    }
  }

  // Does the same for `count` steps at most, whatever the alignment. Words that do not exist become
  // -inf.
  __device__ static void read_and_clear_some(Word (&words)[kColumnsAhead], int count,
                                             Scalar const* from, Scalar* to, int64_t from_step,
                                             int64_t to_step) {
#pragma unroll
    for (int i = 0; i < kColumnsAhead; ++i) {
      words[i] = repeated(narrow<Scalar>(-INFINITY));
      if (i < count) words[i] = load(from + i * from_step);
    }
#pragma unroll 1
    for (int i = 0; i < kColumnsAhead && i < count; ++i) {
#pragma unroll
      for (int row = 0; row < kRows; ++row) to[i * to_step + row] = narrow<Scalar>(0);
    }
  }

  __device__ static Word load(Scalar const* from) {
    if constexpr (kRows == 1) {
      return *from;
    } else {
      return {from[0].bits | static_cast<uint32_t>(from[1].bits) << 16};
    }
  }

  ColumnTiles tiles_;
  int length_;
  int place_;
  int part_;
  int neighbours_;
  int64_t weights_stride_;
  int64_t logits_stride_;
  int64_t support_row_stride_;
  int first_row_;
  Scalar* weights_;
  Scalar const* logits_;
  int32_t* support_;
};

}  // namespace zeta::rowwise::cuda
