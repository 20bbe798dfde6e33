#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "rowwise/cpu/vectors/transpose.h"
#include "rowwise/cpu/vectors/vector.h"

// Between rows, as many as a vector has lanes, and vectors of their columns, one row to a lane.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// So many columns are taken at once as half of the registers hold: a transposition keeps them all
// there.
template <class Element>
inline constexpr int kColumns = std::min(kLanes<Element>, kVectorBytes == 64 ? 16 : 8);

namespace detail {

// The first of the two rows in a vector, which are kBlockOf<Element> rows apart.
template <class Element>
constexpr int64_t first_row(int vector) {
  return vector / kBlockOf<Element> * 2 * kBlockOf<Element> + vector % kBlockOf<Element>;
}

}  // namespace detail

// The columns of rows of which each begins `stride` entries after the one before.
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
