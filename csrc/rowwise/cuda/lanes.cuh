#pragma once

#include <cstdint>
#include <cstring>

#include "rowwise/cuda/tuning.h"

// A group is the threads that work on one row together: some lanes of a warp, a block, a team of
// blocks, or those threads of a block that have parts of one row. Every group has
// - reduce(), which adds up a value of each thread, whose add() must not depend on the order;
// - any(), which tells whether a loop goes on;
// - entries_of_thread(), the most entries of a row that one thread takes;
// - synchronize(), after which the threads see what others of the group have written.
// All groups but teams have running_sum() and last(), too. Several groups may share the barriers of
// a warp or a block. All threads that share barriers, also those of a team, call each of these
// functions at the same point.
namespace zeta::rowwise::cuda {

inline constexpr unsigned kAllLanes = 0xffffffffU;

struct EntryCount {
  int64_t value = 0;

  __device__ void add(EntryCount other) { value += other.value; }
};

namespace detail {

// Applies `shuffle` to each 32-bit word of a value.
template <class Value, class Shuffle>
__device__ Value shuffle_words(Value const& value, Shuffle const& shuffle) {
  static_assert(sizeof(Value) % sizeof(int) == 0);
  constexpr int kWords = sizeof(Value) / sizeof(int);
  int words[kWords];
  memcpy(words, &value, sizeof(Value));
#pragma unroll
  for (int word = 0; word < kWords; ++word) words[word] = shuffle(words[word]);
  Value result;
  memcpy(&result, words, sizeof(Value));
  return result;
}

}  // namespace detail

// Returns the largest of the numbers of a warp's lanes.
template <class Number>
__device__ inline Number largest_by_shuffles(Number number) {
#pragma unroll
  for (int lane_mask = 1; lane_mask < kWarpThreads; lane_mask *= 2) {
    Number const other = __shfl_xor_sync(kAllLanes, number, lane_mask);
    number = other > number ? other : number;
  }
  return number;
}

__device__ inline int64_t largest_of_lanes(int64_t number) { return largest_by_shuffles(number); }

__device__ inline int32_t largest_of_lanes(int32_t number) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
  return largest_by_shuffles(number);
#else
  return __reduce_max_sync(kAllLanes, number);
#endif
}

// A thread that finds the threshold of a list by itself.
class SingleThread {
 public:
  template <class Value>
  __device__ Value reduce(Value const& value) const {
    return value;
  }
  __device__ bool any(bool flag) const { return flag; }
};

// A power of two of neighbouring lanes of a warp. The groups of a warp share its barriers, so they
// go through loops together.
class Lanes {
 public:
  __device__ explicit Lanes(int threads) : threads_(threads) {}

  __device__ int threads() const { return threads_; }
  __device__ int rank() const { return lane() & (threads_ - 1); }

  // Returns the most entries that a thread takes of a row of `length`.
  __device__ int64_t entries_of_thread(int64_t length) const { return length / threads_ + 1; }

  // Which group of the warp this is, and how many there are.
  __device__ int group() const { return lane() / threads_; }
  __device__ int groups() const { return kWarpThreads / threads_; }

  template <class Value>
  __device__ Value reduce(Value value) const {
#pragma unroll 1
    for (int lane_mask = threads_ / 2; lane_mask > 0; lane_mask /= 2) {
      value.add(detail::shuffle_words(
          value, [&](int word) { return __shfl_xor_sync(kAllLanes, word, lane_mask); }));
    }
    return value;
  }

  __device__ bool any(bool flag) const { return __any_sync(kAllLanes, flag) != 0; }

  // Makes what each thread of the group has written visible to all of them.
  __device__ void synchronize() const { __syncwarp(); }

  __device__ int count(bool flag) const {
    unsigned const first_lane = static_cast<unsigned>(lane() - rank());
    unsigned const lanes = kAllLanes >> (kWarpThreads - threads_) << first_lane;
    return __popc(__ballot_sync(kAllLanes, flag) & lanes);
  }

  // Returns the sum of the counts of this lane and of the lanes of lower rank.
  __device__ int running_sum(int count) const {
#pragma unroll 1
    for (int distance = 1; distance < threads_; distance *= 2) {
      int const other = __shfl_up_sync(kAllLanes, count, distance, threads_);
      if (rank() >= distance) count += other;
    }
    return count;
  }

  // Return the value of the lane with the lowest rank, and that of the lane with the highest.
  __device__ int first(int value) const { return __shfl_sync(kAllLanes, value, 0, threads_); }
  __device__ int last(int value) const {
    return __shfl_sync(kAllLanes, value, threads_ - 1, threads_);
  }

 private:
  __device__ static int lane() { return static_cast<int>(threadIdx.x % kWarpThreads); }

  int threads_;
};

}  // namespace zeta::rowwise::cuda
