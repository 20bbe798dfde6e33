#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "mappings/weighted_mean.h"
#include "rowwise/cuda/backward/gathered_row.cuh"
#include "rowwise/cuda/backward/operands.cuh"
#include "rowwise/cuda/backward/row_mean.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// The backward from the support, for a result whose rows follow each other without a gap. It reads
// the gradient only at the support. In a turn, a warp writes some rows or a part of one. It first
// writes zeros to all of their memory, which waits for nothing and so hides the reads that are in
// flight, and then the values over them. Supports are read a turn ahead.
namespace zeta::rowwise::cuda {

// How a result is divided into turns, as BackwardPlan says.
struct SupportTurns {
  int64_t count;
  int capacity;
  int grads_stride;  // between neighbours in a row of the gradient
  int lanes_per_row;
  int rows_per_turn;
  int columns_per_turn;
  int turns_per_row;
};

// A lane's part of a turn. It belongs to one row.
template <class Scalar, int Places>
struct SupportPart {
  int64_t grads = 0;    // where the row of the gradient begins, in elements
  int64_t support = 0;  // where the row of the support begins, in elements
  int listed = 0;       // count of the support, kNaNRow, or 0 if there is no row
  GatheredPlaces<Scalar, Places> places;
};

// One way to put values among the zeros: they are written over them.
struct OverZeros {
  static constexpr bool kIsStaged = false;
  static constexpr bool kIsWide = false;
  static constexpr bool kIsOneChunk = false;
  static constexpr int kPlaces = kPlacesPerLane;
};
// Does the same for rows whose support may have more indices than their lanes hold.
struct OverZerosWide : OverZeros {
  static constexpr bool kIsWide = true;
};
// The other way: a turn is put together in shared memory and written once. It is for rows so short
// that the values would take as many writes as the zeros.
struct AmongZeros : OverZeros {
  static constexpr bool kIsStaged = true;
};

// A row of the support is one chunk, count included, as for the default k = 3. One lane holds all
// of it.
template <class Way>
struct OfChunks : Way {
  static constexpr bool kIsOneChunk = true;
  static constexpr int kPlaces = kColumnsOfChunk;
};
struct OverZerosOfChunks : OfChunks<OverZeros> {};
struct AmongZerosOfChunks : OfChunks<AmongZeros> {};

template <class Scalar, class Way>
class SupportBackward {
 public:
  using Real = widened_t<Scalar>;
  using Integers = typename mappings::WeightedMean<Real>::Integers;
  using Places = GatheredPlaces<Scalar, Way::kPlaces>;
  using Part = SupportPart<Scalar, Way::kPlaces>;
  static constexpr bool kIsStaged = Way::kIsStaged;
  static constexpr bool kIsWide = Way::kIsWide;

  // `stage` is shared memory of this warp alone, for rows that are staged.
  __device__ SupportBackward(RowGeometry<3> const& geometry, SupportTurns const& turns,
                             SupportOperands<Scalar> const& operands, Integers const& integers,
                             Chunk* stage)
      : geometry_(geometry),
        turns_(turns),
        operands_(operands),
        integers_(integers),
        lanes_(Way::kIsOneChunk ? 1 : turns.lanes_per_row),
        lane_(static_cast<int>(threadIdx.x) % kWarpThreads),
        own_row_(lanes_.group()),
        length_(static_cast<int>(geometry.length)),
        stage_(stage) {}

  __device__ void run() {
    int64_t const step = static_cast<int64_t>(gridDim.x) * kWarpsPerBlock;
    int64_t number = static_cast<int64_t>(blockIdx.x) * kWarpsPerBlock +
                     static_cast<int>(threadIdx.x) / kWarpThreads;
    if constexpr (kIsStaged) clear_stage();
    Part next;
    load_support(number, next);
    // The zeros of the first turn do not wait for the support. Later zeros are written no further
    // ahead of their values than needed, since the L2 cache has to hold them until then.
    bool has_zeros = number < turns_.count;
    if (has_zeros) write_zeros(turn_of(number));
#pragma unroll 1
    for (; number < turns_.count; number += step) {
      Part part = next;
      load_grads(part);
      load_support(number + step, next);
      if (!has_zeros) write_zeros(turn_of(number));
      has_zeros = false;
      make(turn_of(number), part);
    }
  }

 private:
  // Where a turn begins: at this row, and at this index of it if the turn is a part of a row.
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
    int32_t const* support = operands_.source;
    int64_t const row = turn_of(number).row + own_row_;
    bool const exists =
        number < turns_.count && own_row_ < turns_.rows_per_turn && row < geometry_.rows;
    if (exists) {
      int64_t offsets[3];
      find_row(geometry_, row, offsets);
      part.grads = offsets[1];
      part.support = offsets[2];
      support += offsets[2];
    }
    if constexpr (Way::kIsOneChunk) {
      if (exists) part.listed = part.places.load_chunk(support);
    } else {
      if (exists) part.listed = support[0];
      part.places.load_columns(lanes_, exists ? turns_.capacity : 0, support + 1);
    }
  }

  // Returns how many indices of the support are read.
  __device__ int columns_of(Part const& part) const {
    int const capacity = Way::kIsOneChunk ? kColumnsOfChunk : turns_.capacity;
    return part.listed < capacity ? part.listed : capacity;
  }

  __device__ void load_grads(Part& part) const {
    part.places.load_grads(lanes_, columns_of(part), operands_.grads + part.grads,
                           turns_.grads_stride, length_);
  }

  // Calls visit(column, grad) for this lane's indices of the support that are not in its registers.
  template <class Visit>
  __device__ void for_each_other(Part const& part, Visit const& visit) const {
    if constexpr (!kIsWide) return;
    constexpr int kHeld = kWarpThreads * Way::kPlaces;
    int32_t const* const support = operands_.source + part.support + 1;
#pragma unroll 1
    for (int first = kHeld; first < columns_of(part); first += kHeld) {
      Places places;
      places.load_columns(lanes_, columns_of(part) - first, support + first);
      places.load_grads(lanes_, columns_of(part) - first, operands_.grads + part.grads,
                        turns_.grads_stride, length_);
#pragma unroll
      for (int i = 0; i < Way::kPlaces; ++i) {
        if (places.columns[i] != places.kNone) visit(places.columns[i], places.grads[i]);
      }
    }
  }

  // Writes the result of a turn, of which this lane has a part.
  __device__ void make(Turn const& turn, Part const& part) {
    LooseRows<Scalar> const rows = rows_of(turn);
    auto const mean = mean_of(part);
    auto const value_of = [&](Scalar grad) {
      return narrow<Scalar>(mean.subtracted_from(static_cast<double>(widen(grad))));
    };
    // The lane's row begins at this entry of the turn's memory, or before it if this is negative.
    int const rows_before = own_row_ < turns_.rows_per_turn ? own_row_ : 0;
    int const start = rows_before * length_ - turn.first_column;
    if constexpr (kIsStaged) {
      make_in_stage(rows, start, part, value_of);
    } else {
      __syncwarp();  // values are written after the zeros of other lanes
      auto const put = [&](int column, Scalar grad) {
        int const entry = start + column;
        if (static_cast<unsigned>(entry) < static_cast<unsigned>(rows.entries)) {
          rows.begin[entry] = value_of(grad);
        }
      };
      for_each_held(part, put);
      for_each_other(part, put);
    }
    bool const is_nan = part.listed == kNaNRow;
    if (__any_sync(kAllLanes, is_nan) != 0) put_nan(rows, start, is_nan);
  }

  // Writes zeros to the memory of a turn, unless a stage brings them together with the values.
  __device__ void write_zeros(Turn const& turn) const {
    if constexpr (kIsStaged) return;
    write(rows_of(turn), [](int) { return Chunk{0, 0, 0, 0}; }, [](int) { return Scalar{}; });
  }

  // Puts the values into the stage, which holds zeros, writes the stage to memory, and clears the
  // values again.
  template <class ValueOf>
  __device__ void make_in_stage(LooseRows<Scalar> const& rows, int start, Part const& part,
                                ValueOf const& value_of) {
    auto* const entries = reinterpret_cast<Scalar*>(stage_);
    Scalar* const own = entries + rows.shift() + start;
    for_each_held(part, [&](int column, Scalar grad) { own[column] = value_of(grad); });
    __syncwarp();
    write(
        rows, [&](int chunk) { return stage_[chunk]; }, [&](int entry) { return entries[entry]; });
    __syncwarp();
    for_each_held(part, [&](int column, Scalar) { own[column] = Scalar{}; });
  }

  __device__ void clear_stage() {
#pragma unroll
    for (int i = 0; i < kChunksPerLane; ++i) stage_[i * kWarpThreads + lane_] = {0, 0, 0, 0};
    __syncwarp();
  }

  // Calls visit(column, grad) for the indices of the support that this lane holds.
  template <class Visit>
  __device__ static void for_each_held(Part const& part, Visit const& visit) {
    auto const& [columns, grads] = part.places;
#pragma unroll
    for (int i = 0; i < Way::kPlaces; ++i) {
      if (columns[i] != Places::kNone) visit(columns[i], grads[i]);
    }
  }

  // Returns the mean of the row that this lane has a part of.
  __device__ mappings::Mean<Real> mean_of(Part const& part) const {
    int count = 0;
#pragma unroll
    for (int column : part.places.columns) count += column != part.places.kNone ? 1 : 0;
    for_each_other(part, [&](int, Scalar) { ++count; });
    return row_mean<Real>(lanes_, integers_, count, [&](auto const& visit) {
#pragma unroll
      for (Scalar grad : part.places.grads) visit(widen(grad));
      for_each_other(part, [&](int, Scalar grad) { visit(widen(grad)); });
    });
  }

  // Returns the memory that a turn writes.
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

  // Writes chunk_of(chunk) to the chunks that hold nothing but some rows, and entry_of(entry) to
  // the entries that share a chunk with others. Both are numbered from the start of the rows'
  // cover.
  template <class ChunkOf, class EntryOf>
  __device__ void write(LooseRows<Scalar> const& rows, ChunkOf const& chunk_of,
                        EntryOf const& entry_of) const {
    constexpr int kPerChunk = LooseRows<Scalar>::kPerChunk;
    Scalar* const cover = rows.cover();
    auto* const chunks = reinterpret_cast<Chunk*>(cover);
    int const first = rows.first_whole();
    int const last = rows.last_whole();
#pragma unroll kChunksAtOnce
    for (int chunk = first / kPerChunk + lane_; chunk < last / kPerChunk; chunk += kWarpThreads) {
      chunks[chunk] = chunk_of(chunk);
    }
    if (rows.shift() == 0 && last == rows.end()) return;
    auto const write_one = [&](int entry) {
      if (entry >= rows.shift() && entry < rows.end()) cover[entry] = entry_of(entry);
    };
    if (lane_ < first) write_one(lane_);
    if (last >= first) write_one(last + lane_);
  }

  // Writes NaN over the rows of the lanes with is_nan. Such a row begins at the lane's `start`.
  __device__ void put_nan(LooseRows<Scalar> const& rows, int start, bool is_nan) const {
    __syncwarp();
    unsigned left = __ballot_sync(kAllLanes, is_nan);
#pragma unroll 1
    for (; left != 0; left &= left - 1) {
      int const first = __shfl_sync(kAllLanes, start, __ffs(static_cast<int>(left)) - 1);
      int const end = first + length_ < rows.entries ? first + length_ : rows.entries;
#pragma unroll 1
      for (int entry = (first > 0 ? first : 0) + lane_; entry < end; entry += kWarpThreads) {
        rows.begin[entry] = narrow<Scalar>(NAN);
      }
    }
  }

  RowGeometry<3> const& geometry_;
  SupportTurns const& turns_;
  SupportOperands<Scalar> const& operands_;
  Integers const& integers_;
  Lanes lanes_;
  int lane_;
  int own_row_;  // among the rows of a turn
  int length_;
  Chunk* stage_;
};

// A block has kWarpsPerBlock warps.
template <template <class> class MappingOf, class Scalar, class Way>
__global__ void __launch_bounds__(kWarpsPerBlock* kWarpThreads,
                                  blocks_of_zeros(sizeof(Scalar), Way::kIsWide))
    support_backward_kernel(
        __grid_constant__ RowGeometry<3> const geometry, __grid_constant__ SupportTurns const turns,
        __grid_constant__ SupportOperands<Scalar> const operands,
        __grid_constant__
        typename mappings::WeightedMean<widened_t<Scalar>>::Integers const integers) {
  // A mapping whose slope varies on the support would have to hand over its weights, too.
  static_assert(MappingOf<widened_t<Scalar>>::Slope::kIsConstant);
  constexpr int kChunks = Way::kIsStaged ? kStageChunks : 1;
  ZETA_SHARED_ARRAY(Chunk, stages, kWarpsPerBlock * kChunks);
  Chunk* const stage = stages + static_cast<int>(threadIdx.x) / kWarpThreads * kChunks;
  SupportBackward<Scalar, Way>(geometry, turns, operands, integers, stage).run();
}

}  // namespace zeta::rowwise::cuda
