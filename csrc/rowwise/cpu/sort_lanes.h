#pragma once

#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Sorts the entries of each lane, larger first: Batcher's odd-even merge sort (1968), for a power
// of two of them.
template <class VectorType, int Count>
[[gnu::always_inline]] inline void sort_lanes(VectorType (&entries)[Count]) {
#pragma GCC unroll 8
  for (int merged = 1; merged < Count; merged *= 2) {
#pragma GCC unroll 8
    for (int distance = merged; distance >= 1; distance /= 2) {
#pragma GCC unroll 32
      for (int i = distance % merged; i + distance < Count; ++i) {
        bool const is_first = (i - distance % merged) / distance % 2 == 0;
        bool const is_same_run = i / (2 * merged) == (i + distance) / (2 * merged);
        if (!is_first || !is_same_run) continue;
        auto const smaller_one = smaller(entries[i], entries[i + distance]);
        entries[i] = larger(entries[i], entries[i + distance]);
        entries[i + distance] = smaller_one;
      }
    }
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
