#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/stages/row_sums.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"

// Rows of which each warp of a block has a part in a stage of its own. The functions do what those
// for rows of one stage do (stage_rows.cuh, row_sums.cuh). All threads of the block call what all
// lanes of the warp call there.
namespace zeta::rowwise::cuda {

class BlockRows {
 public:
  __device__ BlockRows()
      : lane_(static_cast<int>(threadIdx.x) % kWarpThreads),
        warp_(static_cast<int>(threadIdx.x) / kWarpThreads),
        warps_(static_cast<int>(blockDim.x) / kWarpThreads),
        exchanged_(exchanged()) {}

  // Sets the part of the rows that this warp has from now on: `chunks` behind `chunks_before`
  // others.
  __device__ void take_part(int chunks_before, int chunks) {
    chunks_before_ = chunks_before;
    chunks_ = chunks;
  }

  __device__ int lanes() const { return warps_ * kWarpThreads; }
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int warp() const { return warp_; }
  __device__ int warps() const { return warps_; }

  __device__ int chunk(int i) const { return first_chunk() + place(i); }
  __device__ int first_chunk() const { return lane_ * kChunksPerLane; }
  __device__ int place(int i) const { return i ^ lane_ % kChunksPerLane; }
  __device__ bool has(int chunk) const { return chunk < chunks_; }
  __device__ int chunks_before() const { return chunks_before_; }

  // Exchanges a value of each warp and returns the values of all. The caller must read them before
  // its next call. The call after that overwrites them: a warp that makes it has seen all others
  // make the one before.
  template <class Value>
  __device__ Value const* exchange(Value const& own) const {
    static_assert(sizeof(Value) <= kExchangeBytesOfWarp && std::is_trivially_copyable_v<Value>);
    turn_ ^= 1;
    auto* const values = reinterpret_cast<Value*>(exchanged_ + turn_ * kNumbers);
    if (lane_ == 0) values[warp_] = own;
    __syncthreads();
    return values;
  }

 private:
  static constexpr int kNumbers = kExchangeBytes / 2 / sizeof(double);

  __device__ static double* exchanged() {
    ZETA_SHARED_ARRAY(double, exchanged, 2 * kNumbers);
    return exchanged;
  }

  int lane_;
  int warp_;
  int warps_;
  int chunks_before_ = 0;
  int chunks_ = 0;
  double* exchanged_;
  mutable int turn_ = 0;
};

namespace detail {

// Adds up what `Lanes` neighbouring lanes have, in the same order for each of them.
template <int Lanes, class Value, class Add>
__device__ inline Value sum_of_lanes(Value own, Add const& add) {
#pragma unroll
  for (int distance = 1; distance < Lanes; distance *= 2) {
    add(own,
        shuffle_words(own, [&](int word) { return __shfl_xor_sync(kAllLanes, word, distance); }));
  }
  return own;
}

// What the warps have, added up: each lane takes that of one of them, or `none`.
template <class Value, class Add>
__device__ inline Value sum_of_warps(BlockRows const& rows, Value own, Value none, Add const& add) {
  Value const* const of_warps = rows.exchange(sum_of_lanes<kWarpThreads>(own, add));
  int const warp = rows.rank() % kMostWarpsPerRow;
  return sum_of_lanes<kMostWarpsPerRow>(warp < rows.warps() ? of_warps[warp] : none, add);
}

}  // namespace detail

template <class Value>
__device__ inline Value sum_of_row(BlockRows const& rows, Value own) {
  return detail::sum_of_warps(rows, own, Value(), [](Value& sum, Value const& other) {
    if constexpr (std::is_arithmetic_v<Value>) {
      sum += other;
    } else {
      sum.add(other);
    }
  });
}

__device__ inline float largest_of_row(BlockRows const& rows, float own) {
  return detail::sum_of_warps(rows, own, -INFINITY, [](float& largest, float other) {
    largest = larger_or_nan(largest, other);
  });
}

__device__ inline RowCounts counts_of_row(BlockRows const& rows, int own) {
  Lanes const lanes(kWarpThreads);
  int const sum = lanes.running_sum(own);
  int const* const of_warps = rows.exchange(lanes.last(sum));
  int const warp = rows.rank() % kMostWarpsPerRow;
  int const of_warp = warp < rows.warps() ? of_warps[warp] : 0;
  RowCounts const counts = {warp < rows.warp() ? of_warp : 0, of_warp};
  RowCounts const all =
      detail::sum_of_lanes<kMostWarpsPerRow>(counts, [](RowCounts& sums, RowCounts const& others) {
        sums.before += others.before;
        sums.total += others.total;
      });
  return {all.before + sum - own, all.total};
}

__device__ inline bool any_of_rows(BlockRows const&, bool flag) {
  return __syncthreads_or(flag) != 0;
}

// Once the lanes of each warp have merged their lists, each lane takes the list of one warp, or an
// empty one, and these are merged.
template <class Largest, class Word>
__device__ inline void merge_over_row(BlockRows const& rows, Largest& largest, Word fill) {
  largest.merge_lanes(kWarpThreads);
  Largest const* const of_warps = rows.exchange(largest);
  int lists = 1;
  while (lists < rows.warps()) lists *= 2;
  int const list = rows.rank() & (lists - 1);
  if (list < rows.warps()) {
    largest = of_warps[list];
  } else {
    largest.clear(fill);
  }
  largest.merge_lanes(lists);
}

}  // namespace zeta::rowwise::cuda
