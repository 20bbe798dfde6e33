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

// Rows of `Count` entries that follow each other, as many as there are lanes, become columns: with
// as many entries as lanes, row i of a square becomes its column i. Each stage moves the uppermost
// bit of an entry's place, which is its row's and then its column's, to the end.
template <class Element, int Count>
inline void transpose(Vector<Element> (&rows)[Count]) {
  using Lanes = std::make_integer_sequence<int, kLanes<Element>>;
#pragma GCC unroll 8
  for (int stage = 1; stage < kLanes<Element>; stage *= 2) {
    Vector<Element> next[Count];
#pragma GCC unroll 16
    for (int i = 0; i < Count / 2; ++i) {
      next[2 * i] = detail::interleave<false>(rows[i], rows[i + Count / 2], Lanes());
      next[2 * i + 1] = detail::interleave<true>(rows[i], rows[i + Count / 2], Lanes());
    }
#pragma GCC unroll 16
    for (int i = 0; i < Count; ++i) rows[i] = next[i];
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
