#pragma once

#include <cstdint>

#include "rowwise/cpu/rows/scratch.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// One operand's row as contiguous memory: the row itself, or scratch that holds a copy of it.
template <class Scalar>
class RowBuffer {
 public:
  RowBuffer(int64_t length, int64_t stride) : length_(length), stride_(stride) {
    if (stride != 1) scratch_.reserve(length);
  }

  Scalar const* load(Scalar const* row) {
    if (stride_ == 1) return row;
    Scalar* const copy = scratch_.data();
    for (int64_t column = 0; column < length_; ++column) copy[column] = row[column * stride_];
    return copy;
  }

  Scalar* writable(Scalar* row) { return stride_ == 1 ? row : scratch_.data(); }

  // Copies what was written through writable(row) to the row, unless it was written there.
  void store(Scalar* row) const {
    if (stride_ == 1) return;
    Scalar const* const written = scratch_.data();
    for (int64_t column = 0; column < length_; ++column) row[column * stride_] = written[column];
  }

 private:
  int64_t length_;
  int64_t stride_;
  Scratch<Scalar> scratch_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
