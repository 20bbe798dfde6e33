#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/contiguous.h"
#include "rowwise/cpu/rows/copies.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar>
auto fixed_of(double alpha, RowGeometry<2> const& geometry) {
  return MappingOf<widened_t<Scalar>>::fixed(geometry.full_length, alpha);
}

// Maps rows that are not contiguous, or that have gaps between them, from copies in scratch.
template <template <class> class MappingOf, class Scalar>
void forward_strided(double alpha, RowGeometry<2> const& geometry, Scalar* weights,
                     Scalar const* logits, int64_t k, int64_t first_row, int64_t last_row,
                     bool streams) {
  int64_t const length = geometry.length;
  int64_t const rows_together = RowCopies<Scalar>::rows_for(length);
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), length, k,
      /*streams=*/false);
  RowCopies<Scalar> weight_copies(length, geometry.stride[0], rows_together, streams);
  RowCopies<Scalar> logit_copies(length, geometry.stride[1], rows_together);
  Scratch<int64_t> offsets;
  offsets.reserve(2 * rows_together);
  for (int64_t row = first_row; row < last_row; row += rows_together) {
    int64_t const rows = std::min(rows_together, last_row - row);
    for (int64_t i = 0; i < rows; ++i) {
      int64_t of_operands[2];
      geometry.offsets(row + i, of_operands);
      offsets.data()[i] = of_operands[0];
      offsets.data()[rows_together + i] = of_operands[1];
    }
    logit_copies.load(logits, offsets.data() + rows_together, rows);
    forward_contiguous(logit_copies.data(), weight_copies.data(), rows, rows * length);
    weight_copies.store(weights, offsets.data(), rows);
  }
  if (streams) stream_fence();
}

// `streams` says whether to write with non-temporal stores.
template <template <class> class MappingOf, class Scalar>
void forward_rows(double alpha, RowGeometry<2> const& geometry, Scalar* weights,
                  Scalar const* logits, int64_t k, int64_t first_row, int64_t last_row,
                  bool streams) {
  if (!geometry.is_dense()) {
    return forward_strided<MappingOf>(alpha, geometry, weights, logits, k, first_row, last_row,
                                      streams);
  }
  int64_t const length = geometry.length;
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), length, k, streams);
  forward_contiguous(logits + first_row * length, weights + first_row * length,
                     last_row - first_row, (geometry.rows - first_row) * length);
}

template <template <class> class MappingOf, class Scalar>
void forward(double alpha, RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
             int64_t k, int64_t first_row, int64_t last_row) {
  int64_t const bytes = geometry.rows * geometry.length * static_cast<int64_t>(sizeof(Scalar));
  forward_rows<MappingOf>(alpha, geometry, weights, logits, k, first_row, last_row,
                          is_streamed(bytes));
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
