#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/nonzero_scan.h"
#include "rowwise/cpu/rows/row_offsets.h"
#include "rowwise/float16.h"
#include "rowwise/row_geometry.h"
#include "rowwise/saved_support.h"

// Finds the support of rows of weights, in the layout of rowwise/saved_support.h.
namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Writes the supports of a few rows at the same time.
template <class Scalar>
class SupportsOfRows {
 public:
  static constexpr int64_t kMostRows = 64;

  explicit SupportsOfRows(int64_t capacity) : capacity_(capacity) {}

  // `first_weights` holds the first weight of each row; `step` is the distance from one support to
  // the next.
  void begin(Scalar const* first_weights, int64_t rows, int32_t* support, int64_t step) {
    rows_ = rows;
    for (int64_t row = 0; row < rows; ++row) {
      auto const weight = widen(first_weights[row]);
      is_nan_[row] = weight != weight;
      first_[row] = support + row * step + 1;
      end_[row] = first_[row];
    }
  }

  void add(int64_t row, int64_t column) {
    if (!is_nan_[row]) *end_[row]++ = static_cast<int32_t>(column);
  }

  void finish() {
    for (int64_t row = 0; row < rows_; ++row) {
      first_[row][-1] = is_nan_[row] ? kNaNRow : static_cast<int32_t>(end_[row] - first_[row]);
      std::fill(end_[row], first_[row] + capacity_, kNoColumn);
    }
  }

 private:
  int64_t capacity_;
  int64_t rows_ = 0;
  bool is_nan_[kMostRows];
  int32_t* first_[kMostRows];
  int32_t* end_[kMostRows];
};

// Reads contiguous rows one by one, and of others as many at a time as are neighbours in memory.
//
// Of the geometry's operands, the weights are the first and the support is the third.
template <int Operands, class Scalar>
void collect_support(RowGeometry<Operands> const& geometry, Scalar const* weights, int32_t* support,
                     int64_t capacity, int64_t first_row, int64_t last_row) {
  SupportsOfRows<Scalar> supports(capacity);
  if (geometry.stride[0] == 1) {
    return for_each_row(
        geometry, first_row, last_row - first_row, [&](int64_t, int64_t const* offsets) {
          Scalar const* const row = weights + offsets[0];
          supports.begin(row, /*rows=*/1, support + offsets[2], /*step=*/0);
          for_each_nonzero(row, geometry.length, [&](int64_t column) { supports.add(0, column); });
          supports.finish();
        });
  }
  bool const has_neighbours = geometry.batch_strides[0][0] == 1;
  int64_t rows = 1;
  for (int64_t row = first_row; row < last_row; row += rows) {
    int64_t offsets[Operands];
    geometry.offsets(row, offsets);
    Scalar const* const source = weights + offsets[0];
    if (has_neighbours) {
      rows = std::min({geometry.evenly_spaced_rows(row), last_row - row, supports.kMostRows});
    }
    supports.begin(source, rows, support + offsets[2], geometry.batch_strides[0][2]);
    for (int64_t column = 0; column < geometry.length; ++column) {
      for_each_nonzero(source + column * geometry.stride[0], rows,
                       [&](int64_t neighbour) { supports.add(neighbour, column); });
    }
    supports.finish();
  }
}

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
