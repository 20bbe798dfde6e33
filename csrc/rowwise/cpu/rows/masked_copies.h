#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>

#include "rowwise/cpu/rows/copies.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/tuning.h"
#include "rowwise/cpu/vectors/bytes.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Copies a row with -inf in place of the entries that the mask leaves out, whatever these are.
// Returns whether it leaves out all. `from` may be `to`.
template <class Scalar>
bool copy_masked(Scalar const* from, MaskEntry const* mask, int64_t mask_stride, int64_t length,
                 Scalar* to) {
  using Bits = key_t<Scalar>;
  constexpr int64_t kStep = kLanes<Bits>;
  auto const left_out = narrow<Scalar>(-std::numeric_limits<double>::infinity());
  if (mask_stride == 0) {
    bool const takes_part = mask[0] != 0;
    if (!takes_part) std::fill_n(to, length, left_out);
    if (takes_part && from != to) std::copy_n(from, length, to);
    return !takes_part;
  }
  if (mask_stride != 1 || length < kStep) {
    bool leaves_out_all = true;
    for (int64_t column = 0; column < length; ++column) {
      bool const takes_part = mask[column * mask_stride] != 0;
      leaves_out_all = leaves_out_all && !takes_part;
      to[column] = takes_part ? from[column] : left_out;
    }
    return leaves_out_all;
  }
  auto const bits_left_out = broadcast<Bits>(std::bit_cast<Bits>(left_out));
  Vector<Bits> any = {};
  for (int64_t column = 0; column < length; column += kStep) {
    int64_t const first = std::min(column, length - kStep);
    auto const of_lanes = load_bytes<Bits>(mask + first);
    any |= of_lanes;
    store(to + first, of_lanes != 0 ? load<Bits>(from + first) : bits_left_out);
  }
  return largest_of_lanes<Bits>(any) == 0;
}

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
        rows_together_(rows_for(length, stride, mask)),
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
  static int64_t rows_for(int64_t length, int64_t stride, MaskEntry const* mask) {
    if (mask == nullptr || stride != 1) return RowCopies<Scalar>::rows_for(length);
    int64_t const bytes_of_row = length * static_cast<int64_t>(sizeof(Scalar));
    return std::max<int64_t>(1, tuning::kMaskedBytes / bytes_of_row);
  }

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
