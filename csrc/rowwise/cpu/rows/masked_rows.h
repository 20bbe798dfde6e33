#pragma once

#include <algorithm>
#include <cstdint>

#include "rowwise/cpu/rows/copy_masked.h"
#include "rowwise/cpu/rows/row_offsets.h"
#include "rowwise/cpu/rows/scratch.h"
#include "rowwise/cpu/rows/taken_rows.h"
#include "rowwise/cpu/vectors/vector.h"
#include "rowwise/float16.h"
#include "rowwise/mask.h"
#include "rowwise/ordered_key.h"
#include "rowwise/row_geometry.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Gives out contiguous rows of which a mask leaves entries out, as copies with -inf in place of
// these. A row is copied when it is taken, so that it is in a near cache while it is mapped. One
// that is left out as a whole becomes 0, -inf, -inf, ..., which costs little to map; its one weight
// has to be taken back.
template <int Operands, class Scalar>
class MaskedRows {
 public:
  // The rows from number `first` to `last` - 1. Of the geometry's operands, the logits are the
  // second and the mask is the last.
  MaskedRows(RowGeometry<Operands> const& geometry, Scalar const* logits, MaskEntry const* mask,
             int64_t first, int64_t last)
      : geometry_(geometry),
        logits_(logits),
        mask_(mask),
        first_(first),
        last_(last),
        logits_are_dense_(geometry.is_dense(1)),
        mask_is_dense_(geometry.is_dense(kMask)) {}

  int64_t left() const { return last_ - first_; }

  TakenRows<Scalar> take(int64_t rows) {
    int64_t const length = geometry_.length;
    int64_t const first = first_;
    first_ += rows;
    copies_.reserve(rows * length + kStep);
    copy(first, rows);
    bool const has_next = geometry_.rows - first_ >= rows;
    int64_t const next = has_next && logits_are_dense_ ? distance_to(first_) : 0;
    MaskEntry const* const next_masks =
        has_next && mask_is_dense_ ? mask_ + first_ * length : nullptr;
    return {copies_.data(), first, rows, length, rows * length, next, next_masks};
  }

  // The rows taken last are mapped. Calls take_back(i) for the i-th of them if the mask left it out
  // as a whole.
  template <class TakeBack>
  void finish(TakeBack const& take_back) const {
    for (int64_t i = 0; i < count_left_out_; ++i) take_back(left_out_.data()[i]);
  }

 private:
  static constexpr int kMask = Operands - 1;
  static constexpr int64_t kStep = kLanes<key_t<Scalar>>;

  void copy(int64_t first, int64_t rows) {
    int64_t const length = geometry_.length;
    int64_t const stride = geometry_.stride[kMask];
    if (stride == 1 && length >= kStep) {
      copy_by(first, rows, [=](Scalar const* row, MaskEntry const* mask, Scalar* to) {
        return copy_masked_vectors(row, mask, length, to);
      });
    } else if (stride == 1) {
      auto const is_of_row = first_lanes<key_t<Scalar>>(length);
      copy_by(first, rows, [&](Scalar const* row, MaskEntry const* mask, Scalar* to) {
        return copy_masked_vector(whole_vector(row), whole_vector(mask), is_of_row, to);
      });
    } else {
      copy_by(first, rows, [=](Scalar const* row, MaskEntry const* mask, Scalar* to) {
        return copy_masked(row, mask, stride, length, to);
      });
    }
  }

  // Copies rows by copy_row(row, mask, to), which returns whether all is left out.
  template <class CopyRow>
  void copy_by(int64_t first, int64_t rows, CopyRow const& copy_row) {
    left_out_.reserve(rows);
    count_left_out_ = 0;
    for_each_row(geometry_, first, rows, [&](int64_t row, int64_t const* offsets) {
      Scalar* const copy = copies_.data() + row * geometry_.length;
      if (copy_row(logits_ + offsets[1], mask_ + offsets[kMask], copy)) {
        copy[0] = narrow<Scalar>(0);
        left_out_.data()[count_left_out_++] = row;
      }
    });
  }

  // Where a vector can be read that begins with a short row: in the row or in a copy.
  Scalar const* whole_vector(Scalar const* row) {
    if (logits_are_dense_ && logits_ + geometry_.rows * geometry_.length - row >= kStep) return row;
    std::copy_n(row, geometry_.length, short_row_);
    return short_row_;
  }

  // The same for its mask. Rows that follow each other often share one.
  MaskEntry const* whole_vector(MaskEntry const* mask) {
    if (mask_is_dense_ && mask_ + geometry_.rows * geometry_.length - mask >= kStep) return mask;
    if (mask != of_short_mask_) std::copy_n(mask, geometry_.length, short_mask_);
    of_short_mask_ = mask;
    return short_mask_;
  }

  // From the copies to a row of the logits, in entries.
  int64_t distance_to(int64_t row) const {
    auto const from = reinterpret_cast<intptr_t>(copies_.data());
    auto const to = reinterpret_cast<intptr_t>(logits_ + row * geometry_.length);
    return (to - from) / static_cast<int64_t>(sizeof(Scalar));
  }

  RowGeometry<Operands> const& geometry_;
  Scalar const* logits_;
  MaskEntry const* mask_;
  int64_t first_;
  int64_t last_;
  bool logits_are_dense_;
  bool mask_is_dense_;
  Scratch<Scalar> copies_;
  Scratch<int64_t> left_out_;
  int64_t count_left_out_ = 0;
  Scalar short_row_[kStep] = {};
  MaskEntry short_mask_[kStep] = {};
  MaskEntry const* of_short_mask_ = nullptr;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
