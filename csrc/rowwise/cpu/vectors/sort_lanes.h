#pragma once

#include <utility>

#include "rowwise/cpu/vectors/vector.h"

// Templates take the place of loops, which GCC 12 does not unroll, so that entries stay in
// registers.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

namespace detail {

// Whether entry `i` is compared with the one `distance` after it when runs of `merged` are merged.
constexpr bool is_exchanged(int i, int distance, int merged) {
  int const place = i - distance % merged;
  bool const is_first = place >= 0 && place / distance % 2 == 0;
  return is_first && i / (2 * merged) == (i + distance) / (2 * merged);
}

template <int I, int Distance, int Merged, class VectorType, int Count>
[[gnu::always_inline]] inline void exchange(VectorType (&entries)[Count]) {
  if constexpr (I + Distance < Count && is_exchanged(I, Distance, Merged)) {
    auto const smaller_one = smaller(entries[I], entries[I + Distance]);
    entries[I] = larger(entries[I], entries[I + Distance]);
    entries[I + Distance] = smaller_one;
  }
}

template <int Distance, int Merged, class VectorType, int Count, int... I>
[[gnu::always_inline]] inline void merge_at(VectorType (&entries)[Count],
                                            std::integer_sequence<int, I...>) {
  (exchange<I, Distance, Merged>(entries), ...);
}

template <int Distance, int Merged, class VectorType, int Count>
[[gnu::always_inline]] inline void merge_runs(VectorType (&entries)[Count]) {
  merge_at<Distance, Merged>(entries, std::make_integer_sequence<int, Count>());
  if constexpr (Distance > 1) merge_runs<Distance / 2, Merged>(entries);
}

}  // namespace detail

// Sorts the entries of each lane, larger first, by Batcher's odd-even merge sort (1968). Exchanges
// with entries beyond `Count` are left out, as if those were the smallest. Runs of `Merged` entries
// are sorted already.
template <int Merged = 1, class VectorType, int Count>
[[gnu::always_inline]] inline void sort_lanes(VectorType (&entries)[Count]) {
  if constexpr (Merged < Count) {
    detail::merge_runs<Merged, Merged>(entries);
    sort_lanes<2 * Merged>(entries);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
