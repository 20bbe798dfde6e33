#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <class Scalar>
inline uint64_t nonzero_lanes(Scalar const* numbers) {
  using Bits = key_t<Scalar>;
  auto const magnitudes = load<Bits>(numbers) & std::numeric_limits<Bits>::max();
  return lanes_at_least<Bits>(magnitudes, broadcast<Bits>(1));
}

// Calls visit(i) for the numbers that are neither +0.0 nor -0.0, in order.
template <class Scalar, class Visit>
inline void for_each_nonzero(Scalar const* numbers, int64_t count, Visit const& visit) {
  using Bits = key_t<Scalar>;
  constexpr int64_t kStep = kLanes<Bits>;
  constexpr int kVectors = std::min(4, 64 / kLanes<Bits>);
  if (count < kStep) {
    for (int64_t i = 0; i < count; ++i) {
      if (widen(numbers[i]) != 0) visit(i);
    }
    return;
  }
  int64_t first = 0;
  for (; first + kVectors * kStep <= count; first += kVectors * kStep) {
    uint64_t mask = 0;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i) {
      mask |= nonzero_lanes(numbers + first + i * kStep) << (i * kStep);
    }
    for_each_lane(mask, [&](int lane) { visit(first + lane); });
  }
  for (; first < count; first += kStep) {
    int64_t const whole = std::min(first, count - kStep);
    uint64_t mask = nonzero_lanes(numbers + whole);
    mask &= ~uint64_t{0} << (first - whole);
    for_each_lane(mask, [&](int lane) { visit(whole + lane); });
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
