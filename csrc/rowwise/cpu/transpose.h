#pragma once

#include <cstdint>
#include <utility>

#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

namespace detail {

// a0 b0 a1 b1 ... of the lower or of the upper halves.
template <bool Upper, class VectorType, int... Lane>
inline VectorType interleave(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  constexpr int kCount = sizeof...(Lane);
  constexpr int kFirst = Upper ? kCount / 2 : 0;
  return __builtin_shufflevector(a, b, (Lane % 2 * kCount + kFirst + Lane / 2)...);
}

}  // namespace detail

// Row i of the square becomes its column i.
template <class Element>
inline void transpose(Vector<Element> (&square)[kLanes<Element>]) {
  constexpr int kCount = kLanes<Element>;
  using Lanes = std::make_integer_sequence<int, kCount>;
#pragma GCC unroll 8
  for (int stage = 1; stage < kCount; stage *= 2) {
    Vector<Element> next[kCount];
#pragma GCC unroll 16
    for (int i = 0; i < kCount / 2; ++i) {
      next[2 * i] = detail::interleave<false>(square[i], square[i + kCount / 2], Lanes());
      next[2 * i + 1] = detail::interleave<true>(square[i], square[i + kCount / 2], Lanes());
    }
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) square[i] = next[i];
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
