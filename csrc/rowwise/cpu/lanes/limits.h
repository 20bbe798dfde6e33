#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/conversion.h"
#include "rowwise/cpu/vectors/vector.h"

// Finds the k-th largest entries of several rows, one row to a lane of a vector.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

using Keys = Vector<int32_t>;

template <class Comparison>
inline bool any_lane(Comparison const& comparison) {
  using Lane = std::remove_cvref_t<decltype(comparison[0])>;
  return lanes_at_least<Lane>(broadcast<Lane>(-1), comparison) != 0;
}

// How many entries of each row reach its bound.
inline Keys count_at_least(Floats const* columns, int count, Floats bounds) {
  constexpr int kAbreast = 4;  // sums that do not wait for each other
  Keys counts[kAbreast] = {};
  int column = 0;
  for (; column + kAbreast <= count; column += kAbreast) {
#pragma GCC unroll 4
    for (int i = 0; i < kAbreast; ++i) counts[i] -= columns[column + i] >= bounds;
  }
  for (; column < count; ++column) counts[0] -= columns[column] >= bounds;
  return (counts[0] + counts[1]) + (counts[2] + counts[3]);
}

// Intervals in which the k-th largest entries of rows lie: k entries of a row or more reach low_,
// and fewer reach high_.
class LaneLimits {
 public:
  // In the rows of `is_open`, k entries or more have to reach `low`.
  LaneLimits(Floats const* columns, int count, int32_t k, Keys is_open, Floats low, Floats maxima)
      : columns_(columns), count_(count), k_(k), is_open_(is_open), low_(low), high_(maxima) {
    // If k entries of a row equal its maximum, the row is done.
    count_at_high_ = count_at_least(columns, count, maxima);
    Keys const is_flat = is_open_ & (count_at_high_ >= k_);
    low_ = is_flat ? high_ : low_;
    ties_ = is_flat ? Keys{} + k_ : ties_;
    is_open_ &= ~is_flat;
  }

  // Halves the intervals `times` times, or until no row is open.
  void halve(int times) {
    for (int step = 0; step < times && any_lane(is_open_); ++step) {
      Floats const middle = low_ / 2 + high_ / 2;
      Keys const counts = count_at_least(columns_, count_, middle);
      Keys const is_enough = is_open_ & (counts >= k_);
      Keys const is_too_few = is_open_ & (counts < k_);
      low_ = is_enough ? middle : low_;
      high_ = is_too_few ? middle : high_;
      count_at_high_ = is_too_few ? counts : count_at_high_;
      is_open_ &= counts != k_;
    }
  }

  // Lowers high_ value by value, until no row is open.
  void descend() {
    while (any_lane(is_open_)) {
      Floats next = Floats{} - INFINITY;
      for (int column = 0; column < count_; ++column) {
        Floats const z = columns_[column];
        next = z < high_ ? larger(next, z) : next;
      }
      Keys const counts = count_at_least(columns_, count_, next);
      Keys const is_enough = is_open_ & (counts >= k_);
      low_ = is_enough ? next : low_;
      ties_ = is_enough ? k_ - count_at_high_ : ties_;
      high_ = next;
      count_at_high_ = counts;
      is_open_ &= ~is_enough;
    }
  }

  // The k largest entries are those above low(), and the first ties() of those equal to it.
  Floats low() const { return low_; }
  Keys ties() const { return ties_; }

 private:
  Floats const* columns_;
  int count_;
  int32_t k_;
  Keys is_open_;
  Floats low_;
  Floats high_;
  Keys count_at_high_;
  Keys ties_ = Keys{} + std::numeric_limits<int32_t>::max();
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
