#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Calls visit(row, offsets) for each row from `first` on: where the row that is `row` rows after
// the first begins in each operand, in elements.
template <int Operands, class Visit>
inline void for_each_row(RowGeometry<Operands> const& geometry, int64_t first, int64_t rows,
                         Visit const& visit) {
  for (int64_t row = 0; row < rows;) {
    int64_t offsets[Operands];
    geometry.offsets(first + row, offsets);
    int64_t const end = row + std::min(geometry.evenly_spaced_rows(first + row), rows - row);
    for (; row < end; ++row) {
      visit(row, offsets);
      for (int i = 0; i < Operands; ++i) offsets[i] += geometry.batch_strides[0][i];
    }
  }
}

// Where a few rows begin in each operand of a geometry, in elements.
template <int Operands>
class RowOffsets {
 public:
  explicit RowOffsets(int64_t most_rows) : most_rows_(most_rows) {
    offsets_.reserve(Operands * most_rows);
  }

  // Finds those of the rows from `first` on, at most most_rows.
  void find(RowGeometry<Operands> const& geometry, int64_t first, int64_t rows) {
    for_each_row(geometry, first, rows, [&](int64_t row, int64_t const* offsets) {
      for (int i = 0; i < Operands; ++i) offsets_.data()[i * most_rows_ + row] = offsets[i];
    });
  }

  int64_t const* of(int operand) const { return offsets_.data() + operand * most_rows_; }

 private:
  int64_t most_rows_;
  Scratch<int64_t> offsets_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
