#pragma once

#include <cstdint>
#include <type_traits>

#include "rowwise/cuda/lanes.cuh"
#include "rowwise/cuda/passes/block.cuh"
#include "rowwise/cuda/shared_memory.cuh"
#include "rowwise/ordered_key.h"

// Finds the k-th largest of some numbers that a group of threads can pass over several times. The
// numbers are signed integers. `numbers.for_each(group, visit)` calls visit(number) for those that
// fall to this thread.
namespace zeta::rowwise::cuda {

// At least k of the numbers are not below `number`. Fewer than k are above it, unless exactly k are
// not below it.
template <class Number>
struct Kth {
  Number number;
  int64_t not_below;
  int64_t above;
};

// A range that holds the k-th largest number.
template <class Number>
struct Range {
  Number lowest;
  Number highest;
  int64_t not_below_lowest;  // at least k
};

namespace detail {

template <class Group, class Numbers, class Number>
__device__ Kth<Number> bisect(Group const& group, Numbers const& numbers, int64_t k,
                              Range<Number> const& range) {
  using Bits = std::make_unsigned_t<Number>;
  Kth<Number> kth = {range.lowest, range.not_below_lowest, 0};
  Number highest = range.highest;
  auto const is_open = [&] { return kth.number < highest && kth.not_below > k; };
  while (group.any(is_open())) {
    // The middle is rounded up. It is computed in unsigned integers, where nothing overflows.
    Bits const distance = static_cast<Bits>(highest) - static_cast<Bits>(kth.number);
    auto const middle =
        static_cast<Number>(static_cast<Bits>(kth.number) + distance / 2 + distance % 2);
    EntryCount count;
    numbers.for_each(group, [&](Number number) {
      if (number >= middle) ++count.value;
    });
    count = group.reduce(count);
    if (!is_open()) continue;
    if (count.value >= k) {
      kth.number = middle;
      kth.not_below = count.value;
    } else {
      highest = middle - 1;
      kth.above = count.value;
    }
  }
  return kth;
}

struct Digit {
  int value;
  int count;  // of the numbers that have this digit
  int above;  // of the numbers that have a larger one
};

// Finds the largest digit that k numbers reach. Only the first warp calls it. The lane that finds
// the digit returns it, and the others return the value -1.
__device__ inline Digit find_digit(int const (&histogram)[kDigitValues], int64_t k) {
  constexpr int kPerLane = kDigitValues / kWarpThreads;
  Lanes const warp(kWarpThreads);
  // Lanes of lower rank have larger digits.
  int const first = kDigitValues - 1 - warp.rank() * kPerLane;
  int own = 0;
  for (int i = 0; i < kPerLane; ++i) own += histogram[first - i];
  int above = warp.running_sum(own) - own;
  Digit digit = {-1, 0, 0};
  for (int i = 0; i < kPerLane; ++i) {
    int const count = histogram[first - i];
    if (above < k && above + count >= k) digit = {first - i, count, above};
    above += count;
  }
  return digit;
}

// Shared memory that searches use one after another, whatever the type of their numbers. `found` is
// aligned so that one access can read it, and it shares no memory with the histogram, which is
// cleared meanwhile.
struct DigitSearch {
  int histogram[kDigitValues];
  alignas(16) Digit found;
};

__device__ inline DigitSearch& digit_search() {
  ZETA_SHARED_ARRAY(DigitSearch, search, 1);
  return search[0];
}

}  // namespace detail

// Finds the k-th largest number by bisection.
template <class Group, class Numbers, class Number>
__device__ Kth<Number> find_kth(Group const& group, Numbers const& numbers, int64_t k,
                                Range<Number> const& range) {
  return detail::bisect(group, numbers, k, range);
}

// Finds the k-th largest number digit by digit, each in a histogram. That takes fewer passes. It is
// for a block, or for several blocks.
template <class Group, class Numbers, class Number>
  requires(Group::kHasHistogram)
__device__ Kth<Number> find_kth(Group const& block, Numbers const& numbers, int64_t k,
                                Range<Number> const& range) {
  using Bits = std::make_unsigned_t<Number>;
  constexpr Bits kSign = static_cast<Bits>(kLeast<Number>);
  // The histogram counts in 32 bits.
  if (range.not_below_lowest > INT32_MAX) return detail::bisect(block, numbers, k, range);
  auto& [histogram, found] = detail::digit_search();

  // Numbers of the range differ in their lowest bits only. `open` counts those of these bits that
  // are not known yet, and `known` holds all bits above them.
  Bits known = static_cast<Bits>(range.highest) ^ kSign;
  int open = 0;
  for (Bits rest = known ^ (static_cast<Bits>(range.lowest) ^ kSign); rest != 0; rest >>= 1) ++open;
  auto const without_open = [&](Bits bits) {
    return open == 8 * sizeof(Bits) ? Bits{0} : bits >> open << open;
  };
  known = without_open(known);
  int64_t not_below = range.not_below_lowest;
  int64_t above = 0;
  while (open > 0 && not_below > k) {
    for (int i = block.rank(); i < kDigitValues; i += block.threads()) histogram[i] = 0;
    __syncthreads();
    int const low = open > kDigitBits ? open - kDigitBits : 0;
    numbers.for_each(block, [&](Number number) {
      Bits const bits = static_cast<Bits>(number) ^ kSign;
      if (number < range.lowest || without_open(bits) != known) return;
      atomicAdd(&histogram[static_cast<int>(bits >> low) & (kDigitValues - 1)], 1);
    });
    __syncthreads();
    block.add_histograms(histogram);
    if (block.rank() < kWarpThreads) {
      auto const digit = detail::find_digit(histogram, k - above);
      if (digit.value >= 0) found = digit;
    }
    __syncthreads();
    known |= static_cast<Bits>(found.value) << low;
    above += found.above;
    not_below = above + found.count;
    open = low;
  }
  // If exactly k numbers are left, the open bits make no difference.
  auto number = static_cast<Number>(known ^ kSign);
  return {number < range.lowest ? range.lowest : number, not_below, above};
}

}  // namespace zeta::rowwise::cuda
