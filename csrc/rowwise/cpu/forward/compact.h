#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "rowwise/cpu/forward/any_strides.h"
#include "rowwise/cpu/forward/compact_group.h"
#include "rowwise/cpu/forward/compact_rows.h"
#include "rowwise/cpu/forward/row_candidates.h"
#include "rowwise/cpu/rows/masked_copies.h"
#include "rowwise/cpu/rows/row_offsets.h"
#include "rowwise/cpu/rows/scratch.h"
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

// Maps rows that are masked or not contiguous from copies in scratch. The mask may be null.
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
    forward_compact(copies.data(), row, rows, rows * length);
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
