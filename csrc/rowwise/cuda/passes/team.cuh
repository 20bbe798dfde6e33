#pragma once

#include <cstdint>

#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/passes/select.cuh"
#include "rowwise/cuda/passes/team_memory.h"
#include "rowwise/cuda/tuning.h"

namespace zeta::rowwise::cuda {

// Blocks that work on one row together, each on its part of it. All of them are resident at once,
// since they wait for each other.
class Team {
 public:
  using OwnBlock = Block<kThreadsPerBlock>;
  static constexpr bool kHasHistogram = true;

  __device__ Team(OwnBlock const& block, TeamMemory const& memory, int number, int blocks)
      : block_(block), memory_(memory), number_(number), blocks_(blocks) {}

  __device__ int number() const { return number_; }
  __device__ int blocks() const { return blocks_; }

  // Return the number of threads of this block, and this thread's rank among them. The block has a
  // part of the row.
  __device__ static constexpr int threads() { return OwnBlock::threads(); }
  __device__ int rank() const { return block_.rank(); }

  __device__ int64_t entries_of_thread(int64_t length) const {
    return length / (int64_t{threads()} * blocks_) + 1;
  }

  template <class Value>
  __device__ Value reduce(Value value) const {
    value = block_.reduce(value);
    if (blocks_ == 1) return value;
    exchange(value);
    Value result = value_of<Value>(0);
#pragma unroll 4
    for (int other = 1; other < blocks_; ++other) result.add(value_of<Value>(other));
    return result;
  }

  // Returns the sum of the values of the blocks before this one.
  __device__ int64_t sum_before(int64_t value) const {
    if (blocks_ == 1) return 0;
    exchange(value);
    int64_t sum = 0;
    for (int other = 0; other < number_; ++other) sum += value_of<int64_t>(other);
    return sum;
  }

  // Makes what each block has written visible to all of them.
  __device__ void synchronize() const {
    if (blocks_ == 1) {
      block_.synchronize();
    } else {
      exchange(int64_t{0});
    }
  }

  // All threads of all blocks pass the same flag.
  __device__ bool any(bool flag) const { return flag; }

  // Adds up the histograms of all blocks. Each block gets the sum.
  __device__ void add_histograms(int (&histogram)[kDigitValues]) const {
    if (blocks_ == 1) return;
    turn_ ^= 1;
    static_assert(kDigitValues == threads());
    int const digit = rank();
    memory_.blocks[number_].histograms[turn_][digit] = histogram[digit];
    wait();
    int sum = 0;
#pragma unroll 4
    for (int other = 0; other < blocks_; ++other) {
      sum += memory_.blocks[other].histograms[turn_][digit];
    }
    histogram[digit] = sum;
    block_.synchronize();
  }

 private:
  template <class Value>
  __device__ void exchange(Value const& value) const {
    static_assert(sizeof(Value) <= TeamMemory::kValueBytes);
    turn_ ^= 1;
    if (rank() == 0) {
      *reinterpret_cast<Value*>(memory_.blocks[number_].values[turn_]) = value;
    }
    wait();
  }

  template <class Value>
  __device__ Value value_of(int block) const {
    return *reinterpret_cast<Value const*>(memory_.blocks[block].values[turn_]);
  }

  // Waits until all blocks have come here. They then see what the others have written.
  __device__ void wait() const {
    arrivals_ += static_cast<unsigned>(blocks_);
    block_.synchronize();
    if (rank() == 0) {
      __threadfence();
      atomicAdd(memory_.arrivals, 1U);
      // The difference is compared with 0, since the counter may wrap around.
      while (static_cast<int>(atomicAdd(memory_.arrivals, 0U) - arrivals_) < 0) __nanosleep(32);
      __threadfence();
    }
    block_.synchronize();
  }

  OwnBlock const& block_;
  TeamMemory memory_;
  int number_;
  int blocks_;
  mutable int turn_ = 0;
  // The counter's value once all blocks have come to where this one last waited.
  mutable unsigned arrivals_ = 0;
};

}  // namespace zeta::rowwise::cuda
