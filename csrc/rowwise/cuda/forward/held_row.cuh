#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstring>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/row.cuh"
#include "rowwise/cuda/passes/support.cuh"
#include "rowwise/cuda/stages/loose_rows.cuh"
#include "rowwise/cuda/stages/warp_pipe.cuh"
#include "rowwise/cuda/stages/words.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cuda {

// A row, or a part of one, that a warp holds in a stage, behind `shift` entries that are not its
// own. Each lane has one of every 32 chunks.
template <class Scalar>
class HeldRow {
 public:
  using Word = word_t<Scalar>;
  using Real = widened_t<Scalar>;
  using Key = candidate_key_t<Scalar>;
  static constexpr int kPerChunk = LooseRows<Scalar>::kPerChunk;

  // The first entry has the index `first_column` in the row.
  __device__ HeldRow(Chunk* stage, int shift, int length, int first_column = 0)
      : stage_(stage),
        shift_(shift),
        length_(length),
        first_column_(first_column),
        chunks_((shift + length + kPerChunk - 1) / kPerChunk),
        lane_(static_cast<int>(threadIdx.x) % kWarpThreads) {}

  __device__ int length() const { return length_; }
  __device__ ContiguousRow<Scalar const> row() const { return {entries() + shift_, length_}; }

  // Overwrites entries of its chunks that are not in the row with -inf.
  __device__ void mask_others() const {
    Scalar const fill = narrow<Scalar>(-INFINITY);
    if (lane_ < shift_) entries()[lane_] = fill;
    int const entry = shift_ + length_ + lane_;
    if (entry < chunks_ * kPerChunk) entries()[entry] = fill;
    __syncwarp();
  }

  // Overwrites the entries that a mask leaves out with -inf, as other lanes see after
  // mask_others(). Returns whether any takes part.
  __device__ bool leave_out(MaskEntry const* mask) const {
    bool takes_part = false;
#pragma unroll 8
    for (int column = lane_; column < length_; column += kWarpThreads) {
      if (mask[column] != 0) {
        takes_part = true;
      } else {
        entries()[shift_ + column] = narrow<Scalar>(-INFINITY);
      }
    }
    return __any_sync(kAllLanes, takes_part);
  }

  // Returns the largest entry of the lane's chunks, or NaN if one of them is NaN.
  __device__ Real lane_maximum() const {
    Maxima maxima;
    int step = 0;
#pragma unroll 1
    for (; (step + kStepsAtOnce) * kWarpThreads <= chunks_; step += kStepsAtOnce) {
      Chunk chunks[kStepsAtOnce];
#pragma unroll
      for (int i = 0; i < kStepsAtOnce; ++i) chunks[i] = stage_[chunk_of(lane_, step + i)];
#pragma unroll
      for (int i = 0; i < kStepsAtOnce; ++i) maxima.add(chunks[i]);
    }
#pragma unroll 1
    for (; step * kWarpThreads < chunks_; ++step) {
      int const chunk = chunk_of(lane_, step);
      if (chunk < chunks_) maxima.add(stage_[chunk]);
    }
    return maxima.largest();
  }

  // Calls list.add(has_one, candidate) for the entries that list.includes(), one of each lane at a
  // time, and stops with false if add() returns false. `lane_maximum` is that of this lane. The
  // list includes no entry below `bound`.
  template <class List>
  __device__ bool list_into(List& list, Real lane_maximum, Real bound) const {
#pragma unroll 1
    for (unsigned lanes = __ballot_sync(kAllLanes, lane_maximum >= bound); lanes != 0;
         lanes &= lanes - 1) {
      if (!list_chunks_of(__ffs(static_cast<int>(lanes)) - 1, list)) return false;
    }
    return true;
  }

  // Writes a value to all entries of a row that lies in the stage behind `shift` others.
  __device__ void fill(Scalar value, int shift) const {
    Chunk const chunk = chunk_of_words(repeated(value));
    int const chunks = (shift + length_ + kPerChunk - 1) / kPerChunk;
#pragma unroll 8
    for (int i = lane_; i < chunks; i += kWarpThreads) stage_[i] = chunk;
    __syncwarp();
  }

 private:
  static constexpr int kStepsAtOnce = 8;
  static constexpr int kWords = kChunkBytes / sizeof(Word);

  // Each word of a chunk has a maximum of its own, so that the comparisons do not wait for each
  // other.
  class Maxima {
   public:
    __device__ Maxima() {
#pragma unroll
      for (int i = 0; i < kWords; ++i) words_[i] = repeated(narrow<Scalar>(-INFINITY));
    }

    __device__ void add(Chunk const& chunk) {
      Word words[kWords];
      memcpy(words, &chunk, sizeof(chunk));
#pragma unroll
      for (int i = 0; i < kWords; ++i) words_[i] = larger_or_nan(words_[i], words[i]);
    }

    __device__ Real largest() const {
      Word word = words_[0];
#pragma unroll
      for (int i = 1; i < kWords; ++i) word = larger_or_nan(word, words_[i]);
      if constexpr (kPerWord<Scalar> == 1) return word;
      return larger_or_nan(number(word, 0), number(word, 1));
    }

   private:
    Word words_[kWords];
  };

  __device__ Scalar* entries() const { return reinterpret_cast<Scalar*>(stage_); }

  // In each step the lanes take neighbouring chunks. The chunks of one lane lie in different banks,
  // too.
  __device__ static int chunk_of(int lane, int step) {
    return step * kWarpThreads + (lane ^ step % kWarpThreads);
  }

  // Lists the candidates among the chunks of lane `owner`. Each lane looks at one chunk at a time.
  template <class List>
  __device__ bool list_chunks_of(int owner, List& list) const {
#pragma unroll 1
    for (int first = 0; first * kWarpThreads < chunks_; first += kWarpThreads) {
      int const chunk = chunk_of(owner, first + lane_);
      unsigned found = chunk < chunks_ ? not_below(stage_[chunk], list.least()) : 0;
      if (list.is_strict()) found = included(chunk, found, list);
#pragma unroll 1
      while (__any_sync(kAllLanes, found != 0)) {
        Candidate<Scalar> one;
        if (found != 0) one = candidate(chunk, __ffs(static_cast<int>(found)) - 1);
        if (!list.add(one.exists() && list.includes(one), one)) return false;
        found &= found - 1;
      }
    }
    return true;
  }

  // Returns a bit for each entry of a chunk that is not below `least`. Those of the lower halves of
  // words are first.
  __device__ static unsigned not_below(Chunk const& chunk, Scalar least) {
    Word words[kWords];
    memcpy(words, &chunk, sizeof(chunk));
    unsigned found = 0;
#pragma unroll
    for (int i = 0; i < kWords; ++i) {
      constexpr unsigned kHalves = kPerWord<Scalar> == 1 ? 1 : 0x10001;
      found |= bits_where_not_below(words[i], repeated(least)) & kHalves << i;
    }
    return found;
  }

  template <class List>
  __device__ unsigned included(int chunk, unsigned found, List const& list) const {
    unsigned result = 0;
#pragma unroll 1
    for (unsigned rest = found; rest != 0; rest &= rest - 1) {
      int const bit = __ffs(static_cast<int>(rest)) - 1;
      if (list.includes(candidate(chunk, bit))) result |= 1U << bit;
    }
    return result;
  }

  __device__ Candidate<Scalar> candidate(int chunk, int bit) const {
    int const in_chunk = bit % 16 * kPerWord<Scalar> + bit / 16;
    int const entry = chunk * kPerChunk + in_chunk;
    return {Key{selection_key(entries()[entry])}, first_column_ + entry - shift_};
  }

  Chunk* stage_;
  int shift_;
  int length_;
  int first_column_;
  int chunks_;
  int lane_;
};

// Sets `maximum`, on all lanes, to the largest of their maxima. Returns false if one of these is
// NaN, or the largest is infinite.
template <class Real>
__device__ inline bool find_maximum(Real lane_maximum, Real& maximum) {
  if (__any_sync(kAllLanes, lane_maximum != lane_maximum)) return false;
  maximum = scalar_of<Real>(largest_of_lanes(selection_key(lane_maximum)));
  return is_finite(maximum);
}

namespace detail {

// Sorts the lanes' numbers, larger ones to lower lanes, by Batcher's bitonic network ("Sorting
// networks and their applications", AFIPS 1968).
template <class Number>
__device__ inline Number sorted_lanes(Number number) {
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
#pragma unroll
  for (int size = 2; size <= kWarpThreads; size *= 2) {
#pragma unroll
    for (int distance = size / 2; distance >= 1; distance /= 2) {
      Number const other = __shfl_xor_sync(kAllLanes, number, distance);
      bool const takes_larger = ((lane & distance) == 0) == ((lane & size) == 0);
      number = takes_larger == (other > number) ? other : number;
    }
  }
  return number;
}

}  // namespace detail

// Returns the k-th largest of the lanes' numbers, for k <= 32.
template <class Number>
__device__ inline Number kth_of_lanes(Number number, int k) {
  if (k > kMostRounds) return __shfl_sync(kAllLanes, detail::sorted_lanes(number), k - 1);
  int seen = 0;
  Number kth;
#pragma unroll 1
  do {
    kth = largest_of_lanes(number);
    bool const is_kth = number == kth;
    seen += __popc(__ballot_sync(kAllLanes, is_kth));
    if (is_kth) number = kLeast<Number>;
  } while (seen < k);
  return kth;
}

namespace detail {

// Offers one number of each lane as the entries of a row.
template <class Real>
struct NumberOfLane {
  Real number;

  template <class Group, class Visit>
  __device__ void for_each(Group const&, Visit const& visit) const {
    visit(0, number);
  }
};

}  // namespace detail

// Returns a number that no entry of the support is below. One of -inf has no weight.
template <class Scalar, class Mapping>
__device__ inline widened_t<Scalar> least_of_support(Mapping const& mapping) {
  if constexpr (Mapping::kHasReach) {
    return mapping.lower_bound();
  } else {
    return widen(least_finite<Scalar>());
  }
}

// Two lower bounds of a row's support that follow from the lanes' maxima. The first one, for k <=
// 32, is a number that k of the maxima reach. The second one is what the maxima imply as entries of
// the row.
template <class Scalar, class Mapping, class Real>
__device__ inline Real bound_by_kth(Mapping const& mapping, Real lane_maximum, int k) {
  auto const kth = scalar_of<Real>(kth_of_lanes(selection_key(lane_maximum), k));
  Real const least = least_of_support<Scalar>(mapping);
  return kth > least ? kth : least;
}

template <class Mapping, class Real>
__device__ inline Real bound_by_threshold(Mapping const& mapping, Real lane_maximum) {
  return mapping.lower_bound(estimate_threshold<Mapping, Real>(
      Lanes(kWarpThreads), mapping, detail::NumberOfLane<Real>{lane_maximum}, kWarpThreads));
}

}  // namespace zeta::rowwise::cuda
