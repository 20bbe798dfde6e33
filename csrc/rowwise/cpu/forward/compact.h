#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact_group.h"
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
        k_(std::min(k, length)),
        results_(results),
        candidates_(fixed, length, k_, /*most=*/length) {
    weights_.reserve(candidates_.capacity() + kLanes<Real>);
  }

  // Takes rows that follow each other without a gap. The first of the results has the number `row`.
  // `readable` entries from `logits` on may be read.
  void operator()(Scalar const* logits, int64_t row, int64_t rows, int64_t readable) {
    int64_t taken = 0;
    if constexpr (std::is_same_v<Real, float>) {
      using Group = CompactGroup<MappingOf, Scalar>;
      if (Group::takes(length_, k_) && rows >= Group::kRows) {
        Group group(fixed_, length_, k_, results_);
        for (; taken + Group::kRows <= rows; taken += Group::kRows) {
          int64_t const first = taken * length_;
          uint64_t const left = group(logits + first, row + taken, readable - first);
          for_each_lane(left, [&](int i) { one(logits + first + i * length_, row + taken + i); });
        }
      }
    }
    for (; taken < rows; ++taken) one(logits + taken * length_, row + taken);
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
    results_.write(
        row, list.size(), [&](int64_t i) { return weights_.data()[i]; },
        [&](int64_t i) { return list.columns()[i]; });
  }

  Fixed fixed_;
  int64_t length_;
  int64_t k_;
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
    forward_compact(copies.data(), row, rows, rows * geometry.length);
  }
}

// Whether the rows of the logits follow each other without a gap.
inline bool has_dense_logits(RowGeometry<3> const& geometry) {
  return geometry.stride[1] == 1 &&
         (geometry.rows == 1 ||
          (geometry.batch_dimensions == 1 && geometry.batch_strides[0][1] == geometry.length));
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
  if (has_dense_logits(geometry)) {
    return forward_compact(logits + first_row * length, first_row, last_row - first_row,
                           (geometry.rows - first_row) * length);
  }
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    forward_compact(logits + offsets[1], row, 1, length);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
