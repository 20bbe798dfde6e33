#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/contiguous.h"
#include "rowwise/cpu/rows/copies.h"
#include "rowwise/cpu/rows/dense_rows.h"
#include "rowwise/cpu/rows/masked_copies.h"
#include "rowwise/cpu/rows/row_offsets.h"
#include "rowwise/cpu/rows/write_sparse.h"
#include "rowwise/mask.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

template <template <class> class MappingOf, class Scalar, int Operands>
auto fixed_of(double alpha, RowGeometry<Operands> const& geometry) {
  return MappingOf<widened_t<Scalar>>::fixed(geometry.full_length, alpha);
}

// Maps rows, masked or not, from copies in scratch: logits or weights are not contiguous, or have
// gaps between rows. The mask may be null. Of the geometry's operands, weights and logits are the
// first and the mask is the last.
template <template <class> class MappingOf, int Operands, class Scalar>
void forward_from_copies(double alpha, RowGeometry<Operands> const& geometry, Scalar* weights,
                         Scalar const* logits, MaskEntry const* mask, int64_t k, int64_t first_row,
                         int64_t last_row, bool streams) {
  int64_t const length = geometry.length;
  bool const is_in_place = geometry.is_dense(0);
  MaskedCopies<Scalar> copies(length, geometry.stride[1], mask, geometry.stride[Operands - 1]);
  int64_t const rows_together = copies.rows_together();
  RowCopies<Scalar> weight_copies(length, geometry.stride[0], is_in_place ? 0 : rows_together,
                                  streams);
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), length, k, streams && is_in_place);
  RowOffsets<Operands> offsets(rows_together);
  for (int64_t row = first_row; row < last_row; row += rows_together) {
    int64_t const rows = std::min(rows_together, last_row - row);
    offsets.find(geometry, row, rows);
    copies.load(logits, offsets.of(1), offsets.of(Operands - 1), rows);
    Scalar* const results = is_in_place ? weights + row * length : weight_copies.data();
    DenseRows<Scalar> copied(copies.data(), length, 0, rows, rows);
    forward_contiguous(copied, results);
    copies.for_each_left_out([&](int64_t i) { results[i * length] = narrow<Scalar>(0); });
    if (!is_in_place) weight_copies.store(weights, offsets.of(0), rows);
  }
  if (streams) stream_fence();
}

// `streams` says whether to write with non-temporal stores.
template <template <class> class MappingOf, class Scalar>
void forward_rows(double alpha, RowGeometry<2> const& geometry, Scalar* weights,
                  Scalar const* logits, int64_t k, int64_t first_row, int64_t last_row,
                  bool streams) {
  if (!geometry.is_dense()) {
    return forward_from_copies<MappingOf>(alpha, geometry, weights, logits,
                                          /*mask=*/nullptr, k, first_row, last_row, streams);
  }
  int64_t const length = geometry.length;
  ContiguousForward<MappingOf, Scalar> forward_contiguous(
      fixed_of<MappingOf, Scalar>(alpha, geometry), length, k, streams);
  DenseRows<Scalar> rows(logits, length, first_row, last_row, geometry.rows);
  forward_contiguous(rows, weights);
}

template <class Scalar, int Operands>
bool streams_weights(RowGeometry<Operands> const& geometry) {
  return is_streamed(geometry.rows * geometry.length * static_cast<int64_t>(sizeof(Scalar)));
}

template <template <class> class MappingOf, class Scalar>
void forward(double alpha, RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
             int64_t k, int64_t first_row, int64_t last_row) {
  forward_rows<MappingOf>(alpha, geometry, weights, logits, k, first_row, last_row,
                          streams_weights<Scalar>(geometry));
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
