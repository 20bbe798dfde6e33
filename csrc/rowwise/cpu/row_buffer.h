#pragma once

#include <cstdint>
#include <vector>

#include "rowwise/cpu/vector.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// One operand's row as contiguous memory: the row itself, or scratch that holds a copy of it.
template <class Scalar>
class RowBuffer {
 public:
  RowBuffer(int64_t length, int64_t stride) : length_(length), stride_(stride) {
    if (stride != 1) scratch_.resize(static_cast<size_t>(length));
  }

  Scalar const* load(Scalar const* row) {
    if (stride_ == 1) return row;
    for (int64_t column = 0; column < length_; ++column) scratch_[column] = row[column * stride_];
    return scratch_.data();
  }

  Scalar* writable(Scalar* row) { return stride_ == 1 ? row : scratch_.data(); }

  // Makes what was written through writable(row) part of the row.
  void store(Scalar* row) const {
    if (stride_ == 1) return;
    for (int64_t column = 0; column < length_; ++column) row[column * stride_] = scratch_[column];
  }

 private:
  int64_t length_;
  int64_t stride_;
  std::vector<Scalar> scratch_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
