#pragma once

#include <cstdint>

#include "rowwise/cpu/rows/copies.h"
#include "rowwise/cpu/rows/copy_masked.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Copies rows of any strides to scratch, where they follow each other without a gap, with -inf in
// place of what a mask leaves out, if there is one. A row that is left out as a whole becomes 0,
// -inf, -inf, ..., which costs little to map; its one weight has to be taken back.
template <class Scalar>
class MaskedCopies {
 public:
  MaskedCopies(int64_t length, int64_t stride, MaskEntry const* mask, int64_t mask_stride)
      : length_(length),
        stride_(stride),
        mask_(mask),
        mask_stride_(mask_stride),
        rows_together_(RowCopies<Scalar>::rows_for(length)),
        copies_(length, stride, rows_together_) {
    left_out_.reserve(rows_together_);
  }

  // How many rows load() takes at most.
  int64_t rows_together() const { return rows_together_; }

  // Copies the rows that begin at base + offsets[0], base + offsets[1], ... to data(). The offsets
  // of their masks are used only if there is a mask.
  void load(Scalar const* base, int64_t const* offsets, int64_t const* offsets_of_mask,
            int64_t rows) {
    bool const are_in_place = mask_ != nullptr && stride_ == 1;
    if (!are_in_place) copies_.load(base, offsets, rows);
    count_left_out_ = 0;
    for (int64_t row = 0; mask_ != nullptr && row < rows; ++row) {
      Scalar* const copy = copies_.data() + row * length_;
      Scalar const* const from = are_in_place ? base + offsets[row] : copy;
      if (copy_masked(from, mask_ + offsets_of_mask[row], mask_stride_, length_, copy)) {
        copy[0] = narrow<Scalar>(0);
        left_out_.data()[count_left_out_++] = row;
      }
    }
  }

  Scalar const* data() { return copies_.data(); }

  // Calls visit(row) for each row that was left out as a whole.
  template <class Visit>
  void for_each_left_out(Visit const& visit) const {
    for (int64_t i = 0; i < count_left_out_; ++i) visit(left_out_.data()[i]);
  }

 private:
  int64_t length_;
  int64_t stride_;
  MaskEntry const* mask_;
  int64_t mask_stride_;
  int64_t rows_together_;
  RowCopies<Scalar> copies_;
  Scratch<int64_t> left_out_;
  int64_t count_left_out_ = 0;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
