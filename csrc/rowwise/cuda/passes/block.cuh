#pragma once

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/shared_memory.cuh"

namespace zeta::rowwise::cuda {

// All threads of a one-dimensional block.
template <int Threads>
class Block {
 public:
  static constexpr int kWarps = Threads / kWarpThreads;
  static constexpr bool kHasHistogram = true;
  static_assert(Threads % kWarpThreads == 0);

  __device__ static constexpr int threads() { return Threads; }
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }

  // Returns the most entries that a thread takes of a row of `length`.
  __device__ int64_t entries_of_thread(int64_t length) const { return length / Threads + 1; }

  // There are no other histograms to add, since the block counts all entries itself.
  template <int Digits>
  __device__ void add_histograms(int (&)[Digits]) const {}

  template <class Value>
  __device__ Value reduce(Value value) const {
    static_assert(sizeof(Value) <= kScratchBytes);
    auto* const warp_values = reinterpret_cast<Value*>(scratch());
    value = Lanes(kWarpThreads).reduce(value);
    if (rank() % kWarpThreads == 0) warp_values[rank() / kWarpThreads] = value;
    __syncthreads();
    Value result = warp_values[0];
    for (int warp = 1; warp < kWarps; ++warp) result.add(warp_values[warp]);
    __syncthreads();
    return result;
  }

  // All threads pass the same flag.
  __device__ bool any(bool flag) const { return flag; }

  __device__ void synchronize() const { __syncthreads(); }

  __device__ int running_sum(int count) const {
    ZETA_SHARED_ARRAY(int, warp_sums, kWarps);
    Lanes const warp(kWarpThreads);
    int sum = warp.running_sum(count);
    if (warp.rank() == kWarpThreads - 1) warp_sums[rank() / kWarpThreads] = sum;
    __syncthreads();
    for (int other = 0; other < rank() / kWarpThreads; ++other) sum += warp_sums[other];
    __syncthreads();
    return sum;
  }

  __device__ int last(int value) const {
    ZETA_SHARED_ARRAY(int, of_last, 1);
    if (rank() == Threads - 1) of_last[0] = value;
    __syncthreads();
    value = of_last[0];
    __syncthreads();
    return value;
  }

 private:
  static constexpr int kScratchBytes = 32;

  // One array serves values of all types.
  __device__ static double* scratch() {
    ZETA_SHARED_ARRAY(double, scratch, kWarps* kScratchBytes / sizeof(double));
    return scratch;
  }
};

}  // namespace zeta::rowwise::cuda
