#pragma once

#include <cstdint>

#include "rowwise/cpu/rows/taken_rows.h"

namespace zeta::rowwise::cpu::ZETA_CAPABILITY {

// Gives out rows that follow each other without a gap.
template <class Scalar>
class DenseRows {
 public:
  // The rows from number `first` to `last` - 1. Row 0 begins at `logits`, and `readable` rows may
  // be read.
  DenseRows(Scalar const* logits, int64_t length, int64_t first, int64_t last, int64_t readable)
      : logits_(logits), length_(length), first_(first), last_(last), readable_(readable) {}

  int64_t left() const { return last_ - first_; }

  TakenRows<Scalar> take(int64_t rows) {
    int64_t const first = first_;
    int64_t const readable = readable_ - first;
    // A row that is taken alone is read from end to end, which processors foresee by themselves.
    bool const has_next = rows > 1 && readable >= 2 * rows;
    int64_t const next = has_next ? rows * length_ : 0;
    first_ += rows;
    return {logits_ + first * length_, first, rows, length_, readable * length_, next};
  }

  // The rows taken last are mapped. Calls take_back(i) for the i-th of them if a mask left it out
  // as a whole.
  template <class TakeBack>
  void finish(TakeBack const&) const {}

 private:
  Scalar const* logits_;
  int64_t length_;
  int64_t first_;
  int64_t last_;
  int64_t readable_;
};

}  // namespace zeta::rowwise::cpu::ZETA_CAPABILITY
