#pragma once

#include <cuda_runtime.h>

#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/words.cuh"

// Sums and maxima over the lanes that share a row of a stage. All lanes of the warp call each
// function.
namespace zeta::rowwise::cuda {

// Returns the sum over the lanes of a row. The loop runs once even if a row has one lane: if that
// were a case of its own, the compiler would make two copies of the code that calls this.
template <int Chunks, class Value>
__device__ inline Value sum_of_row(LaneRows<Chunks> const& rows, Value own) {
  if constexpr (Chunks < kChunksPerLane) return own;
  int distance = 1;
#pragma unroll 1
  do {
    Value const other = detail::shuffle_words(
        own, [&](int word) { return __shfl_xor_sync(kAllLanes, word, distance); });
    if (distance < rows.lanes()) {
      if constexpr (std::is_arithmetic_v<Value>) {
        own += other;
      } else {
        own.add(other);
      }
    }
    distance *= 2;
  } while (distance < rows.lanes());
  return own;
}

// Returns the largest number of the lanes of a row, or NaN if one of them is NaN.
template <int Chunks>
__device__ inline float largest_of_row(LaneRows<Chunks> const& rows, float own) {
#pragma unroll 1
  for (int mask = 1; mask < rows.lanes(); mask *= 2) {
    own = larger_or_nan(own, __shfl_xor_sync(kAllLanes, own, mask));
  }
  return own;
}

// Sums over the lanes of a row before this one, and over all its lanes.
struct RowCounts {
  int before;
  int total;
};

template <int Chunks>
__device__ inline RowCounts counts_of_row(LaneRows<Chunks> const& rows, int own) {
  int sum = own;
#pragma unroll 1
  for (int distance = 1; distance < rows.lanes(); distance *= 2) {
    int const other = __shfl_up_sync(kAllLanes, sum, distance, rows.lanes());
    if (rows.rank() >= distance) sum += other;
  }
  return {sum - own, __shfl_sync(kAllLanes, sum, rows.lanes() - 1, rows.lanes())};
}

// Whether a flag is set in any lane of the warp, whichever row it works on. All rows of a warp go
// through loops together.
template <int Chunks>
__device__ inline bool any_of_rows(LaneRows<Chunks> const&, bool flag) {
  return __any_sync(kAllLanes, flag) != 0;
}

// Merges the lists of a row's lanes into that of the row. The last argument is a word that is not
// above any in the lists.
template <int Chunks, class Largest, class Word>
__device__ inline void merge_over_row(LaneRows<Chunks> const& rows, Largest& largest, Word) {
  if constexpr (Chunks == kChunksPerLane) largest.merge_lanes(rows.lanes());
}

}  // namespace zeta::rowwise::cuda
