#pragma once

#include <utility>

#include "rowwise/cpu/vectors/vector.h"

// Templates take the place of loops, which GCC 12 does not unroll, so that entries stay in
// registers.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <class VectorType>
[[gnu::always_inline]] inline void put_larger_first(VectorType& a, VectorType& b) {
  auto const smaller_one = smaller(a, b);
  a = larger(a, b);
  b = smaller_one;
}

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
    put_larger_first(entries[I], entries[I + Distance]);
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

inline constexpr int kSortedRun = 16;

// Sorts a run in memory, apart from its callers, since stacks may be small.
template <class VectorType>
[[gnu::noinline]] void sort_run(VectorType* entries) {
  sort_lanes(reinterpret_cast<VectorType(&)[kSortedRun]>(*entries));
}

// Does what sort_lanes() does for kSortedRun times any power of two entries, with loops over those
// that are exchanged.
template <class VectorType>
inline void sort_many_lanes(VectorType* entries, int count) {
  for (int first = 0; first < count; first += kSortedRun) sort_run(entries + first);
  for (int merged = kSortedRun; merged < count; merged *= 2) {
    for (int distance = merged; distance > 0; distance /= 2) {
      int const least = distance % merged;
      for (int block = 0; block < count; block += 2 * merged) {
        for (int first = least; first + distance < 2 * merged; first += 2 * distance) {
          VectorType* const larger_ones = entries + block + first;
          for (int i = 0; i < distance; ++i) {
            put_larger_first(larger_ones[i], larger_ones[i + distance]);
          }
        }
      }
    }
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
