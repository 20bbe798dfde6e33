#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/support_row.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/float16.h"
#include "rowwise/ordered_key.h"

// Candidates are entries that may be in a row's support. A warp lists them and finds their weights.
namespace zeta::rowwise::cuda {

// A key as wide as a register, or as two.
template <class Scalar>
using candidate_key_t = std::conditional_t<sizeof(Scalar) == 8, int64_t, int32_t>;

// A candidate, or none. Larger entries come first, and of equal ones that with the lower index.
template <class Scalar>
struct Candidate {
  using Key = candidate_key_t<Scalar>;

  Key key = kLeast<Key>;  // selection_key() of the entry
  int column = INT32_MAX;

  __device__ bool exists() const { return column != INT32_MAX; }
  __device__ Scalar entry() const { return scalar_of<Scalar>(static_cast<key_t<Scalar>>(key)); }
  __device__ bool comes_before(Candidate other) const {
    return key > other.key || (key == other.key && column < other.column);
  }
};

// Candidates in shared memory, in any order.
template <class Scalar, int Size = kCandidatesPerWarp>
struct CandidateArray {
  candidate_key_t<Scalar> keys[Size];
  int columns[Size];

  __device__ Candidate<Scalar> operator[](int place) const { return {keys[place], columns[place]}; }
  __device__ void set(int place, Candidate<Scalar> one) {
    keys[place] = one.key;
    columns[place] = one.column;
  }
};

// A warp's list of candidates: the first k if k <= 32, else as many as have room. All lanes call
// each function.
template <class Scalar>
class WarpCandidates {
 public:
  using One = Candidate<Scalar>;

  // No entry whose key is below `bound` is a candidate.
  __device__ WarpCandidates(CandidateArray<Scalar>& array, int64_t k, typename One::Key bound)
      : array_(array),
        k_(k < kWarpThreads ? static_cast<int>(k) : kWarpThreads),
        keeps_first_(k <= kWarpThreads),
        lane_(static_cast<int>(threadIdx.x) % kWarpThreads) {
    last_.key = bound;
  }

  __device__ int count() const { return count_; }
  __device__ bool includes(One one) const { return one.comes_before(last_); }

  // No entry below least() is included. If the list is strict, nor are some entries that equal it.
  __device__ Scalar least() const { return last_.entry(); }
  __device__ bool is_strict() const { return last_.exists(); }

  // Adds the candidates of the lanes that have one. Returns false if there is no room for all.
  __device__ bool add(bool has_one, One one) {
    unsigned finders = __ballot_sync(kAllLanes, has_one);
    if (count_ + __popc(finders) > kCandidatesPerWarp) {
      if (!keeps_first_) return false;
      keep_first();
      finders = __ballot_sync(kAllLanes, has_one = has_one && includes(one));
    }
    append(finders, has_one, one);
    return true;
  }

  // Does what add() does, if there is room for all.
  __device__ void append(bool has_one, One one) {
    append(__ballot_sync(kAllLanes, has_one), has_one, one);
  }

  // Keeps the first k, in order, and returns one to each lane.
  __device__ One keep_first() {
    rank();
    count_ = count_ < k_ ? count_ : k_;
    One own;
    if (lane_ < count_) own = array_[lane_];
    __syncwarp();
    if (count_ == k_) {
      last_.key = __shfl_sync(kAllLanes, own.key, k_ - 1);
      last_.column = __shfl_sync(kAllLanes, own.column, k_ - 1);
    }
    return own;
  }

  // Calls visit(column, entry) for the candidates, as the entries of a row do. All must be added
  // before.
  template <class Group, class Visit>
  __device__ void for_each(Group const& group, Visit const& visit) const {
#pragma unroll 1
    for (int place = group.rank(); place < count_; place += group.threads()) {
      visit(array_.columns[place], array_[place].entry());
    }
  }

 private:
  __device__ void append(unsigned finders, bool has_one, One one) {
    if (has_one) array_.set(count_ + __popc(finders & ((1U << lane_) - 1)), one);
    count_ += __popc(finders);
  }

  // Puts the first k in order. Each candidate counts those before it.
  __device__ void rank() {
    __syncwarp();
    if (count_ <= kWarpThreads) {
      rank_of<1>();
    } else {
      rank_of<kCandidatesPerWarp / kWarpThreads>();
    }
    __syncwarp();
  }

  // Ranks up to `Most` candidates of each lane.
  template <int Most>
  __device__ void rank_of() {
    One own[Most];
    int ranks[Most] = {};
#pragma unroll
    for (int i = 0; i < Most; ++i) {
      int const place = i * kWarpThreads + lane_;
      if (place < count_) own[i] = array_[place];
    }
#pragma unroll 1
    for (int place = 0; place < count_; ++place) {
      One const other = array_[place];
#pragma unroll
      for (int i = 0; i < Most; ++i) ranks[i] += other.comes_before(own[i]) ? 1 : 0;
    }
    __syncwarp();
#pragma unroll
    for (int i = 0; i < Most; ++i) {
      if (i * kWarpThreads + lane_ < count_ && ranks[i] < k_) array_.set(ranks[i], own[i]);
    }
  }

  CandidateArray<Scalar>& array_;
  int k_;
  bool keeps_first_;
  int lane_;
  int count_ = 0;
  One last_;  // an entry that does not come before it is not included
};

// Returns the weight of each lane's candidate. The lanes must have the first candidates of a row in
// order. The sum over a lane and those before it tells whether the lane's candidate is in the
// support.
template <class Mapping, class Scalar>
__device__ inline Scalar weight_by_sums(Candidate<Scalar> candidate, Mapping const& mapping) {
  using Sum = typename Mapping::Sum;
  using Threshold = typename Mapping::Threshold;
  int const lane = static_cast<int>(threadIdx.x) % kWarpThreads;
  auto const logit = widen(candidate.entry());
  bool const is_within_reach = candidate.exists() && logit >= mapping.lower_bound();
  auto const term = mapping.term(is_within_reach ? logit : mapping.maximum());
  Sum sum;
  if (is_within_reach) sum.add(term);
#pragma unroll
  for (int distance = 1; distance < kWarpThreads; distance *= 2) {
    Sum const before = detail::shuffle_words(
        sum, [&](int word) { return __shfl_up_sync(kAllLanes, word, distance); });
    if (lane >= distance) sum.add(before);
  }
  Threshold threshold = mapping.threshold(sum);
  bool const is_in = is_within_reach && mapping.is_above(term, threshold);
  int const size = __popc(__ballot_sync(kAllLanes, is_in));
  threshold = detail::shuffle_words(
      threshold, [&](int word) { return __shfl_sync(kAllLanes, word, size - 1); });
  return narrow<Scalar>(lane < size ? mapping.weight(term, threshold) : 0);
}

// Writes a support that has the index of each lane that has one.
__device__ inline void write_support(SupportRow const& support, bool is_ordinary, bool has_column,
                                     int column) {
  if (!support.is_wanted()) return;
  unsigned const lanes = __ballot_sync(kAllLanes, has_column);
  int place = 0;
#pragma unroll 1
  for (unsigned rest = lanes; rest != 0; rest &= rest - 1) {
    int const other = __shfl_sync(kAllLanes, column, __ffs(static_cast<int>(rest)) - 1);
    place += other < column ? 1 : 0;
  }
  if (has_column) support.begin[1 + place] = column;
  support.close(Lanes(kWarpThreads), __popc(lanes), is_ordinary);
}

}  // namespace zeta::rowwise::cuda
