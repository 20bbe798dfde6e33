#pragma once

#include <cstdint>
#include <utility>

#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

namespace detail {

// a0 b0 a1 b1 ... of the lower or of the upper halves of blocks of `Block` lanes.
template <int Block, bool Upper, class VectorType, int... Lane>
inline VectorType interleave(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  constexpr int kCount = sizeof...(Lane);
  constexpr int kFirst = Upper ? Block / 2 : 0;
  return __builtin_shufflevector(
      a, b, (Lane % 2 * kCount + Lane / Block * Block + kFirst + Lane % Block / 2)...);
}

// The even or the odd blocks of `Block` lanes of a and then those of b.
template <int Block, bool Odd, class VectorType, int... Lane>
inline VectorType take_blocks(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  constexpr int kFirst = Odd ? Block : 0;
  return __builtin_shufflevector(a, b, (Lane / Block * 2 * Block + kFirst + Lane % Block)...);
}

}  // namespace detail

// Vectors that hold a matrix of `Rows` rows one after the other then hold its transpose. Each stage
// moves the uppermost bit of an entry's place, which is its row's and then its column's, to the
// end.
template <class Element, int Rows, int Count>
[[gnu::always_inline]] inline void transpose(Vector<Element> (&vectors)[Count]) {
  constexpr int kCount = kLanes<Element>;
  using Lanes = std::make_integer_sequence<int, kCount>;
  if constexpr (Count > 1) {
#pragma GCC unroll 8
    for (int stage = 1; stage < Rows; stage *= 2) {
      Vector<Element> next[Count];
#pragma GCC unroll 16
      for (int i = 0; i < Count / 2; ++i) {
        next[2 * i] =
            detail::interleave<kCount, false>(vectors[i], vectors[i + Count / 2], Lanes());
        next[2 * i + 1] =
            detail::interleave<kCount, true>(vectors[i], vectors[i + Count / 2], Lanes());
      }
#pragma GCC unroll 16
      for (int i = 0; i < Count; ++i) vectors[i] = next[i];
    }
  }
}

// The same for as many rows as lanes, of as many entries. Each stage exchanges one bit of an
// entry's row for one of its column: the first ones by interleaving blocks of 16 bytes, which
// processors do fastest, the others by moving such blocks.
template <class Element>
[[gnu::always_inline]] inline void transpose_square(Vector<Element> (&rows)[kLanes<Element>]) {
  constexpr int kCount = kLanes<Element>;
  constexpr int kBlock = 16 / static_cast<int>(sizeof(Element));
  using Lanes = std::make_integer_sequence<int, kCount>;
  auto const exchange = [&](int bit, auto const& first, auto const& second) {
#pragma GCC unroll 32
    for (int i = 0; i < kCount; ++i) {
      if ((i & bit) != 0) continue;
      auto const a = rows[i];
      auto const b = rows[i | bit];
      rows[i] = first(a, b);
      rows[i | bit] = second(a, b);
    }
  };
#pragma GCC unroll 4
  for (int bit = kBlock / 2; bit >= 1; bit /= 2) {
    exchange(
        bit, [](auto a, auto b) { return detail::interleave<kBlock, false>(a, b, Lanes()); },
        [](auto a, auto b) { return detail::interleave<kBlock, true>(a, b, Lanes()); });
  }
#pragma GCC unroll 4
  for (int bit = kBlock; bit < kCount; bit *= 2) {
    exchange(
        bit, [](auto a, auto b) { return detail::take_blocks<kBlock, false>(a, b, Lanes()); },
        [](auto a, auto b) { return detail::take_blocks<kBlock, true>(a, b, Lanes()); });
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
