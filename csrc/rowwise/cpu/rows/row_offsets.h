#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Where a few rows begin in each operand of a geometry, in elements.
template <int Operands>
class RowOffsets {
 public:
  explicit RowOffsets(int64_t most_rows) : most_rows_(most_rows) {
    offsets_.reserve(Operands * most_rows);
  }

  // Finds those of the rows from `first` on, at most most_rows.
  void find(RowGeometry<Operands> const& geometry, int64_t first, int64_t rows) {
    for (int64_t row = 0; row < rows;) {
      int64_t begin[Operands];
      geometry.offsets(first + row, begin);
      int64_t const end = row + std::min(geometry.evenly_spaced_rows(first + row), rows - row);
      for (; row < end; ++row) {
        for (int operand = 0; operand < Operands; ++operand) {
          offsets_.data()[operand * most_rows_ + row] = begin[operand];
          begin[operand] += geometry.batch_strides[0][operand];
        }
      }
    }
  }

  int64_t const* of(int operand) const { return offsets_.data() + operand * most_rows_; }

 private:
  int64_t most_rows_;
  Scratch<int64_t> offsets_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
