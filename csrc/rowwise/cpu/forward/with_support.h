#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/collect_support.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Weights of this size are still in the nearest cache when their support is collected.
inline constexpr int64_t kCollectedBytes = 32768;

// Maps rows by forward_rows(first, last), a few at a time, and collects their supports.
template <int Operands, class Scalar, class Forward>
void forward_and_collect(RowGeometry<Operands> const& geometry, Scalar const* weights,
                         int32_t* support, int64_t k, int64_t first_row, int64_t last_row,
                         Forward const& forward_rows) {
  int64_t const capacity = std::min(k, geometry.length);
  int64_t const bytes_of_row = geometry.length * static_cast<int64_t>(sizeof(Scalar));
  int64_t const step = std::max<int64_t>(1, kCollectedBytes / bytes_of_row);
  for (int64_t row = first_row; row < last_row; row += step) {
    int64_t const next_row = std::min(row + step, last_row);
    forward_rows(row, next_row);
    collect_support(geometry, weights, support, capacity, row, next_row);
  }
}

template <template <class> class MappingOf, class Scalar>
void forward_with_support(double alpha, RowGeometry<3> const& geometry, Scalar* weights,
                          Scalar const* logits, int32_t* support, int64_t k, int64_t first_row,
                          int64_t last_row) {
  auto const rows = with_operands<2>(geometry);
  forward_and_collect(geometry, weights, support, k, first_row, last_row,
                      [&](int64_t first, int64_t last) {
                        forward_rows<MappingOf>(alpha, rows, weights, logits, k, first, last,
                                                /*streams=*/false);
                      });
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
