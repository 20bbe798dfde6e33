#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

// Loads rows, as many as a vector has lanes, as vectors of their columns, one row to a lane.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// How many columns are loaded at once: half of the registers hold them, so that the transposition
// stays in registers.
template <class Element>
inline constexpr int kColumns = std::min(kLanes<Element>, kVectorBytes == 64 ? 16 : 8);

namespace detail {

// A vector holds entries of two rows, which are kBlockOf<Element> rows apart. This is the first.
template <class Element>
constexpr int64_t first_row(int vector) {
  return vector / kBlockOf<Element> * 2 * kBlockOf<Element> + vector % kBlockOf<Element>;
}

}  // namespace detail

// Loads the columns of rows that begin `stride` entries apart.
template <class Numbers, class Element = typename Numbers::Element>
[[gnu::always_inline]] inline void load_columns(Element const* rows, int64_t stride,
                                                Vector<Element> (&columns)[kColumns<Element>]) {
  constexpr int kCount = kColumns<Element>;
#pragma GCC unroll 16
  for (int i = 0; i < kCount; ++i) {
    if constexpr (kCount == kLanes<Element>) {
      columns[i] = Numbers::of_bits(load<Element>(rows + i * stride));
    } else {
      static_assert(2 * kCount == kLanes<Element>);
      Element const* const first = rows + detail::first_row<Element>(i) * stride;
      columns[i] =
          Numbers::of_bits(load_halves<Element>(first, first + kBlockOf<Element> * stride));
    }
  }
  rows_to_columns<Element>(columns);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
