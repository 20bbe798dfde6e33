#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/forward_lanes.h"
#include "rowwise/cpu/forward_row.h"
#include "rowwise/cpu/row_buffer.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Rows longer than this cost less one by one, where most of a row is passed over unread by the
// second scan.
inline constexpr int64_t kLongestRowOfLanes = 512;

template <template <class> class MappingOf, class Scalar>
void forward_one_by_one(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits,
                        int64_t k, int64_t first_row, int64_t last_row) {
  RowForward<MappingOf, Scalar> forward_row(geometry.length, k);
  RowBuffer<Scalar> weight_row(geometry.length, geometry.stride[0]);
  RowBuffer<Scalar> logit_row(geometry.length, geometry.stride[1]);
  for (int64_t row = first_row; row < last_row; ++row) {
    int64_t offsets[2];
    geometry.offsets(row, offsets);
    Scalar* const destination = weights + offsets[0];
    forward_row(logit_row.load(logits + offsets[1]), weight_row.writable(destination));
    weight_row.store(destination);
  }
}

// Returns the first row that is left.
template <template <class> class MappingOf, class Scalar, int K>
int64_t forward_lanes(int64_t length, Scalar* weights, Scalar const* logits, int64_t first_row,
                      int64_t last_row) {
  using Lanes = LaneForward<MappingOf, Scalar, K>;
  Lanes forward_rows(length);
  int64_t row = first_row;
  for (; row + Lanes::kRows <= last_row; row += Lanes::kRows) {
    forward_rows(logits + row * length, weights + row * length);
  }
  return row;
}

template <template <class> class MappingOf, class Scalar>
void forward(RowGeometry<2> const& geometry, Scalar* weights, Scalar const* logits, int64_t k,
             int64_t first_row, int64_t last_row) {
  int64_t const length = geometry.length;
  if (geometry.is_dense() && length <= kLongestRowOfLanes) {
    switch (std::min(k, length)) {
      case 1:
        first_row =
            forward_lanes<MappingOf, Scalar, 1>(length, weights, logits, first_row, last_row);
        break;
      case 2:
        first_row =
            forward_lanes<MappingOf, Scalar, 2>(length, weights, logits, first_row, last_row);
        break;
      case 3:
        first_row =
            forward_lanes<MappingOf, Scalar, 3>(length, weights, logits, first_row, last_row);
        break;
      case 4:
        first_row =
            forward_lanes<MappingOf, Scalar, 4>(length, weights, logits, first_row, last_row);
        break;
      default:
        break;
    }
  }
  forward_one_by_one<MappingOf>(geometry, weights, logits, k, first_row, last_row);
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
