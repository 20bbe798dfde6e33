#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact_group.h"
#include "rowwise/cpu/forward/compact_rows.h"
#include "rowwise/cpu/forward/row_candidates.h"
#include "rowwise/cpu/rows/dense_rows.h"
#include "rowwise/cpu/rows/masked_copies.h"
#include "rowwise/cpu/rows/row_offsets.h"
#include "rowwise/cpu/rows/scan.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
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

  // Takes all rows that `rows` has left. The result of row 0 has the number `row_zero`.
  template <class Rows>
  void operator()(Rows& rows, int64_t row_zero) {
    if constexpr (std::is_same_v<Real, float>) {
      using Group = CompactGroup<MappingOf, Scalar>;
      if (Group::takes(length_, k_) && rows.left() >= Group::kRows) {
        Group group(fixed_, length_, k_, results_);
        while (rows.left() >= Group::kRows) {
          take(rows, Group::kRows, row_zero, [&](auto const& taken, int64_t row) {
            for_each_lane(group(taken, row),
                          [&](int i) { one(taken.logits + i * length_, row + i); });
          });
        }
      }
    }
    while (rows.left() > 0) {
      take(rows, 1, row_zero,
           [&](auto const& taken, int64_t row) { one(taken.logits, row, taken.lone_ahead()); });
    }
  }

 private:
  // Takes some rows by map(taken, row), where `row` is the number of the first result.
  template <class Rows, class Map>
  void take(Rows& rows, int64_t count, int64_t row_zero, Map const& map) {
    TakenRows<Scalar> const taken = rows.take(count);
    int64_t const row = row_zero + taken.first;
    map(taken, row);
    rows.finish([&](int64_t i) { results_.write_none(row + i); });
  }

  void one(Scalar const* logits, int64_t row, LoneRowAhead<Scalar> ahead = {}) {
    if (length_ < kLanes<key_t<Scalar>>) {
      candidates_.scan_short(logits);
    } else {
      constexpr int kStep = LaneExtremes<Scalar>::kCount;
      candidates_.scan(
          logits, 0, length_, [&] { ahead.template prefetch_next<kStep>(); },
          [](int64_t, int64_t) {});
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

// Maps rows that are not contiguous from copies in scratch. The mask may be null.
// Of the geometry's operands, the logits are the second and the mask is the last.
template <template <class> class MappingOf, int Operands, class Scalar>
void compact_from_copies(CompactForward<MappingOf, Scalar>& forward_compact,
                         CompactRows<Scalar>& results, RowGeometry<Operands> const& geometry,
                         Scalar const* logits, MaskEntry const* mask, int64_t first_row,
                         int64_t last_row) {
  int64_t const length = geometry.length;
  MaskedCopies<Scalar> copies(length, geometry.stride[1], mask, geometry.stride[Operands - 1]);
  int64_t const rows_together = copies.rows_together();
  RowOffsets<Operands> offsets(rows_together);
  for (int64_t row = first_row; row < last_row; row += rows_together) {
    int64_t const rows = std::min(rows_together, last_row - row);
    offsets.find(geometry, row, rows);
    copies.load(logits, offsets.of(1), offsets.of(Operands - 1), rows);
    DenseRows<Scalar> copied(copies.data(), length, 0, rows, rows);
    forward_compact(copied, row);
    copies.for_each_left_out([&](int64_t i) { results.write_none(row + i); });
  }
}

template <template <class> class MappingOf, class Scalar>
void forward_compact(double alpha, RowGeometry<3> const& geometry, Scalar* values,
                     Scalar const* logits, int64_t* indices, int64_t k, int64_t first_row,
                     int64_t last_row) {
  int64_t const length = geometry.length;
  CompactRows<Scalar> results(geometry, values, indices, std::min(k, length));
  CompactForward<MappingOf, Scalar> forward_compact(fixed_of<MappingOf, Scalar>(alpha, geometry),
                                                    length, k, results);
  if (geometry.stride[1] != 1) {
    return compact_from_copies(forward_compact, results, geometry, logits,
                               /*mask=*/nullptr, first_row, last_row);
  }
  if (geometry.is_dense(1)) {
    DenseRows<Scalar> rows(logits, length, first_row, last_row, geometry.rows);
    return forward_compact(rows, /*row_zero=*/0);
  }
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[3];
    geometry.offsets(row, offsets);
    DenseRows<Scalar> rows(logits + offsets[1], length, 0, 1, 1);
    forward_compact(rows, row);
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
