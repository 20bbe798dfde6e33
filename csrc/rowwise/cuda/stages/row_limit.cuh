#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/stages/row_words.cuh"
#include "rowwise/cuda/stages/stage_rows.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// Finds the k-th largest entry of a row in registers by counting.
namespace zeta::rowwise::cuda {

// The k largest entries of a row are those above `high`, and the first `kept` of those that are
// above `low` but not above `high`.
template <class Scalar>
struct RowLimit {
  Scalar low;
  Scalar high;
  int kept = 0;
};

namespace detail {

template <class Scalar>
__device__ inline Scalar scalar_of_key(int key) {
  return scalar_of<Scalar>(static_cast<key_t<Scalar>>(key));
}

// Two numbers of the type, as keys. At least k entries of a row lie above `low`, and at most k lie
// above `high`.
template <class Scalar>
struct LimitBracket {
  int low;
  int high;
  int above_high = 0;

  __device__ unsigned width() const {
    return static_cast<unsigned>(high) - static_cast<unsigned>(low);
  }

  // Returns a number between them. The first one is next to `high`, since all entries may equal the
  // largest. The others are the middle of both. Ties may keep that from ending, so every second one
  // after kMostMiddles is the middle of the keys, which ends the search whatever the numbers are.
  __device__ int pivot(int step) const {
    if (step == 0) return high - 1;
    if (step > kMostMiddles && step % 2 == 0) return low + static_cast<int>(width() / 2);
    float const from = widen(scalar_of_key<Scalar>(low));
    float const middle = from + (widen(scalar_of_key<Scalar>(high)) - from) * 0.5F;
    int const key = selection_key(nearest<Scalar>(middle));
    return key <= low ? low + 1 : key >= high ? high - 1 : key;
  }
};

}  // namespace detail

// Finds the limit of a row that has `count` > k entries above `low`. If `count` is at most k, the
// limit keeps all of them. All lanes of the warp, or threads of the block, call it.
template <class Scalar, int Chunks, class Rows>
__device__ inline RowLimit<Scalar> find_limit(Rows const& rows,
                                              RowWords<Scalar, Chunks> const& words, Scalar low,
                                              int count, Scalar maximum, int k) {
  bool const is_limited = count > k;
  detail::LimitBracket<Scalar> bracket = {selection_key(low), selection_key(maximum)};
  bool is_open = is_limited && bracket.width() > 1;
  int step = 0;
#pragma unroll 1
  do {
    int const pivot = is_open ? bracket.pivot(step++) : bracket.low;
    int const above = words.count_above(rows, repeated(detail::scalar_of_key<Scalar>(pivot)));
    if (is_open && above >= k) bracket.low = pivot;
    if (is_open && above <= k) {
      bracket.high = pivot;
      bracket.above_high = above;
    }
    is_open = is_open && bracket.width() > 1;
  } while (__any_sync(kAllLanes, is_open));
  if (!is_limited) return {low, low};
  return {detail::scalar_of_key<Scalar>(bracket.low), detail::scalar_of_key<Scalar>(bracket.high),
          k - bracket.above_high};
}

}  // namespace zeta::rowwise::cuda
