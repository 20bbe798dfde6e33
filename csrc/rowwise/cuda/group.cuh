#pragma once

#include <cstdint>
#include <cstring>

#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/cuda/tuning.h"

// The threads that work on one row together: a warp or a block. Every thread of a group calls each
// member at the same point and gets the same result of a reduction.
namespace zeta::rowwise::cuda {

inline constexpr int kWarpThreads = 32;
inline constexpr unsigned kAllLanes = 0xffffffffU;

namespace detail {

template <class Value>
__device__ Value shuffle_xor(Value const& value, int lane_mask) {
  static_assert(sizeof(Value) % sizeof(int) == 0);
  constexpr int kWords = sizeof(Value) / sizeof(int);
  int words[kWords];
  memcpy(words, &value, sizeof(Value));
#pragma unroll
  for (int word = 0; word < kWords; ++word) {
    words[word] = __shfl_xor_sync(kAllLanes, words[word], lane_mask);
  }
  Value result;
  memcpy(&result, words, sizeof(Value));
  return result;
}

template <class Value>
__device__ Value reduce_warp(Value value) {
#pragma unroll
  for (int lane_mask = kWarpThreads / 2; lane_mask > 0; lane_mask /= 2) {
    value.add(shuffle_xor(value, lane_mask));
  }
  return value;
}

}  // namespace detail

// How many of the group's threads of lower rank, and of all, hold true.
struct Count {
  int below;
  int total;
};

class Warp {
 public:
  static constexpr int kThreads = kWarpThreads;

  __device__ int rank() const { return static_cast<int>(threadIdx.x); }

  // Adds up values of a type whose add() has no order.
  template <class Value>
  __device__ Value reduce(Value value) const {
    return detail::reduce_warp(value);
  }

  __device__ Count count(bool flag) const {
    unsigned const lanes = __ballot_sync(kAllLanes, flag);
    unsigned const lower_lanes = (1U << rank()) - 1U;
    return {__popc(lanes & lower_lanes), __popc(lanes)};
  }
};

template <int Threads>
class Block {
 public:
  static constexpr int kThreads = Threads;

  __device__ int rank() const { return static_cast<int>(threadIdx.x); }

  template <class Value>
  __device__ Value reduce(Value value) const {
    static_assert(sizeof(Value) <= kScratchBytes);
    ZETA_SHARED_ARRAY(double, scratch, kWarps* kScratchBytes / sizeof(double));
    auto* const warp_values = reinterpret_cast<Value*>(scratch);
    value = detail::reduce_warp(value);
    if (rank() % kWarpThreads == 0) warp_values[rank() / kWarpThreads] = value;
    __syncthreads();
    Value result = warp_values[0];
    for (int warp = 1; warp < kWarps; ++warp) result.add(warp_values[warp]);
    __syncthreads();
    return result;
  }

  __device__ Count count(bool flag) const {
    ZETA_SHARED_ARRAY(int, warp_totals, kWarps);
    unsigned const lanes = __ballot_sync(kAllLanes, flag);
    int const warp = rank() / kWarpThreads;
    unsigned const lower_lanes = (1U << (rank() % kWarpThreads)) - 1U;
    if (rank() % kWarpThreads == 0) warp_totals[warp] = __popc(lanes);
    __syncthreads();
    Count result = {__popc(lanes & lower_lanes), 0};
    for (int other = 0; other < kWarps; ++other) {
      if (other < warp) result.below += warp_totals[other];
      result.total += warp_totals[other];
    }
    __syncthreads();
    return result;
  }

 private:
  static_assert(Threads % kWarpThreads == 0);
  static_assert(groups_per_block(Threads) == 1, "its barriers and scratch memory serve one group");
  static constexpr int kWarps = Threads / kWarpThreads;
  static constexpr int kScratchBytes = 32;
};

}  // namespace zeta::rowwise::cuda
