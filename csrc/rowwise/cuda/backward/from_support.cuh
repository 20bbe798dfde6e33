#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/gathered_row.cuh"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/backward/row_mean.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/loose_copies.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward that knows the support, of a result whose rows follow each other without a gap. It
// reads no more of the gradient than at the support. A warp makes some rows, or a part of one, in a
// turn: it finds the values of all of them, then goes through their memory in stages of zeros into
// which it puts the values. The supports are read two turns ahead, the gradients one turn ahead.
namespace zeta::rowwise::cuda {

// How a result is taken apart. As of BackwardPlan.
struct SupportTurns {
  int64_t count;
  int capacity;
  int grads_stride;  // between the columns of a row
  int lanes_per_row;
  int rows_per_turn;
  int columns_per_turn;
  int turns_per_row;
};

// A lane's part of a turn: of one row.
template <class Scalar>
struct SupportPart {
  int64_t grads = 0;    // where the row of the gradient begins, in elements
  int64_t support = 0;  // and that of the support
  int listed = 0;       // count of the support, 0 where there is no row
  GatheredPlaces<Scalar> places;
};

// With IsWide a row may have more columns than its lanes hold.
template <class Mapping, class Scalar, bool IsWide>
class SupportBackward {
 public:
  using Real = widened_t<Scalar>;
  using Integers = typename mappings::WeightedMean<Real>::Integers;
  using Part = SupportPart<Scalar>;
  static constexpr int kEntries = kStageBytes / static_cast<int>(sizeof(Scalar));

  __device__ SupportBackward(RowGeometry<3> const& geometry, SupportTurns const& turns,
                             SupportOperands<Scalar> const& operands, Integers const& integers)
      : geometry_(geometry),
        turns_(turns),
        operands_(operands),
        integers_(integers),
        lanes_(turns.lanes_per_row),
        own_row_(lanes_.group()),
        length_(static_cast<int>(geometry.length)),
        pipe_(kStagesOfZeros),
        stage_(pipe_.stage(0)),
        other_stage_(pipe_.stage(1)) {}

  __device__ void run() {
    int64_t const step = static_cast<int64_t>(gridDim.x) * kWarpsPerBlock;
    int64_t const first = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock +
                          static_cast<int>(threadIdx.x) / kWarpThreads;
    Part part;
    Part next;
    // The first two rounds do no more than read ahead.
#pragma unroll 1
    for (int64_t number = first - 2 * step; number < turns_.count; number += step) {
      Part after_next;
      load_support(number + 2 * step, after_next);
      load_grads(next);
      if (number >= 0) make(number, part);
      part = next;
      next = after_next;
    }
    pipe_.finish();
  }

 private:
  // What a turn makes: rows from this one on, or a part of it from a column on.
  struct Turn {
    int64_t row;
    int first_column;
  };

  __device__ Turn turn_of(int64_t number) const {
    if (turns_.turns_per_row == 1) return {number * turns_.rows_per_turn, 0};
    auto const turn = static_cast<uint32_t>(number);
    auto const turns_per_row = static_cast<uint32_t>(turns_.turns_per_row);
    uint32_t const row = turn / turns_per_row;
    return {row, static_cast<int>(turn - row * turns_per_row) * turns_.columns_per_turn};
  }

  __device__ void load_support(int64_t number, Part& part) const {
    part = Part();
    int places = 0;
    int32_t const* support = operands_.source;
    int64_t const row = turn_of(number).row + own_row_;
    if (number < turns_.count && own_row_ < turns_.rows_per_turn && row < geometry_.rows) {
      int64_t offsets[3];
      find_row(geometry_, row, offsets);
      part.grads = offsets[1];
      part.support = offsets[2];
      support += offsets[2];
      part.listed = support[0];
      places = turns_.capacity;
    }
    part.places.load_columns(lanes_, places, support + 1);
  }

  // How many columns the support has.
  __device__ int columns_of(Part const& part) const {
    return part.listed < turns_.capacity ? part.listed : turns_.capacity;
  }

  __device__ void load_grads(Part& part) const {
    part.places.load_grads(lanes_, columns_of(part), operands_.grads + part.grads,
                           turns_.grads_stride, length_);
  }

  // Calls visit(column, grad) for this lane's columns of the support that it does not hold.
  template <class Visit>
  __device__ void for_each_other(Part const& part, Visit const& visit) const {
    if constexpr (!IsWide) return;
    constexpr int kHeld = kWarpThreads * kPlacesPerLane;
    int32_t const* const support = operands_.source + part.support + 1;
#pragma unroll 1
    for (int first = kHeld; first < columns_of(part); first += kHeld) {
      GatheredPlaces<Scalar> places;
      places.load_columns(lanes_, columns_of(part) - first, support + first);
      places.load_grads(lanes_, columns_of(part) - first, operands_.grads + part.grads,
                        turns_.grads_stride, length_);
#pragma unroll
      for (int i = 0; i < kPlacesPerLane; ++i) {
        if (places.columns[i] != places.kNone) visit(places.columns[i], places.grads[i]);
      }
    }
  }

  // Makes what falls to a turn, of which this lane has a part.
  __device__ void make(int64_t number, Part const& part) {
    auto const& [columns, grads] = part.places;
    auto const mean = mean_of(part);
    auto const value_of = [&](Scalar grad) {
      return narrow<Scalar>(mean.subtracted_from(static_cast<double>(widen(grad))));
    };
    Turn const turn = turn_of(number);
    LooseRows<Scalar> const rows = rows_of(turn);
    // Where the lane's row begins, in the entries of the rows' cover, and where its places lie.
    int const rows_before = own_row_ < turns_.rows_per_turn ? own_row_ : 0;
    int const start = rows.shift() - turn.first_column + rows_before * length_;
    int entries[kPlacesPerLane];
    Scalar values[kPlacesPerLane];
#pragma unroll
    for (int i = 0; i < kPlacesPerLane; ++i) {
      entries[i] = columns[i] != part.places.kNone ? start + columns[i] : -1;
      values[i] = value_of(grads[i]);
    }
    bool const is_nan = part.listed == kNaNRow;
    bool const has_nan = __any_sync(kAllLanes, is_nan) != 0;
    bool const is_filled = has_nan || has_values_in(rows, entries);
    store_stages(rows, is_filled, [&](Scalar* stage, int first) {
      auto const put = [&](int entry, Scalar value) {
        if (static_cast<unsigned>(entry - first) < static_cast<unsigned>(kEntries)) {
          stage[entry - first] = value;
        }
      };
#pragma unroll
      for (int i = 0; i < kPlacesPerLane; ++i) put(entries[i], values[i]);
      for_each_other(part, [&](int column, Scalar grad) { put(start + column, value_of(grad)); });
      if (has_nan && is_nan) put_nan(stage, start - first);
    });
  }

  // Of the row that this lane has a part of.
  __device__ mappings::Mean<Real> mean_of(Part const& part) const {
    int count = 0;
#pragma unroll
    for (int column : part.places.columns) count += column != part.places.kNone ? 1 : 0;
    for_each_other(part, [&](int, Scalar) { ++count; });
    return row_mean<Mapping, Real>(lanes_, integers_, count, [&](auto const& visit) {
#pragma unroll
      for (Scalar grad : part.places.grads) visit(1.0, widen(grad));
      for_each_other(part, [&](int, Scalar grad) { visit(1.0, widen(grad)); });
    });
  }

  // Whether some lane may have a place in the rows.
  __device__ bool has_values_in(LooseRows<Scalar> const& rows,
                                int const (&entries)[kPlacesPerLane]) const {
    bool is_here = IsWide;
#pragma unroll
    for (int entry : entries) {
      is_here |= static_cast<unsigned>(entry) < static_cast<unsigned>(rows.end());
    }
    return __any_sync(kAllLanes, is_here) != 0;
  }

  // Goes through the rows in stages of zeros. If they are filled, fill(stage, first) puts values
  // into each, of which the first entry is this one of the rows' cover.
  template <class Fill>
  __device__ void store_stages(LooseRows<Scalar> const& rows, bool is_filled, Fill const& fill) {
    bool const is_whole = rows.shift() == 0 && rows.end() == rows.last_whole();
#pragma unroll 1
    for (int first = 0; first < rows.end(); first += kEntries) {
      make_zeros();
      if (is_filled) {
        fill(reinterpret_cast<Scalar*>(stage_), first);
        is_clean_ = false;
      }
      store(rows, first, is_whole);
    }
  }

  // The memory that a turn fills.
  __device__ LooseRows<Scalar> rows_of(Turn const& turn) const {
    Scalar* const begin = operands_.result + turn.row * length_ + turn.first_column;
    if (turns_.turns_per_row > 1) {
      int const left = length_ - turn.first_column;
      return {begin, left < turns_.columns_per_turn ? left : turns_.columns_per_turn};
    }
    int64_t const left = geometry_.rows - turn.row;
    int const rows = left < turns_.rows_per_turn ? static_cast<int>(left) : turns_.rows_per_turn;
    return {begin, rows * length_};
  }

  // Makes the stage one of zeros, once the store before the last one has left it.
  __device__ void make_zeros() {
    pipe_.wait_for_older_stores();
    if (is_clean_) return;
    int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
#pragma unroll
    for (int i = 0; i < kChunksPerLane; ++i) stage_[i * kWarpThreads + lane] = {0, 0, 0, 0};
    __syncwarp();
    is_clean_ = true;
  }

  // Of the lane's row, which begins at `start` of the stage.
  __device__ void put_nan(Scalar* stage, int start) const {
    int const end = start + length_ < kEntries ? start + length_ : kEntries;
#pragma unroll 1
    for (int entry = (start > 0 ? start : 0) + lanes_.rank(); entry < end;
         entry += lanes_.threads()) {
      stage[entry] = narrow<Scalar>(NAN);
    }
  }

  // The part of the rows that the stage holds, from entry `first` of their cover on. The other
  // stage comes next.
  __device__ void store(LooseRows<Scalar> const& rows, int first, bool is_whole) {
    int const end = first + kEntries < rows.end() ? first + kEntries : rows.end();
    if (is_whole) {
      pipe_.store(number_, 0, rows.begin + first, (end - first) * static_cast<int>(sizeof(Scalar)));
    } else {
      __syncwarp();
      int const begin = first > rows.shift() ? first : rows.shift();
      store_rows(pipe_, number_, LooseRows<Scalar>{rows.cover() + begin, end - begin});
    }
    number_ ^= 1;
    swap(stage_, other_stage_);
    swap(is_clean_, other_is_clean_);
  }

  template <class Value>
  __device__ static void swap(Value& a, Value& b) {
    Value const c = a;
    a = b;
    b = c;
  }

  RowGeometry<3> const& geometry_;
  SupportTurns const& turns_;
  SupportOperands<Scalar> const& operands_;
  Integers const& integers_;
  Lanes lanes_;
  int own_row_;  // of a turn
  int length_;
  WarpPipe pipe_;
  // The stage that is filled next, and the one that is stored.
  int number_ = 0;
  Chunk* stage_;
  Chunk* other_stage_;
  bool is_clean_ = false;  // of zeros alone
  bool other_is_clean_ = false;
  static_assert(kStagesOfZeros == 2);
};

// Blocks of kWarpsPerBlock warps.
template <template <class> class MappingOf, class Scalar, bool IsWide>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads, kBlocksOfZeros)
    support_backward_kernel(
        __grid_constant__ RowGeometry<3> const geometry, __grid_constant__ SupportTurns const turns,
        __grid_constant__ SupportOperands<Scalar> const operands,
        __grid_constant__
        typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers) {
  // Mappings whose slope varies on the support would have to hand over their weights, too.
  using Mapping = MappingOf<widened_t<Scalar>>;
  static_assert(Mapping::slope(0.25) == 1);
  SupportBackward<Mapping, Scalar, IsWide>(geometry, turns, operands, integers).run();
}

}  // namespace zeta::rowwise::cuda
