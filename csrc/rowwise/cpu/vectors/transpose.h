#pragma once

#include <cstdint>
#include <utility>

#include "rowwise/cpu/vectors/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// How many elements a 16-byte block holds. Most instructions move elements within such blocks only.
template <class Element>
inline constexpr int kBlockOf = 16 / static_cast<int>(sizeof(Element));

namespace detail {

// Interleaves the lower or the upper halves of a's and b's blocks of `Block` lanes: a0 b0 a1 b1 ...
template <int Block, bool Upper, class VectorType, int... Lane>
inline VectorType interleave(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  constexpr int kCount = sizeof...(Lane);
  constexpr int kFirst = Upper ? Block / 2 : 0;
  return __builtin_shufflevector(
      a, b, (Lane % 2 * kCount + Lane / Block * Block + kFirst + Lane % Block / 2)...);
}

// Shuffles 16-byte blocks. They are passed as pairs of 8-byte lanes, which one instruction moves.
template <class VectorType, int... Lane>
inline VectorType move_blocks(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  return reinterpret_cast<VectorType>(__builtin_shufflevector(
      reinterpret_cast<Vector<int64_t>>(a), reinterpret_cast<Vector<int64_t>>(b), Lane...));
}

// Takes the even or the odd 16-byte blocks of a, and then those of b.
template <bool Odd, class VectorType, int... Lane>
inline VectorType take_blocks(VectorType a, VectorType b, std::integer_sequence<int, Lane...>) {
  return move_blocks(a, b,
                     std::integer_sequence<int, (Lane / 2 * 4 + (Odd ? 2 : 0) + Lane % 2)...>());
}

// Takes the 16-byte blocks of the lower or of the upper halves of a and b by turns.
template <bool Upper, class VectorType, int... Lane>
inline VectorType interleave_blocks(VectorType a, VectorType b,
                                    std::integer_sequence<int, Lane...>) {
  constexpr int kCount = sizeof...(Lane);
  constexpr int kFirst = Upper ? kCount / 2 : 0;
  return move_blocks(
      a, b,
      std::integer_sequence<int, (Lane / 2 % 2 * kCount + kFirst + Lane / 4 * 2 + Lane % 2)...>());
}

// Replaces any two vectors a, b whose numbers differ only in `bit` by first(a, b), second(a, b).
template <class Element, int Count, class First, class Second>
[[gnu::always_inline]] inline void combine_pairs(Vector<Element> (&vectors)[Count], int bit,
                                                 First const& first, Second const& second) {
#pragma GCC unroll 32
  for (int i = 0; i < Count; ++i) {
    if ((i & bit) != 0) continue;
    auto const a = vectors[i];
    auto const b = vectors[i | bit];
    vectors[i] = first(a, b);
    vectors[i | bit] = second(a, b);
  }
}

// Transposes squares of kBlock by kBlock entries: the 16-byte blocks at one place of kBlock vectors
// are the rows of a square. Processors interleave fastest within such blocks.
template <class Element, int Count>
[[gnu::always_inline]] inline void transpose_blocks(Vector<Element> (&vectors)[Count]) {
  constexpr int kBlock = kBlockOf<Element>;
  using Lanes = std::make_integer_sequence<int, kLanes<Element>>;
#pragma GCC unroll 4
  for (int bit = kBlock / 2; bit >= 1; bit /= 2) {
    combine_pairs<Element>(
        vectors, bit, [](auto a, auto b) { return interleave<kBlock, false>(a, b, Lanes()); },
        [](auto a, auto b) { return interleave<kBlock, true>(a, b, Lanes()); });
  }
}

}  // namespace detail

// Transposes a matrix of `Rows` rows that the vectors hold one after the other. The bits of an
// entry's place are those of its row, followed by those of its column; each stage moves the
// uppermost bit to the end.
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

// Turns rows of `Count` entries, a power of two, which the vectors hold one after the other, into
// their columns. row_of_lane() says which row a lane then holds. Each stage exchanges one bit of an
// entry's vector number for one of its column number.
template <class Element, int Count>
[[gnu::always_inline]] inline void rows_to_columns(Vector<Element> (&vectors)[Count]) {
  constexpr int kBlock = kBlockOf<Element>;
  using Lanes = std::make_integer_sequence<int, kLanes<int64_t>>;
  if constexpr (Count < kBlock) {
    transpose<Element, kLanes<Element>>(vectors);
  } else {
    detail::transpose_blocks<Element>(vectors);
#pragma GCC unroll 4
    for (int bit = kBlock; bit < Count; bit *= 2) {
      detail::combine_pairs<Element>(
          vectors, bit, [](auto a, auto b) { return detail::take_blocks<false>(a, b, Lanes()); },
          [](auto a, auto b) { return detail::take_blocks<true>(a, b, Lanes()); });
    }
  }
}

// Undoes rows_to_columns().
template <class Element, int Count>
[[gnu::always_inline]] inline void columns_to_rows(Vector<Element> (&vectors)[Count]) {
  constexpr int kBlock = kBlockOf<Element>;
  using Lanes = std::make_integer_sequence<int, kLanes<int64_t>>;
  if constexpr (Count == kLanes<Element>) {
    rows_to_columns<Element>(vectors);
  } else if constexpr (Count < kBlock) {
    transpose<Element, Count>(vectors);
  } else {
    detail::transpose_blocks<Element>(vectors);
#pragma GCC unroll 4
    for (int bit = Count / 2; bit >= kBlock; bit /= 2) {
      detail::combine_pairs<Element>(
          vectors, bit,
          [](auto a, auto b) { return detail::interleave_blocks<false>(a, b, Lanes()); },
          [](auto a, auto b) { return detail::interleave_blocks<true>(a, b, Lanes()); });
    }
  }
}

template <class Element, int Count>
constexpr int row_of_lane(int lane) {
  constexpr int kBlock = kBlockOf<Element>;
  constexpr int kRows = kLanes<Element> / Count;  // in a vector
  if (Count < kBlock) return lane;
  int const block = lane / kBlock;
  return (block / kRows * kBlock + lane % kBlock) * kRows + block % kRows;
}

// Transposes as many rows as there are lanes, each of as many entries. It is its own inverse.
template <class Element>
[[gnu::always_inline]] inline void transpose_square(Vector<Element> (&rows)[kLanes<Element>]) {
  rows_to_columns<Element>(rows);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
