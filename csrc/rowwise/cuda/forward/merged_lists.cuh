#pragma once

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>

#include "rowwise/cuda/forward/candidates.cuh"
#include "rowwise/cuda/forward/first_weights.cuh"
#include "rowwise/cuda/forward/held_row.cuh"
#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/operands.cuh"
#include "rowwise/cuda/tuning.h"
#include "rowwise/ordered_key.h"

// Merges lists that each have the first candidates of a part of a row, for k <= 32. The lanes of a
// warp hold all of them.
namespace zeta::rowwise::cuda {

// Whether a row with this largest key is ordinary: it has no NaN, no +inf, and an entry above -inf.
template <class Scalar>
__device__ inline bool is_of_ordinary_row(candidate_key_t<Scalar> largest) {
  using Key = candidate_key_t<Scalar>;
  return largest < Key{key_of(narrow<Scalar>(INFINITY))} &&
         largest > Key{key_of(narrow<Scalar>(-INFINITY))};
}

template <class Group, class Scalar>
__device__ inline void write_nan(Group const& group, ForwardRow<Scalar> const& row) {
  row.weights().fill(group, narrow<Scalar>(NAN));
  if (row.support.is_wanted()) row.support.close(group, 0, false);
}

// Writes the weights of a row's first candidates, which the lanes have in order.
template <class Mapping, class Scalar>
__device__ inline void write_first(Candidate<Scalar> candidate, Mapping const& mapping,
                                   ForwardRow<Scalar> const& row) {
  Scalar const weight = weight_of(candidate, mapping);
  bool const is_in = widen(weight) != 0;
  if (is_in) row.weights_begin[candidate.column] = weight;
  write_support(row.support, true, is_in, candidate.column);
}

// Shared memory of a warp that merges.
template <class Scalar>
struct MergingArrays {
  CandidateArray<Scalar, kMostMergedCandidates> listed;
  CandidateArray<Scalar, kWarpThreads> first;
};

// Each lane has every 32nd of the candidates. Candidates with equal keys must be in the order of
// their indices.
template <class Scalar>
class MergedLists {
 public:
  using One = Candidate<Scalar>;
  using Key = typename One::Key;

  // Takes `count` candidates. candidate(distance) returns the one that is `distance` behind the one
  // with this lane's number.
  template <class At>
  __device__ MergedLists(int count, At const& candidate)
      : count_(count), lane_(static_cast<int>(threadIdx.x) % kWarpThreads) {
#pragma unroll
    for (int i = 0; i < kMostPerLane; ++i) {
      int const distance = i * kWarpThreads;
      if (lane_ + distance < count) own_[i] = candidate(distance);
    }
  }

  // Returns the largest key of this lane's candidates.
  __device__ Key largest() const {
    Key result = own_[0].key;
#pragma unroll
    for (int i = 1; i < kMostPerLane; ++i) result = own_[i].key > result ? own_[i].key : result;
    return result;
  }

  // Returns the first k of the candidates that are not below `bound`, in order, one to each lane.
  __device__ One first(Key bound, int k, MergingArrays<Scalar>& arrays) const {
    Key const kth = kth_of_lanes(largest(), k);
    int const listed = list(kth > bound ? kth : bound, k, arrays.listed);
    __syncwarp();
#pragma unroll 1
    for (int place = lane_; place - lane_ < listed; place += kWarpThreads) {
      int const rank = rank_of(place, listed, arrays.listed);
      if (place < listed && rank < k) arrays.first.set(rank, arrays.listed[place]);
    }
    __syncwarp();
    return lane_ < k && lane_ < listed ? arrays.first[lane_] : One();
  }

 private:
  static constexpr int kMostPerLane = kMostMergedCandidates / kWarpThreads;

  // Lists the candidates that are not below a bound, in the order in which they were given, but no
  // more than k of those that equal it.
  __device__ int list(Key bound, int k,
                      CandidateArray<Scalar, kMostMergedCandidates>& array) const {
    unsigned const lower_lanes = (1U << lane_) - 1;
    int listed = 0;
    int equal = 0;
#pragma unroll
    for (int i = 0; i < kMostPerLane; ++i) {
      if (i * kWarpThreads >= count_) break;
      Key const key = own_[i].key;
      unsigned const equal_lanes = __ballot_sync(kAllLanes, key == bound);
      bool const is_one_of_k = equal + __popc(equal_lanes & lower_lanes) < k;
      bool const is_in = key > bound || (key == bound && is_one_of_k);
      unsigned const lanes = __ballot_sync(kAllLanes, is_in);
      if (is_in) array.set(listed + __popc(lanes & lower_lanes), own_[i]);
      listed += __popc(lanes);
      equal += __popc(equal_lanes);
    }
    return listed;
  }

  // Returns how many of the listed candidates come before the one at `place`.
  __device__ static int rank_of(int place, int listed,
                                CandidateArray<Scalar, kMostMergedCandidates> const& array) {
    Key const key = place < listed ? array.keys[place] : kGreatest<Key>;
    int rank = 0;
#pragma unroll 4
    for (int other = 0; other < listed; ++other) {
      Key const other_key = array.keys[other];
      rank += other_key > key || (other_key == key && other < place) ? 1 : 0;
    }
    return rank;
  }

  One own_[kMostPerLane];
  int count_;
  int lane_;
};

}  // namespace zeta::rowwise::cuda
