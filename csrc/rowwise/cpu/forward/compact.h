#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact_rows.h"
#include "rowwise/cpu/forward/row_candidates.h"
#include "rowwise/cpu/rows/copies.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Maps rows, each contiguous, to their weights that are not 0. However many candidates a row has,
// they are listed.
template <template <class> class MappingOf, class Scalar>
class CompactForward {
 public:
  using Real = widened_t<Scalar>;
  using Mapping = MappingOf<Real>;
  using Fixed = typename Mapping::Fixed;

  CompactForward(Fixed const& fixed, int64_t length, int64_t k, CompactRows<Scalar>& results)
      : fixed_(fixed),
        length_(length),
        results_(results),
        candidates_(fixed, length, std::min(k, length), /*most=*/length) {
    weights_.reserve(candidates_.capacity() + kLanes<Real>);
  }

  // Takes rows that follow each other without a gap. The first of the results has the number `row`.
  void operator()(Scalar const* logits, int64_t row, int64_t rows) {
    for (int64_t i = 0; i < rows; ++i) one(logits + i * length_, row + i);
  }

 private:
  void one(Scalar const* logits, int64_t row) {
    if (length_ < kLanes<key_t<Scalar>>) {
      candidates_.scan_short(logits);
    } else {
      candidates_.scan(logits, 0, length_, [] {}, [](int64_t, int64_t) {});
    }
    if (!candidates_.range().is_ordinary()) return results_.write_nan(row, logits);
    auto& list = candidates_.list();
    weigh_support(Mapping(candidates_.range().maximum(), fixed_), list, weights_.data());
    results_.write(row, list.size(), list.columns(), weights_.data());
  }

  Fixed fixed_;
  int64_t length_;
  CompactRows<Scalar>& results_;
  RowCandidates<Mapping, Scalar> candidates_;
  Scratch<Scalar> weights_;
};

// Maps rows that are not contiguous from copies in scratch.
template <class Scalar, class Forward>
void compact_strided(Forward& forward_compact, RowGeometry<3> const& geometry, Scalar const* logits,
                     int64_t first_row, int64_t last_row) {
  int64_t const rows_together = RowCopies<Scalar>::rows_for(geometry.length);
  RowCopies<Scalar> copies(geometry.length, geometry.stride[1], rows_together);
  Scratch<int64_t> first_logits;
  first_logits.reserve(rows_together);
  for (int64_t row = first_row; row < last_row; row += rows_together) {
    int64_t const rows = std::min(rows_together, last_row - row);
    for (int64_t i = 0; i < rows; ++i) {
      int64_t offsets[3];
      geometry.offsets(row + i, offsets);
      first_logits.data()[i] = offsets[1];
    }
    copies.load(logits, first_logits.data(), rows);
    forward_compact(copies.data(), row, rows);
  }
}

template <template <class> class MappingOf, class Scalar>
void forward_compact(double alpha, RowGeometry<3> const& geometry, Scalar* values,
                     Scalar const* logits, int64_t* indices, int64_t k, int64_t first_row,
                     int64_t last_row) {
  int64_t const length = geometry.length;
  CompactRows<Scalar> results(geometry, values, indices, std::min(k, length));
  CompactForward<MappingOf, Scalar> forward_compact(
      MappingOf<widened_t<Scalar>>::fixed(geometry.full_length, alpha), length, k, results);
  if (geometry.stride[1] != 1) {
    return compact_strided(forward_compact, geometry, logits, first_row, last_row);
  }
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    forward_compact(logits + offsets[1], row, 1);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
